"""A worker's reconciler on the store's twin: what it claims, what it runs alone, and how it stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from orchestrator.advance import advance
from orchestrator.identity import PaymentKey
from orchestrator.ports import ALONE_AT_CLAIMS
from tests.unit.core.building import card_body, card_intent
from tests.unit.engine.world import World, said
from workers import reconcile, suspects
from workers.reconcile import Reconciler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LEASE_MS = 10_000
LONG_S = 10.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(reconcile, "QUIET_S", 0.0)
    monkeypatch.setattr(reconcile, "TICK_S", 0.01)
    monkeypatch.setattr(suspects, "EVERY_S", 0.01)


class Wire:
    """The provider's end: calls arrive, and are answered when they may be."""

    def __init__(self, world: World) -> None:
        self.arrived: list[str] = []
        self.together: list[set[str]] = []  # who was on the wire at each arrival
        self._waiting: dict[str, asyncio.Event] = {}
        world.provider.script("create", self._answer)

    def answer(self, *intent_ids: str) -> None:
        """Let these calls be answered."""
        for intent_id in intent_ids:
            self._waiting[intent_id].set()

    async def _answer(self, request):
        intent_id = request.body["external_id"]
        self.arrived.append(intent_id)
        self._waiting[intent_id] = asyncio.Event()
        self.together.append(set(self._waiting))
        await self._waiting[intent_id].wait()
        del self._waiting[intent_id]
        return said(card_body("pending", external_id=intent_id, uuid=f"U-{intent_id}"))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def wire(world) -> Wire:
    return Wire(world)


@pytest.fixture
async def worker(world) -> AsyncIterator[Reconciler]:
    worker = Reconciler(world.engines["w1"], concurrency=10)
    yield worker
    worker.hurry()
    await worker.stop(LONG_S)


def key(name):
    return PaymentKey(merchant="default", intent_id=name)


def owner(world, name):
    return world.store._payments[key(name)].owner


async def deliver(world, *names):
    for name in names:
        await world.deliver(card_intent(intent_id=name))


async def suspected(world, *names):
    """Payments that were in the hands of five workers that died."""
    await deliver(world, *names)
    for _ in range(ALONE_AT_CLAIMS):
        for name in names:
            await world.store.claim_one(key(name), owner="dead", lease_ms=LEASE_MS)
        world.clock.ms += LEASE_MS


async def until(condition, what=""):
    async with asyncio.timeout(LONG_S):
        while not condition():
            await asyncio.sleep(0.001)


async def test_no_more_payments_are_in_flight_than_the_worker_may_have_however_many_shards_are_due(world, wire, worker):
    await deliver(world, *(f"ord-{number}" for number in range(60)))
    await worker.start()
    await until(lambda: len(wire.arrived) == 10)
    for _ in range(50):
        first = next(iter(wire._waiting))
        wire.answer(first)
        await until(lambda gone=first: gone not in wire._waiting and len(wire._waiting) == 10)
    assert max(len(each) for each in wire.together) == 10


async def test_a_stop_lets_calls_on_the_wire_end_and_hands_everything_else_over_at_once(world, wire, worker):
    names = [f"ord-{number}" for number in range(20)]
    await deliver(world, *names)
    await worker.start()
    await until(lambda: len(wire.arrived) == 10)
    worker.begin_stop()
    stop = asyncio.create_task(worker.stop(LONG_S))
    wire.answer(*wire.arrived)
    assert await stop
    assert len(wire.arrived) == 10
    assert {owner(world, name) for name in names} == {None}
    assert {len(world.story(key(name))) for name in wire.arrived} == {2}  # the replies were committed
    assert all(world.store.due(key(name)) <= world.clock.ms for name in set(names) - set(wire.arrived))


async def test_a_stop_that_takes_too_long_or_is_cut_short_hands_the_calls_over_in_doubt(world, wire, worker):
    await deliver(world, "ord-1")
    await worker.start()
    await until(lambda: wire.arrived)
    stop = asyncio.create_task(worker.stop(LONG_S))
    await asyncio.sleep(0)
    worker.hurry()
    assert not await stop
    assert owner(world, "ord-1") is None
    assert await world.turn(worker="w2") == 1
    assert world.story(key("ord-1")) == ["accepted", "in_doubt"]


