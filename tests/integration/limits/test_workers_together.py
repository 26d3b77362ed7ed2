"""I10: several workers on one Redis never make more calls than the merchant's limit allows, whatever they ask for."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.permits import BLOCK_MS
from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_limiter import RedisLimiter
from orchestrator.ports import CallClass

WORKERS = 4
LASTS_S = 3.0
RATE = CallRate(rate_per_s=100, burst=20)
SLACK_S = BLOCK_MS / 1000  # a permit may be used so long after it was given


@pytest.fixture
async def workers(redis_url):
    limiters = [RedisLimiter(connect(redis_url), rate_of=lambda _: RATE) for _ in range(WORKERS)]
    yield limiters
    await asyncio.gather(*(limiter.close() for limiter in limiters))


class Calls:
    """When calls were made, by class, and how many are on the wire."""

    def __init__(self) -> None:
        self.at_s: list[float] = []
        self.by_class: dict[CallClass, int] = dict.fromkeys(CallClass, 0)
        self.most_on_wire = 0
        self._on_wire = 0

    async def make(self, limiter, call_class, *, lasts_s=0.001):
        wait_ms = await limiter.permit("default", call_class)
        if wait_ms:
            await asyncio.sleep(wait_ms / 1000)
            return
        self.at_s.append(time.monotonic())
        self.by_class[call_class] += 1
        self._on_wire += 1
        self.most_on_wire = max(self.most_on_wire, self._on_wire)
        await asyncio.sleep(lasts_s)
        self._on_wire -= 1
        limiter.ended("default")

    async def keep_making(self, limiter, call_class, *, until_s, lasts_s=0.001):
        while time.monotonic() < until_s:
            await self.make(limiter, call_class, lasts_s=lasts_s)


async def hammered(workers, classes, *, callers=10, lasts_s=0.001):
    calls, until_s = Calls(), time.monotonic() + LASTS_S
    await asyncio.gather(
        *(
            calls.keep_making(limiter, call_class, until_s=until_s, lasts_s=lasts_s)
            for limiter in workers
            for call_class in classes
            for _ in range(callers)
        )
    )
    return calls


def most_beyond(at_s, rate):
    """By how many calls any period holds more than the burst and its rate allow."""
    starts = [(second, first) for first, second in enumerate(at_s)]
    return max(
        (last - first + 1) - (rate.burst + rate.rate_per_s * (at_s[last] - start_s + SLACK_S))
        for (start_s, first), last in itertools.product(starts[::5], range(0, len(at_s), 5))
        if last >= first
    )


async def test_i10_no_period_holds_more_calls_than_burst_and_rate_allow(workers):
    calls = await hammered(workers, CallClass)
    assert most_beyond(calls.at_s, RATE) <= 0
    # The limit is used, too: a slow machine may miss some of it.
    assert len(calls.at_s) >= RATE.rate_per_s * LASTS_S / 4


async def test_a_looks_fifth_is_kept_and_acts_come_first_when_all_compete(workers):
    calls = await hammered(workers, CallClass)
    made = calls.by_class
    assert made[CallClass.ACT] > made[CallClass.CONFIRM]
    assert made[CallClass.LOOK] >= len(calls.at_s) / 10  # a slow machine asks less often than once a block


async def test_no_more_calls_are_on_the_wire_than_all_workers_may_have(redis_url):
    narrow = CallRate(rate_per_s=1000, burst=100, max_concurrency=5)
    workers = [RedisLimiter(connect(redis_url), rate_of=lambda _: narrow) for _ in range(WORKERS)]
    calls = await hammered(workers, [CallClass.ACT], callers=5, lasts_s=0.05)
    await asyncio.gather(*(limiter.close() for limiter in workers))
    assert calls.most_on_wire <= 5
    assert len(calls.at_s) > 20


async def test_i9_a_pause_of_one_worker_is_one_of_all(workers):
    await asyncio.gather(*(limiter.permit("default", CallClass.ACT) for limiter in workers))
    await workers[0].pause("default", for_ms=60_000, reason="rate_limited")
    await asyncio.sleep(2 * SLACK_S)
    waits = await asyncio.gather(*(limiter.permit("default", CallClass.ACT) for limiter in workers))
    assert min(waits) > 1000


async def looked_s(limiter):
    """When a look was permitted; None where it was not."""
    wait_ms = await limiter.permit("default", CallClass.LOOK)
    return None if wait_ms else time.monotonic()


async def test_a_breaker_that_one_worker_opens_is_open_for_all_and_one_probe_is_let_through(workers):
    for _ in range(5):
        await workers[0].outcome("default", is_alive=False)
    acts = await asyncio.gather(*(limiter.permit("default", CallClass.ACT) for limiter in workers))
    assert min(acts) > 0
    await asyncio.sleep(1.2)
    given_s = sorted(filter(None, await asyncio.gather(*(looked_s(limiter) for limiter in workers))))
    # Whoever comes a little later than the first may wait for the next probe, a second on.
    assert given_s
    assert all(later_s - earlier_s > 0.5 for earlier_s, later_s in itertools.pairwise(given_s))
    await workers[3].outcome("default", is_alive=True)
    await asyncio.sleep(1.2)
    assert 0 in await asyncio.gather(*(limiter.permit("default", CallClass.ACT) for limiter in workers))


async def test_steady_calls_ask_redis_about_once_a_block(redis_url):
    limiter = RedisLimiter(connect(redis_url), rate_of=lambda _: CallRate(rate_per_s=2000, burst=2000))
    began_s, made = time.monotonic(), 0
    while time.monotonic() < began_s + 2:
        made += not await limiter.permit("default", CallClass.ACT)
        limiter.ended("default")
        await asyncio.sleep(0.004)
    blocks = (time.monotonic() - began_s) / SLACK_S
    asks = limiter._lines["default"].asks
    await limiter.close()
    assert made > 50
    assert asks <= max(3 * blocks, made / 2) + 5, f"{asks} for {made} calls"


async def test_many_who_are_refused_are_put_off_one_after_the_other(redis_url):
    limiter = RedisLimiter(connect(redis_url), rate_of=lambda _: CallRate(rate_per_s=2, burst=1))
    waits = await asyncio.gather(*(limiter.permit("default", CallClass.ACT) for _ in range(40)))
    await limiter.close()
    refused = sorted(wait_ms for wait_ms in waits if wait_ms)
    assert 35 <= len(refused) <= 39
    gaps = [later - earlier for earlier, later in itertools.pairwise(refused)]
    assert all(gap == pytest.approx(500, abs=100) for gap in gaps)
