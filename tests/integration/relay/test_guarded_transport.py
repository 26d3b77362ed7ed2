from __future__ import annotations

import os
import subprocess
import sys

import pytest
import redis

from orchestrator.adapters import kombu_redis
from orchestrator.adapters.kombu_entities import Connection
from tests.integration.relay.relaying import until


@pytest.fixture(params=["solo", "threads"])
def pool(request):
    """Ours, and one whose consumer notices the loss while the task runs: where kombu 5.7 ends the worker."""
    return request.param


@pytest.fixture
def worker(own_valkey, tmp_path, pool):
    command = [sys.executable, "-m", "celery", "-A", "tests.integration.relay.guarded_app", "worker"]
    flags = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--pool", pool]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *flags], env=os.environ | {"BROKER": own_valkey.url}, stdout=log, stderr=log
        )
        yield process
        process.kill()
        process.wait()


def send(url, *arguments):
    from celery import Celery

    with Celery("sender", broker=url, set_as_current=False) as app:
        app.send_task("mark", args=arguments)


def test_a_worker_survives_redis_going_away_under_an_unacknowledged_task(worker, own_valkey, tmp_path, pool):
    send(own_valkey.url, str(tmp_path), "begun", "redis-is-gone")
    for number in range(3):  # the worker has these, too, and has not acknowledged them
        send(own_valkey.url, str(tmp_path), f"fetched-{number}")
    until((tmp_path / "begun").exists, what="the worker takes the task")
    own_valkey.kill()
    log = tmp_path / "worker.log"
    if pool == "solo":
        (tmp_path / "redis-is-gone").touch()  # the task ends and cannot be acknowledged
    until(lambda: "Connection to broker lost" in log.read_text() or worker.poll() is not None)
    (tmp_path / "redis-is-gone").touch()
    own_valkey.start()
    send(own_valkey.url, str(tmp_path), "again")
    until(lambda: (tmp_path / "again").exists() or worker.poll() is not None, limit_s=20)
    assert worker.poll() is None, log.read_text()[-3000:]
    assert (tmp_path / "again").exists()


def test_a_url_of_redis_finds_the_guarded_transport(redis_url):
    code = (
        "from orchestrator.adapters import kombu_redis; kombu_redis.install();"
        "from kombu import Connection;"
        f"print(type(Connection({redis_url!r}).transport).__module__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "orchestrator.adapters.kombu_redis"


def test_a_closed_channel_says_that_it_is_disconnected(redis_url):
    connection = Connection(redis_url, transport=kombu_redis.Transport)
    channel = connection.channel()
    connection.release()
    with pytest.raises(redis.ConnectionError, match="closed") as caught:
        channel._connparams()
    assert isinstance(caught.value, kombu_redis.Transport.connection_errors)
