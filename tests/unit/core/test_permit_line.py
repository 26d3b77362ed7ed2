"""Who waits for a permit in one process: asked for together, served in order, put off one after the other."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.adapters.permit_line import PermitLine
from orchestrator.adapters.permits import NONE, Ask, Grant, Standing
from orchestrator.errors import StoreUnavailableError

ACT, CONFIRM, LOOK = range(3)
EVERYTHING = object()


class Shared:
    """The shared limit: answers from a script; the last line is repeated."""

    def __init__(self, *lines) -> None:
        self.asked: list[Ask] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.now_s = 1000.0
        self._lines = [*lines]

    async def __call__(self, ask):
        self.asked.append(ask)
        await self.may_answer.wait()
        line = self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]
        if isinstance(line, Exception):
            raise line
        return Grant(given=ask.wanted, wait_ms=NONE) if line is EVERYTHING else line


def line_of(shared, *, interval_s=1.0):
    return PermitLine("default", holder="w1", ask=shared, interval_s=lambda: interval_s, now_s=lambda: shared.now_s)


def refused(wait_ms, *, given=NONE, standing=Standing.OPEN):
    return Grant(given=given, wait_ms=(wait_ms,) * 3, standing=standing)


async def test_all_who_wait_are_asked_for_at_once_by_class():
    shared = Shared(EVERYTHING)
    line = line_of(shared)
    assert await asyncio.gather(*(line.permit(each) for each in (ACT, LOOK, ACT, CONFIRM))) == [0] * 4
    assert [ask.wanted for ask in shared.asked] == [(2, 1, 1)]
    await line.close()


async def test_who_comes_while_redis_is_asked_is_asked_for_next():
    shared = Shared(EVERYTHING)
    line = line_of(shared)
    shared.may_answer.clear()
    first = asyncio.create_task(line.permit(ACT))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.create_task(line.permit(ACT))
    await asyncio.sleep(0)
    shared.may_answer.set()
    assert [*await asyncio.gather(first, second)] == [0, 0]
    assert [ask.wanted[ACT] for ask in shared.asked] == [1, 1]
    assert [ask.on_wire for ask in shared.asked] == [0, 1]
    await line.close()


async def test_what_was_given_ahead_is_used_within_the_block_and_void_after_it():
    shared = Shared(Grant(given=(3, 0, 0), wait_ms=NONE), EVERYTHING)
    line = line_of(shared)
    assert [await line.permit(ACT), await line.permit(ACT)] == [0, 0]
    assert len(shared.asked) == 1
    shared.now_s += 0.2
    await line.permit(ACT)
    assert len(shared.asked) == 2
    await line.close()


async def test_nothing_of_a_block_is_used_once_it_is_void():
    shared = Shared(Grant(given=(3, 0, 0), wait_ms=NONE), refused(5000))
    line = line_of(shared)
    assert await line.permit(ACT) == 0
    line.void()
    assert await line.permit(ACT) == 5000
    await line.close()


async def test_those_who_are_refused_are_put_off_an_interval_apart_and_not_asked_for_again_at_once():
    shared = Shared(refused(5000, given=(1, 0, 0)))
    line = line_of(shared)
    assert await asyncio.gather(*(line.permit(ACT) for _ in range(4))) == [0, 5000, 6000, 7000]
    assert await line.permit(ACT) == 8000
    assert len(shared.asked) == 1
    await line.close()


async def test_a_refusal_of_one_class_does_not_hold_up_another():
    shared = Shared(Grant(given=NONE, wait_ms=(0, 0, 5000)), EVERYTHING)
    line = line_of(shared)
    assert await line.permit(LOOK) == 5000
    assert await line.permit(ACT) == 0
    await line.close()


async def test_a_pause_that_may_be_ended_early_puts_nobody_off_for_long():
    line = line_of(Shared(refused(3_600_000, standing=Standing.PAUSED)))
    assert await line.permit(ACT) == 15_000
    await line.close()


async def test_nobody_is_put_off_for_more_than_a_minute_however_many_there_are():
    line = line_of(Shared(refused(5000)))
    waits = await asyncio.gather(*(line.permit(ACT) for _ in range(200)))
    assert max(waits) == 60_000
    await line.close()


async def test_redis_away_is_told_to_all_who_wait_and_asked_again_by_the_next():
    line = line_of(Shared(StoreUnavailableError("away"), EVERYTHING))
    said = await asyncio.gather(*(line.permit(ACT) for _ in range(3)), return_exceptions=True)
    assert {type(each) for each in said} == {StoreUnavailableError}
    assert await line.permit(ACT) == 0
    await line.close()


async def test_a_defect_of_the_answer_leaves_nobody_waiting_for_ever():
    line = line_of(Shared(Grant(given=(1, 0), wait_ms=NONE)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="zip"):
        await line.permit(LOOK)
    await line.close()


async def test_the_permit_of_a_caller_that_is_gone_is_the_next_ones():
    shared = Shared(EVERYTHING)
    line = line_of(shared)
    shared.may_answer.clear()
    gone = asyncio.create_task(line.permit(ACT))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    shared.may_answer.set()
    assert await line.permit(ACT) == 0
    assert shared.asked[-1].on_wire == 0
    await line.close()


async def test_a_caller_cancelled_with_its_permit_in_hand_gives_its_slot_back():
    shared = Shared(EVERYTHING)
    line = line_of(shared)
    shared.may_answer.clear()
    gone = asyncio.create_task(line.permit(ACT))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    shared.may_answer.set()
    while not any(queue.left or not queue.waiters for queue in line._queues[:1]):
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    assert gone.cancelled()
    assert line._on_wire == 0
    await line.close()


async def test_calls_that_ended_are_told_of_though_nobody_asks_for_more():
    shared = Shared(EVERYTHING)
    line = line_of(shared)
    await line.permit(ACT)
    line.ended()
    async with asyncio.timeout(20):
        while len(shared.asked) < 2:
            await asyncio.sleep(0.01)
    assert (shared.asked[1].wanted, shared.asked[1].on_wire) == (NONE, 0)
    await line.close()
