"""The operator's task `payments.retention`, in a running worker."""

from __future__ import annotations

import json

import pytest

from orchestrator.statuses import Status
from tests.integration.cli.shelf import Shelf, intent
from tests.support.celery_client import send_retention_task
from tests.support.intents import payin
from tests.support.process import wait_for
from tests.support.stack import Stack


@pytest.fixture
def stack(tmp_path):
    with Stack(tmp_path) as stack:
        yield stack


def test_what_ended_long_ago_is_gone_and_what_is_under_way_goes_on(stack):
    Shelf(stack.valkey.url, "").put(intent("long-over"), status=Status.SUCCEEDED, since_ms=1)
    wait_for(lambda: not stack.redis.keys("payorch:*:due:*"), what=stack.tails)  # a worker has looked at it
    ids = stack.submit(payin())
    stack.wait_status(ids, "requires_action")

    send_retention_task(stack.valkey.url, "")

    wait_for(lambda: '"retention.done"' in stack.workers[0].output, what=stack.tails)
    (said,) = [line for line in stack.workers[0].output.splitlines() if '"retention.done"' in line]
    assert (json.loads(said)["deleted"], json.loads(said)["kept"]) == (1, 1)
    assert stack.redis.keys("payorch:*:payment:default/long-over") == []
    assert len(stack.redis.keys("payorch:*:tombstone:default/long-over")) == 1
    stack.succeed(ids)
    stack.judge(ids)