async def test_what_a_claim_under_way_brings_after_the_stop_began_is_handed_over_too(world, wire, worker, monkeypatch):
    answers, claim = asyncio.Event(), world.store.claim

    async def slow_claim(*args, **kwargs):
        records = await claim(*args, **kwargs)
        await answers.wait()
        return records

    await deliver(world, "ord-1")
    monkeypatch.setattr(world.store, "claim", slow_claim)
    worker = Reconciler(world.engines["w1"], concurrency=100)
    await worker.start()
    await until(lambda: owner(world, "ord-1") == "w1")
    stop = asyncio.create_task(worker.stop(LONG_S))
    await asyncio.sleep(0)
    answers.set()
    assert await stop
    assert (owner(world, "ord-1"), wire.arrived) == (None, [])


async def test_suspects_are_run_one_by_one_while_nothing_else_is_in_flight_and_nothing_is_claimed(world, wire, worker):
    await suspected(world, "suspect-1", "suspect-2")
    await deliver(world, "early")
    await worker.start()
    await until(lambda: wire.arrived == ["early"])
    await until(lambda: worker._suspects.keeps_quiet)  # it waits for the call on the wire to end
    await deliver(world, "late")
    wire.answer("early")
    for calls in (2, 3, 4):
        await until(lambda calls=calls: len(wire.arrived) == calls)
        wire.answer(wire.arrived[-1])
    assert set(wire.arrived[1:]) == {"suspect-1", "suspect-2", "late"}
    assert all(len(each) == 1 for each in wire.together)
    await until(lambda: worker.figures()["in_flight"] == 0)
    assert worker.figures()["tried_alone"] == 2
    assert {world.store._payments[key(name)].claims for name in ("suspect-1", "suspect-2")} == {0}


async def test_a_suspect_that_takes_long_is_alone_no_more_and_the_others_go_on(world, wire, worker, monkeypatch):
    monkeypatch.setattr(suspects, "TURN_S", 0.05)
    await suspected(world, "suspect")
    await worker.start()
    await until(lambda: wire.arrived == ["suspect"])
    await deliver(world, "late")
    assert world.store._payments[key("suspect")].alone
    await until(lambda: wire.arrived == ["suspect", "late"])
    assert not world.store._payments[key("suspect")].alone
    wire.answer("suspect", "late")


async def test_a_worker_that_is_never_idle_goes_on_and_is_more_patient_the_next_time(world, wire, worker, monkeypatch):
    monkeypatch.setattr(suspects, "PATIENCE_FIRST_S", 0.02)
    worker = Reconciler(world.engines["w1"], concurrency=10)
    await suspected(world, "suspect")
    await deliver(world, "long")
    await worker.start()
    await until(lambda: wire.arrived == ["long"])
    await until(lambda: worker._suspects._patience_s > 0.04)
    await deliver(world, "late")
    await until(lambda: "late" in wire.arrived)
    assert "suspect" not in wire.arrived
    wire.answer("long", "late")
    await until(lambda: "suspect" in wire.arrived)
    wire.answer("suspect")
    assert await worker.stop(LONG_S)


async def test_a_turn_that_fails_puts_its_payment_aside_and_costs_no_other(world, wire, worker, monkeypatch):
    async def failing(record, **kwargs):
        if record.key.intent_id == "poison":
            raise RuntimeError("a defect")
        await advance(record, **kwargs)

    monkeypatch.setattr(reconcile, "advance", failing)
    await deliver(world, "poison", "ord-1")
    await worker.start()
    await until(lambda: wire.arrived == ["ord-1"])
    await until(lambda: worker.figures()["failed"] == 1 and owner(world, "poison") is None)
    assert world.store.due(key("poison")) > world.clock.ms
    wire.answer("ord-1")


async def test_a_part_that_fails_by_a_defect_goes_on(world, wire, worker, monkeypatch):
    claim = world.store.claim
    failures: list[int] = []

    async def failing(*args, **kwargs):
        if len(failures) < 3:
            failures.append(1)
            raise RuntimeError("a defect")
        return await claim(*args, **kwargs)

    monkeypatch.setattr(world.store, "claim", failing)
    await deliver(world, "ord-1")
    await worker.start()
    await until(lambda: wire.arrived == ["ord-1"])
    wire.answer("ord-1")


async def test_after_its_start_a_worker_lets_others_renew_what_they_hold(world, wire, worker, monkeypatch):
    monkeypatch.setattr(reconcile, "QUIET_S", 0.3)
    await deliver(world, "ord-1")
    began_s = asyncio.get_running_loop().time()
    await worker.start()
    await until(lambda: wire.arrived)
    assert asyncio.get_running_loop().time() - began_s >= 0.3
    wire.answer("ord-1")
