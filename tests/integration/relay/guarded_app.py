"""A Celery worker on the guarded Redis transport, for the test that takes Redis away from it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from celery import Celery

from orchestrator.adapters import kombu_redis

kombu_redis.install()

app = Celery("guarded", broker=os.environ["BROKER"])
app.conf.update(
    worker_pool="solo",
    task_acks_late=True,
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"visibility_timeout": 300, "socket_timeout": 5},
    worker_cancel_long_running_tasks_on_connection_loss=False,
)


@app.task(name="mark")
def mark(directory, name, wait_for=None):
    """Leave a file at the start; end when the other file is there."""
    Path(directory, name).touch()
    while wait_for and not Path(directory, wait_for).exists():
        time.sleep(0.01)
