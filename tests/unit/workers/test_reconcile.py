"""How a worker takes claims: one turn of a payment at a time, and no claim is dropped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from orchestrator.identity import PaymentKey
from orchestrator.ports import Record
from workers import reconcile
from workers.reconcile import Reconciler

if TYPE_CHECKING:
    from orchestrator.engine import Engine


def record(version):
    return Record(
        key=PaymentKey(merchant="default", intent_id="ord-1"),
        version=version,
        sequence=1,
        observed=0,
        observations=(),
        claims=0,
        fingerprint="f",
        body=b"",
        owner="w1",
        owned_until_ms=1,
    )


async def test_a_claim_that_overtakes_the_end_of_the_turn_before_gets_its_own_turn(monkeypatch):
    turns, may_end = [], asyncio.Event()

    async def advance(taken, *, engine):
        del engine
        turns.append(taken.version)
        await may_end.wait()

    monkeypatch.setattr(reconcile, "advance", advance)
    reconciler = Reconciler(cast("Engine", None), concurrency=10)  # advance() is replaced, nothing uses it
    reconciler.take(record(1))
    await asyncio.sleep(0)
    reconciler.take(record(2))
    assert (turns, reconciler.free) == ([1], 9)
    may_end.set()
    while reconciler.free < 10:
        await asyncio.sleep(0)
    assert turns == [1, 2]


async def test_a_turn_that_fails_does_not_cost_the_next_one(monkeypatch):
    turns = []

    async def advance(taken, *, engine):
        del engine
        turns.append(taken.version)
        raise RuntimeError("poison")

    monkeypatch.setattr(reconcile, "advance", advance)
    reconciler = Reconciler(cast("Engine", None), concurrency=10)  # advance() is replaced, nothing uses it
    reconciler.take(record(1))
    reconciler.take(record(2))
    while reconciler.free < 10:
        await asyncio.sleep(0)
    assert turns == [1, 2]
    assert reconciler.figures()["failed"] == 2
