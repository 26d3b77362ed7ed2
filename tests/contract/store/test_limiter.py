"""One contract for the limiter in Redis and its twin; a minute between two calls, so that real time is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.memory_limiter import MemoryLimiter
from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_limiter import RedisLimiter
from orchestrator.ports import CallClass
from tests.contract.store.worlds import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MINUTE_MS = 60_000
BURST = 10
RATE: Any = {"rate_per_s": 1 / 60, "burst": BURST}


class MemoryLimits:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.limiter = MemoryLimiter(clock=self.clock, **RATE)

    async def advance(self, ms: int) -> None:
        self.clock.advance(ms)

    async def close(self) -> None:
        await self.limiter.close()


class RedisLimits:
    """Time passes by moving the stored times back, and the end of a pause nearer."""

    def __init__(self, url: str) -> None:
        self.limiter = RedisLimiter(connect(url), **RATE)
        self._inspector: Any = connect(url)

    async def advance(self, ms: int) -> None:
        for name in await self._inspector.keys("payorch:{limit:*"):
            remaining_ms = await self._inspector.pttl(name) - ms
            if not name.endswith(b":pause"):
                await self._inspector.decrby(name, 1000 * ms)
            await self._inspector.pexpire(name, remaining_ms)

    async def close(self) -> None:
        await self.limiter.close()
        await self._inspector.aclose()


@pytest.fixture(params=["memory", "redis"])
async def limits(request) -> AsyncIterator[MemoryLimits | RedisLimits]:
    limits = MemoryLimits() if request.param == "memory" else RedisLimits(request.getfixturevalue("redis_url"))
    yield limits
    await limits.close()


async def granted(limits, call_class=CallClass.ACT, *, merchant="default"):
    """How many calls may be made at once before the first refusal."""
    for count in range(BURST + 1):
        if await limits.limiter.permit(merchant, call_class):
            return count
    return BURST + 1


async def test_a_burst_is_granted_at_once_and_no_more(limits):
    assert await granted(limits) == BURST


async def test_after_the_burst_one_call_an_interval_is_granted(limits):
    await granted(limits)
    for _ in range(3):
        await limits.advance(MINUTE_MS)
        assert await granted(limits) == 1


async def test_a_refusal_says_how_long_to_wait_and_then_the_call_is_granted(limits):
    await granted(limits)
    await limits.advance(MINUTE_MS // 3)
    wait_ms = await limits.limiter.permit("default", CallClass.ACT)
    assert wait_ms == pytest.approx(MINUTE_MS * 2 / 3, abs=2000)
    await limits.advance(wait_ms)
    assert await limits.limiter.permit("default", CallClass.ACT) == 0


async def test_an_idle_hour_saves_up_one_burst_only(limits):
    await granted(limits)
    await limits.advance(60 * MINUTE_MS)
    assert await granted(limits) == BURST


async def test_confirming_reads_leave_a_part_of_the_burst_to_calls_that_act(limits):
    assert await granted(limits, CallClass.CONFIRM) == 8
    assert await granted(limits, CallClass.ACT) == 2


async def test_looks_leave_more_of_the_burst_to_the_others(limits):
    await limits.limiter.permit("default", CallClass.LOOK)
    assert await granted(limits, CallClass.LOOK) == 5
    assert await granted(limits, CallClass.CONFIRM) == 2
    assert await granted(limits, CallClass.ACT) == 2


async def test_looks_keep_a_fifth_of_the_rate_however_much_the_others_ask(limits):
    await limits.limiter.permit("default", CallClass.LOOK)
    looks = 0
    for _ in range(20):
        await granted(limits, CallClass.ACT)
        await limits.advance(MINUTE_MS)
        looks += await limits.limiter.permit("default", CallClass.LOOK) == 0
    assert looks == 4


async def test_merchants_have_a_limit_each(limits):
    assert await granted(limits, merchant="one") == BURST
    assert await granted(limits, merchant="other") == BURST


async def test_a_paused_merchant_is_refused_until_the_pause_ends_by_itself(limits):
    await limits.limiter.pause("default", for_ms=MINUTE_MS, reason="401")
    assert await limits.limiter.permit("default", CallClass.ACT) == pytest.approx(MINUTE_MS, abs=2000)
    assert await limits.limiter.permit("other", CallClass.ACT) == 0
    assert await limits.limiter.paused() == {"default": "401"}
    await limits.advance(MINUTE_MS)
    assert await limits.limiter.permit("default", CallClass.ACT) == 0
    assert await limits.limiter.paused() == {}


async def test_a_short_pause_does_not_end_a_longer_one(limits):
    await limits.limiter.pause("default", for_ms=10 * MINUTE_MS, reason="operator")
    await limits.limiter.pause("default", for_ms=1000, reason="429")
    assert await limits.limiter.paused() == {"default": "operator"}
    assert await limits.limiter.permit("default", CallClass.LOOK) > MINUTE_MS


async def test_a_longer_pause_replaces_a_short_one(limits):
    await limits.limiter.pause("default", for_ms=1000, reason="429")
    await limits.limiter.pause("default", for_ms=10 * MINUTE_MS, reason="401")
    assert await limits.limiter.paused() == {"default": "401"}
    assert await limits.limiter.permit("default", CallClass.ACT) > MINUTE_MS


async def test_a_pause_of_nothing_resumes_the_merchant(limits):
    await limits.limiter.pause("default", for_ms=MINUTE_MS, reason="operator")
    await limits.limiter.pause("default", for_ms=0, reason="operator")
    assert await limits.limiter.permit("default", CallClass.ACT) == 0
    assert await limits.limiter.paused() == {}


@pytest.mark.parametrize("burst", [1, 2])
def test_every_class_may_make_a_call_however_small_the_burst(burst):
    rate = CallRate(rate_per_s=5, burst=burst)
    assert {rate.share(call_class) >= 1 for call_class in CallClass} == {True}
