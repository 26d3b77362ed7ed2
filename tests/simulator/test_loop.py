"""Virtual time: the loop's order, its processes that are killed and frozen, and the looks that it leaves out."""

from __future__ import annotations

import asyncio
import gc
import math

import pytest

from tests.simulator.dice import Dice
from tests.simulator.loop import Idler, Life, VirtualLoop

BEGINS_S = 1000.0


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop(Dice(1), begins_s=BEGINS_S)


def run(loop, *, for_s=math.inf):
    loop.run(until_s=BEGINS_S + for_s, is_over=lambda: False)


async def note(told, what, *, after_s):
    await asyncio.sleep(after_s)
    told.append((what, asyncio.get_running_loop().time() - BEGINS_S))


def test_time_jumps_to_what_happens_next(loop):
    told: list[object] = []
    loop.start(Life("a"), note(told, "late", after_s=86_400))
    loop.start(Life("b"), note(told, "early", after_s=0.5))
    run(loop, for_s=90_000)
    assert told == [("early", 0.5), ("late", 86_400)]
    assert loop.time() == BEGINS_S + 90_000


def test_time_outs_events_and_gather_work(loop):
    told: list[object] = []

    async def wait():
        event = asyncio.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await event.wait()
        await asyncio.gather(note(told, "one", after_s=2), note(told, "two", after_s=1))

    loop.start(Life("a"), wait())
    run(loop, for_s=10)
    assert told == [("two", 4.0), ("one", 5.0)]


def test_nothing_runs_in_the_name_of_a_process_that_was_killed(loop):
    life = Life("a")
    told: list[object] = []

    async def work():
        try:
            await note(told, "done", after_s=2)
        finally:
            told.append("finally")
            await asyncio.sleep(0)
            told.append("never")

    loop.start(life, work())
    loop.after(1, loop.kill, life)
    run(loop, for_s=10)
    assert told == ["finally"]
    assert loop.failures == []


def test_nobody_misses_an_error_whose_taker_was_killed(loop):
    life = Life("a")

    async def fail():
        raise ValueError

    async def work():
        both = asyncio.gather(fail(), fail())
        both.add_done_callback(lambda _: loop.kill(life))
        await both

    loop.start(life, work())
    run(loop, for_s=10)
    gc.collect()
    assert life.is_dead
    assert loop.failures == []


def test_a_frozen_process_goes_on_later_with_all_that_came_meanwhile(loop):
    life = Life("a")
    told: list[object] = []
    for number in range(3):
        loop.start(life, note(told, number, after_s=number))
    loop.after(0.5, loop.freeze, life)
    loop.after(10, loop.thaw, life)
    run(loop, for_s=20)
    assert told == [(0, 0.0), (1, 10.0), (2, 10.0)]


def test_a_timer_that_is_cancelled_does_not_ring(loop):
    told: list[object] = []
    loop.call_later(1, told.append, "rung").cancel()
    run(loop, for_s=5)
    assert told == []


def looking(loop, idler, told):
    async def look():
        while True:
            await asyncio.sleep(idler.period_s)
            told.append(loop.time() - BEGINS_S)

    loop.idlers[loop.start(Life("a"), look())] = idler


def test_looks_that_would_find_nothing_are_left_out_until_there_is_something(loop):
    told: list[float] = []
    looking(loop, Idler(period_s=1.0, next_s=lambda: BEGINS_S + 100), told)
    run(loop, for_s=103)
    assert 100 <= told[0] <= 101
    assert len(told) <= 4


def test_a_look_that_was_left_out_is_made_as_soon_as_there_is_something_after_all(loop):
    told: list[float] = []
    next_s = [math.inf]
    idler = Idler(period_s=1.0, next_s=lambda: next_s[0])
    looking(loop, idler, told)

    def come() -> None:
        next_s[0] = -math.inf
        loop.pull_in(idler)

    loop.after(50, come)
    run(loop, for_s=52)
    assert 50 <= told[0] <= 51


def test_the_order_of_equal_times_is_the_dice_s_alone():
    def order(seed):
        told: list[int] = []
        loop = VirtualLoop(Dice(seed), begins_s=BEGINS_S)
        for number in range(10):
            loop.after(1, told.append, number)
        run(loop, for_s=2)
        return told

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(1)) == list(range(10))
