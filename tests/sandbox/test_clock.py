from __future__ import annotations

import asyncio

from sandbox.clock import Clock
from sandbox.schedule import Schedule


class Wall:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_the_sandbox_clock_runs_at_its_speed_and_keeps_what_has_passed():
    wall = Wall()
    clock = Clock(speed=60, monotonic=wall)
    wall.seconds += 2
    assert (clock.elapsed_s(), clock.wall_delay_s(180)) == (120, 1)
    clock.set_speed(1)
    wall.seconds += 5
    assert clock.elapsed_s() == 125


def test_the_sandbox_clock_is_never_pushed_back():
    clock = Clock(speed=0)
    clock.push_to(50)
    clock.push_to(10)
    assert (clock.elapsed_s(), clock.wall_delay_s(60), clock.wall_delay_s(50)) == (50, None, 0)


async def test_advancing_does_everything_that_falls_due_in_order():
    clock = Clock(speed=0)
    schedule, seen = Schedule(clock=clock), []

    async def ring() -> None:
        seen.append(clock.elapsed_s())
        if len(seen) < 4:
            schedule.after(10, ring)

    schedule.after(5, ring)
    await schedule.advance(30)
    assert (seen, clock.elapsed_s()) == ([5, 15, 25], 30)


async def test_a_job_that_fails_is_logged_and_the_next_one_runs(caplog):
    schedule, done = Schedule(clock=Clock(speed=0)), asyncio.Event()

    async def fail() -> None:
        raise ValueError("broken on purpose")

    async def succeed() -> None:
        done.set()

    schedule.after(0, fail)
    schedule.after(0, succeed)
    await schedule.advance(0)
    assert done.is_set()
    assert "broken on purpose" in caplog.text


async def test_a_new_speed_wakes_the_schedule():
    clock = Clock(speed=0)
    schedule, done = Schedule(clock=clock), asyncio.Event()

    async def succeed() -> None:
        done.set()

    schedule.after(3600, succeed)
    runner = asyncio.create_task(schedule.run())
    clock.set_speed(1_000_000)
    schedule.ring()
    async with asyncio.timeout(5):
        await done.wait()
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)
