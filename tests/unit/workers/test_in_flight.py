"""How a worker takes claims: one turn of a payment at a time, no claim is dropped, and one can be run by itself."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.identity import PaymentKey
from orchestrator.ports import Record
from workers.in_flight import InFlight

SOON_S = 0.01
LONG_S = 10.0


def record(version=1, intent_id="ord-1"):
    return Record(
        key=PaymentKey(merchant="default", intent_id=intent_id),
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


class Turns:
    """Turns that last until they may end."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.may_end = asyncio.Event()
        self.in_flight = InFlight(self.turn)

    async def turn(self, taken: Record) -> None:
        self.begun.append((taken.key.intent_id, taken.version))
        await self.may_end.wait()


@pytest.fixture
def turns() -> Turns:
    return Turns()


async def test_a_claim_that_overtakes_the_end_of_the_turn_before_gets_its_own_turn(turns):
    turns.in_flight.take(record(1))
    await asyncio.sleep(0)
    turns.in_flight.take(record(2))
    assert (turns.begun, len(turns.in_flight)) == ([("ord-1", 1)], 1)
    turns.may_end.set()
    assert await turns.in_flight.idle(within_s=LONG_S)
    assert turns.begun == [("ord-1", 1), ("ord-1", 2)]


async def test_what_is_taken_while_one_runs_alone_waits_with_its_claim_renewed(turns):
    turns.in_flight.hold()
    alone = asyncio.create_task(turns.in_flight.alone(record(1, "suspect"), within_s=LONG_S))
    await asyncio.sleep(0)
    turns.in_flight.take(record(1, "other"))
    await asyncio.sleep(0)
    assert turns.begun == [("suspect", 1)]
    assert {key.intent_id for key in turns.in_flight.keys} == {"suspect", "other"}
    turns.may_end.set()
    assert await alone
    assert turns.begun == [("suspect", 1)]
    turns.in_flight.let_go()
    assert await turns.in_flight.idle(within_s=LONG_S)
    assert turns.begun == [("suspect", 1), ("other", 1)]


async def test_one_that_takes_long_alone_goes_on_among_the_others(turns):
    turns.in_flight.hold()
    assert not await turns.in_flight.alone(record(1, "suspect"), within_s=SOON_S)
    turns.in_flight.let_go()
    turns.in_flight.take(record(1, "other"))
    await asyncio.sleep(0)
    assert [intent_id for intent_id, _ in turns.begun] == ["suspect", "other"]
    assert not await turns.in_flight.idle(within_s=SOON_S)


async def test_idle_waits_for_turns_that_are_taken_meanwhile_too(turns):
    turns.in_flight.take(record(1, "one"))
    idle = asyncio.create_task(turns.in_flight.idle(within_s=LONG_S))
    await asyncio.sleep(0)
    turns.in_flight.take(record(1, "two"))
    turns.may_end.set()
    assert await idle
    assert len(turns.in_flight) == 0


async def test_a_cut_ends_all_turns_and_tells_whose_claims_are_left(turns):
    turns.in_flight.take(record(1, "at-work"))
    turns.in_flight.hold()
    turns.in_flight.take(record(1, "held"))
    await asyncio.sleep(0)
    left = await turns.in_flight.cut()
    assert {key.intent_id for key in left} == {"at-work", "held"}
    assert len(turns.in_flight) == 0
