"""The task `payments.replay` inside a worker: one at a time, and it ends with the worker."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.integration.cli.past import Inbox, Past
from tests.integration.relay.relaying import until
from workers.bootstrap import build_settings
from workers.replay_job import ReplayJob, ReplayRunningError
from workers.replay_request import ReplayRequest


@pytest.fixture
def past(environment, redis_url, namespace):
    past = Past(redis_url, namespace)
    yield past
    past.client.close()


@pytest.fixture
def full(past, redis_url, namespace, monkeypatch):
    """A queue with room for one event only, and three events to replay into it."""
    monkeypatch.setenv("PAYORCH_EVENTS_QUEUE_MAX", "1")
    for _ in range(3):
        past.write("ord-1", hours_ago=1)
    inbox = Inbox(redis_url, namespace)
    yield inbox
    inbox.close()


def test_one_replay_at_a_time_and_none_outlives_its_worker(past, full):
    job = ReplayJob(build_settings())
    with capture_logs() as logs:
        job.start(ReplayRequest(queue=full.name))
        until(lambda: past.client.llen(full.name) == 1)
        with pytest.raises(ReplayRunningError):
            job.start(ReplayRequest(queue=full.name))
        job.stop(10)
    assert [(line["event"], line.get("error")) for line in logs] == [
        ("replay.started", None),
        ("replay.failed", "the worker ends"),
    ]
    assert full.ids() == ["default/ord-1:1"]


def test_when_one_has_ended_another_may_begin(past, full):
    job = ReplayJob(build_settings())
    with capture_logs() as logs:
        job.start(ReplayRequest(queue=full.name, until="2h"))
        until(lambda: is_begun_again(job, full.name))
        job.stop(10)
    assert [line["event"] for line in logs][:3] == ["replay.started", "replay.done", "replay.started"]
    assert full.ids() == []


def is_begun_again(job, queue):
    try:
        job.start(ReplayRequest(queue=queue, until="2h"))
    except ReplayRunningError:
        return False
    return True


def test_what_makes_no_sense_is_refused_at_once(environment):
    with pytest.raises(ValueError, match="how long ago"):
        ReplayJob(build_settings()).start(ReplayRequest(since="yesterday"))
