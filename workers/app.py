"""The Celery application: `celery -A workers.app worker`. Celery hosts the process; the steps do the work."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from celery import Celery, signals
from celery.worker.consumer import Consumer

import workers.control  # noqa: F401 - registers its commands, with the worker and with `celery control` alike
from orchestrator.adapters import kombu_redis, topology
from workers.bootsteps import STEPS
from workers.bootstrap import SettingsError, build_settings, configure_logging

if TYPE_CHECKING:
    from workers.bootstrap import Settings


RECONNECT = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}  # seconds; kombu's grow to thirty


class QuietConsumer(Consumer):
    """The consumer without gossip, mingle and heartbeats: their queues leak on Redis and nobody here reads them.

    It is back soon after its broker.
    """

    def __init__(self, *args: Any, worker_options: dict[str, Any] | None = None, **kwargs: Any) -> None:
        quiet = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
        super().__init__(*args, worker_options={**(worker_options or {}), **quiet}, **kwargs)

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, however often it takes."""
        conn.ensure_connection = partial(conn.ensure_connection, **RECONNECT)
        return super().ensure_connected(conn)


def make_app(settings: Settings) -> Celery:
    """The application with the steps in its worker blueprint; nothing connects before a worker starts."""
    kombu_redis.install()
    names = topology.build(settings.namespace)
    app = Celery("payorch", broker=settings.broker_url, include=["workers.tasks"])
    app.payorch_settings = settings
    app.conf.update(
        worker_pool="solo",  # the engine has a loop of its own; one process a core
        worker_concurrency=1,
        worker_consumer="workers.app:QuietConsumer",
        # On RabbitMQ the pool solo with a prefetch of 1 was seen to stall for seconds between two tasks.
        worker_prefetch_multiplier=64,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # a call on the wire is never cancelled
        worker_detect_quorum_queues=False,  # Celery's own queue is a classic one
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_queues=[names.tasks_queue],
        task_default_queue=names.tasks_queue.name,
        task_default_exchange="",
        task_default_routing_key=names.tasks_queue.name,
        task_create_missing_queues=False,
        control_exchange=f"{settings.namespace}celery",
        event_exchange=f"{settings.namespace}celeryev",
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # never give up
        broker_channel_error_retry=True,  # a Redis that refuses a command (-READONLY, -OOM) must not end the worker
        broker_heartbeat=30,
        broker_transport_options=_transport_options(settings),
    )
    app.steps["worker"].update(STEPS)
    return app


def _transport_options(settings: Settings) -> dict[str, Any]:
    if topology.is_amqp(settings.broker_url):
        return {"confirm_publish": True}
    return {
        "visibility_timeout": 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "max_connections": 64,
        # The names of queues carry the namespace already, so that any Celery client finds them; these do not.
        "unacked_key": f"{settings.namespace}unacked",
        "unacked_index_key": f"{settings.namespace}unacked_index",
        "unacked_mutex_key": f"{settings.namespace}unacked_mutex",
    }


def _start() -> Celery:
    try:
        settings = build_settings()
    except SettingsError as error:
        raise SystemExit(str(error)) from None

    @signals.setup_logging.connect(weak=False)
    def _configure(**_: object) -> None:
        configure_logging(log_format=settings.log_format, level=settings.log_level)

    return make_app(settings)


app = _start()
