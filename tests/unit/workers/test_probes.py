"""Probes while a breaker is open, and claims while a merchant is on a ration, by a worker's own parts."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.memory_limiter import MemoryLimiter
from orchestrator.breaker import OPENS_AT, PROBE_FIRST_MS
from orchestrator.ports import CallClass
from tests.unit.core.building import payin_body, payin_intent
from tests.unit.engine.world import EMPTY_LIST, UNSENT, World, said
from workers import reconcile
from workers.probes import Probes
from workers.reconcile import Reconciler

LONG_S = 20.0


class Away:
    """A provider that is away, and one merchant's breaker that is open."""

    def __init__(self) -> None:
        self.world = World()
        self.limiter = MemoryLimiter(clock=self.world.clock, rate_of=lambda _: CallRate(rate_per_s=100, burst=100))
        self.engine = replace(self.world.engines["w1"], limiter=self.limiter)
        self.world.engines["w1"] = self.engine
        self.world.provider.latency_ms = 0

    async def open(self):
        for _ in range(OPENS_AT):
            await self.limiter.outcome("default", is_alive=False)
        await self.limiter.permit("default", CallClass.ACT)
        self.world.clock.ms += PROBE_FIRST_MS


@pytest.fixture
async def away():
    away = Away()
    await away.open()
    return away


async def until(found):
    async with asyncio.timeout(LONG_S):
        while not found():
            await asyncio.sleep(0.001)


async def test_one_probe_at_a_time_is_a_read_and_its_answer_closes_the_breaker(away):
    answered = asyncio.Event()

    async def answer(_):
        await answered.wait()
        return EMPTY_LIST

    away.world.provider.script("list", answer)
    probes = Probes(away.engine)
    for _ in range(3):
        probes.begin()
        await asyncio.sleep(0)
    await until(lambda: away.world.provider.requests)
    assert [(request.operation, request.method) for _, request in away.world.provider.requests] == [("probe", "GET")]
    answered.set()
    await until(lambda: not probes._under_way)
    assert away.world.ledger.said("merchant.breaker_closed") == 1


async def test_a_probe_without_an_answer_is_tried_again_when_the_breaker_lets_it(away):
    away.world.provider.script("list", UNSENT, EMPTY_LIST)
    probes = Probes(away.engine)
    for expected in (1, 1, 2):
        probes.begin()
        await until(lambda: not probes._under_way)
        assert away.world.provider.calls["list"] == expected
        away.world.clock.ms += PROBE_FIRST_MS // 2
    assert away.world.ledger.said("merchant.breaker_closed") == 1


async def test_a_probe_that_fails_by_a_defect_stops_no_other(away):
    def defect(_):
        raise RuntimeError("defect")

    away.world.provider.script("list", defect, EMPTY_LIST)
    probes = Probes(away.engine)
    probes.begin()
    await until(lambda: not probes._under_way)
    away.world.clock.ms += PROBE_FIRST_MS
    probes.begin()
    await until(lambda: away.world.ledger.said("merchant.breaker_closed"))


async def test_a_stop_cuts_a_probe_off(away):
    away.world.provider.script("list", lambda _: asyncio.Event().wait())
    probes = Probes(away.engine)
    probes.begin()
    await until(lambda: away.world.provider.requests)
    await probes.stop()
    assert not probes._under_way


async def test_a_worker_probes_by_itself_sends_nothing_meanwhile_and_goes_on_afterwards(away, monkeypatch):
    monkeypatch.setattr(reconcile, "QUIET_S", 0.0)
    monkeypatch.setattr(reconcile, "TICK_S", 0.01)
    world = away.world
    world.provider.script("list", UNSENT)
    world.provider.script(
        "create", lambda request: said(payin_body("pending", external_id=request.body["external_id"]))
    )
    for number in range(20):
        await world.deliver(payin_intent(intent_id=f"p-{number}"))
    worker = Reconciler(away.engine, concurrency=10)
    await worker.start()
    for _ in range(10):
        asked = world.provider.calls["list"]
        world.clock.ms += 3 * PROBE_FIRST_MS
        await until(lambda asked=asked: world.provider.calls["list"] > asked)
    assert world.provider.calls["create"] == 0

    world.provider.script("list", EMPTY_LIST)

    async with asyncio.timeout(LONG_S):
        while world.provider.calls["create"] < 20:
            world.clock.ms += 500
            await asyncio.sleep(0.005)
    worker.hurry()
    await worker.stop(LONG_S)
    assert world.provider.calls["create"] == 20
