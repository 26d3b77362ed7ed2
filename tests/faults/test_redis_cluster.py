"""All processes on a Redis Cluster that loses a master (docs/promises.md, its row)."""

from __future__ import annotations

import contextlib

import httpx
import pytest
import redis

from tests.faults.test_redis_losses import SOON
from tests.support.cluster import ValkeyCluster
from tests.support.event_log import EventLogReader
from tests.support.intents import card, gateway_link, payid, payin
from tests.support.process import wait_for
from tests.support.stack import Stack

FLOWS = (card, gateway_link, payid, payin)
pytestmark = pytest.mark.timeout(180)


class PatientReader(EventLogReader):
    """While a master is away, what was read before."""

    def read(self):
        with contextlib.suppress(redis.RedisError):
            return super().read()
        return self.events


class ClusterStack(Stack):
    """Payments live in a cluster with replicas; messages go over the one server that a stack has anyway."""

    def __init__(self, directory, *, settings=None, **options):
        self.cluster = ValkeyCluster(directory / "cluster", replicas=True)
        super().__init__(directory, settings=settings, **options)
        self.events.close()
        self.events = PatientReader(self.cluster.url)

    def __enter__(self):
        self.cluster.start()
        return super().__enter__()

    def end(self):
        super().end()
        self.cluster.end()

    def _program(self, name, arguments, **more):
        program = super()._program(name, arguments, **more)
        program.environment["PAYORCH_REDIS_URL"] = self.cluster.url
        program.environment["PAYORCH_BROKER_URL"] = self.valkey.url
        return program


@pytest.fixture
def stack(own_stack):
    return own_stack(ClusterStack, workers=2, settings=SOON)


def intents(prefix, count):
    return [make(intent_id=f"{prefix}-{make.__name__}-{n}") for make in FLOWS for n in range(count)]


@pytest.mark.parametrize("end", ["kill", "pause"])
def test_a_master_that_is_gone_makes_no_payment_twice_and_loses_none(stack, end):
    before = stack.submit(*intents("before", 4))
    stack.wait_status(before, "requires_action")
    ready = httpx.get(f"{stack.web_url}/readyz").json()
    assert ready["durability"].endswith("; a replica follows (the weakest of 3 masters)")

    getattr(stack.cluster.masters[0], end)()
    meanwhile = stack.submit(*intents("meanwhile", 4))
    stack.succeed([*before, *meanwhile], within_s=60)

    stack.judge([*before, *meanwhile])
    wait_for(lambda: httpx.get(f"{stack.web_url}/readyz").status_code == 200)
    assert all(worker.is_running for worker in stack.workers)
