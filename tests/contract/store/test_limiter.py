"""One contract for the limiter in Redis and its twin; a minute between two calls, so that real time is nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.memory_limiter import MemoryLimiter
from orchestrator.adapters.permits import HELD_MS
from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_limiter import RedisLimiter
from orchestrator.breaker import FORGOTTEN_AFTER_MS, OPENS_AT, PROBE_FIRST_MS, PROBE_MAX_MS, RAMP_MS, Turn
from orchestrator.ports import CallClass
from tests.contract.store.worlds import ManualClock, stored_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MINUTE_MS = 60_000
BURST = 10
SLOTS = 3
RATE = CallRate(rate_per_s=1 / 60, burst=BURST)


RATES = {
    "narrow": CallRate(rate_per_s=1 / 60, burst=BURST, max_concurrency=SLOTS),
    "brisk": CallRate(rate_per_s=0.5, burst=1),
}


def rate_of(merchant):
    return RATES.get(merchant, RATE)


class MemoryLimits:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.limiter = MemoryLimiter(clock=self.clock, rate_of=rate_of)

    async def advance(self, ms: int) -> None:
        self.clock.advance(ms)

    async def close(self) -> None:
        await self.limiter.close()


class RedisLimits:
    """Time passes by moving the stored times back, and the end of a pause nearer."""

    def __init__(self, url: str) -> None:
        self._ahead_s = 0.0
        self.limiter = RedisLimiter(connect(url), rate_of=rate_of, now_s=lambda: time.monotonic() + self._ahead_s)
        self._inspector: Any = connect(url)

    async def advance(self, ms: int) -> None:
        self._ahead_s += ms / 1000
        for name in await stored_names(self._inspector, "payorch:{limit:*"):
            kind, remaining_ms = name.partition(b"}:")[2].partition(b":")[0], await self._inspector.pttl(name)
            if kind in {b"arrival", b"looks"}:
                await self._inspector.decrby(name, 1000 * ms)
            if kind == b"breaker":
                times = {b"opened", b"probe", b"closed", b"failed"} & {*await self._inspector.hkeys(name)}
                for field in times:
                    await self._inspector.hincrby(name, field, -ms)
            if kind == b"wire":
                for holder, slots in (await self._inspector.hgetall(name)).items():
                    count, until_ms = slots.split()
                    await self._inspector.hset(name, holder, f"{int(count)} {int(until_ms) - ms}")
            if remaining_ms >= 0:
                await self._inspector.pexpire(name, remaining_ms - ms)

    async def close(self) -> None:
        await self.limiter.close()
        await self._inspector.aclose()


@pytest.fixture(params=["memory", "redis_url", "cluster_url"])
async def limits(request) -> AsyncIterator[MemoryLimits | RedisLimits]:
    limits = MemoryLimits() if request.param == "memory" else RedisLimits(request.getfixturevalue(request.param))
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
    for _ in range(BURST):
        await limits.limiter.permit("default", CallClass.ACT)
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
    assert await limits.limiter.permit("default", CallClass.ACT) > 10_000
    assert await limits.limiter.permit("other", CallClass.ACT) == 0
    assert await limits.limiter.paused() == {"default": "401"}
    await limits.advance(MINUTE_MS)
    assert await limits.limiter.permit("default", CallClass.ACT) == 0
    assert await limits.limiter.paused() == {}


async def test_a_short_pause_does_not_end_a_longer_one(limits):
    await limits.limiter.pause("default", for_ms=10 * MINUTE_MS, reason="operator")
    await limits.limiter.pause("default", for_ms=1000, reason="429")
    assert await limits.limiter.paused() == {"default": "operator"}
    assert await limits.limiter.permit("default", CallClass.LOOK) > 10_000


async def test_a_longer_pause_replaces_a_short_one(limits):
    await limits.limiter.pause("default", for_ms=1000, reason="429")
    await limits.limiter.pause("default", for_ms=10 * MINUTE_MS, reason="401")
    assert await limits.limiter.paused() == {"default": "401"}
    assert await limits.limiter.permit("default", CallClass.ACT) > 10_000


async def test_a_pause_of_nothing_resumes_the_merchant(limits):
    await limits.limiter.pause("default", for_ms=MINUTE_MS, reason="operator")
    await limits.limiter.pause("default", for_ms=0, reason="operator")
    assert await limits.limiter.permit("default", CallClass.ACT) == 0
    assert await limits.limiter.paused() == {}


async def test_a_pause_of_a_merchant_is_for_all_its_accounts_and_one_of_an_account_for_no_other(limits):
    await limits.limiter.pause("default:JPY", for_ms=MINUTE_MS, reason="unauthorised")
    assert await limits.limiter.permit("default:JPY", CallClass.ACT) > 0
    assert await limits.limiter.permit("default", CallClass.ACT) == 0
    assert await limits.limiter.paused() == {"default:JPY": "unauthorised"}
    await limits.limiter.pause("shop", for_ms=MINUTE_MS, reason="operator")
    assert await limits.limiter.permit("shop:JPY", CallClass.LOOK) > 0


async def test_the_accounts_of_a_merchant_share_its_limit(limits):
    assert await granted(limits, merchant="default") == BURST
    assert await granted(limits, merchant="default:JPY") == 0


async def test_no_more_calls_are_on_the_wire_than_the_merchant_may_have(limits):
    assert await granted(limits, merchant="narrow") == SLOTS
    limits.limiter.ended("narrow")
    await limits.advance(2000)
    assert await granted(limits, merchant="narrow") == 1
    assert await granted(limits) == BURST


async def test_the_slots_of_a_worker_that_is_gone_are_free_after_longer_than_any_call_lasts(redis_url):
    gone, other = RedisLimits(redis_url), RedisLimits(redis_url)
    assert await granted(gone, merchant="narrow") == SLOTS
    assert await granted(other, merchant="narrow") == 0
    await other.advance(HELD_MS + 2000)
    assert await granted(other, merchant="narrow") == SLOTS
    await gone.close()
    await other.close()


async def fails(limits, count, *, account="default"):
    return [await limits.limiter.outcome(account, is_alive=False) for _ in range(count)]


async def test_failures_in_a_row_open_the_breaker_once(limits):
    await limits.limiter.permit("default", CallClass.ACT)
    assert await fails(limits, OPENS_AT + 2) == [None] * (OPENS_AT - 1) + [Turn.OPENED, None, None]
    assert await limits.limiter.permit("default", CallClass.ACT) > 0
    assert list(limits.limiter.broken()) == ["default"]


async def test_each_success_takes_a_failure_away(limits):
    for _ in range(OPENS_AT):
        assert await fails(limits, OPENS_AT - 1) == [None] * (OPENS_AT - 1)
        for _ in range(OPENS_AT):
            assert await limits.limiter.outcome("default", is_alive=True) is None
    assert await limits.limiter.permit("default", CallClass.ACT) == 0


async def test_failures_are_forgotten_after_a_minute_without_another(limits):
    await fails(limits, OPENS_AT - 1)
    await limits.advance(FORGOTTEN_AFTER_MS + 1)
    assert await fails(limits, 1) == [None]


async def test_a_success_makes_failures_of_long_ago_no_younger(limits):
    await fails(limits, OPENS_AT - 1)
    await limits.advance(FORGOTTEN_AFTER_MS * 5 // 6)
    await limits.limiter.outcome("default", is_alive=True)
    await limits.advance(FORGOTTEN_AFTER_MS // 3)
    assert await fails(limits, OPENS_AT - 1) == [None] * (OPENS_AT - 1)


async def test_an_open_breaker_lets_one_look_through_at_a_time_and_never_a_call_that_acts(limits):
    await fails(limits, OPENS_AT)
    await limits.advance(20 * PROBE_FIRST_MS)  # from now on nobody waits for the next probe
    looks = acts = 0
    for _ in range(4):
        await limits.advance(10 * PROBE_FIRST_MS)  # more than a tenth of the outage
        for _ in range(3):
            acts += not await limits.limiter.permit("default", CallClass.ACT)
        given = [not await limits.limiter.permit("default", CallClass.LOOK) for _ in range(3)]
        looks += sum(given)
    assert (acts, looks) == (0, 4)


async def test_the_longer_the_outage_the_rarer_the_probes_but_not_rarer_than_half_a_minute(limits):
    await fails(limits, OPENS_AT)
    await limits.advance(2 * 60 * MINUTE_MS)
    assert await limits.limiter.permit("default", CallClass.LOOK) == 0
    assert await limits.limiter.permit("default", CallClass.LOOK) == pytest.approx(PROBE_MAX_MS, abs=2000)


async def test_a_sign_of_life_closes_the_breaker_and_the_rate_rises_by_and_by(limits):
    await limits.limiter.permit("default", CallClass.ACT)
    await fails(limits, OPENS_AT)
    await limits.advance(2 * 60 * MINUTE_MS)
    assert await limits.limiter.permit("default", CallClass.ACT) > 0
    assert await limits.limiter.outcome("default", is_alive=True) is Turn.CLOSED
    await limits.advance(2000)
    assert await granted(limits) == 1
    await limits.advance(RAMP_MS + 2 * BURST * MINUTE_MS)
    assert await granted(limits) == BURST
    assert list(limits.limiter.broken()) == []


async def test_right_after_an_outage_calls_are_much_further_apart_than_the_limit_allows(limits):
    await fails(limits, OPENS_AT, account="brisk")
    await limits.limiter.permit("brisk", CallClass.ACT)
    await limits.limiter.outcome("brisk", is_alive=True)
    await limits.advance(1500)
    assert await granted(limits, merchant="brisk") == 1
    await limits.advance(3000)
    assert await granted(limits, merchant="brisk") == 0
    await limits.advance(2 * RAMP_MS)
    assert await granted(limits, merchant="brisk") == 1
    await limits.advance(3000)
    assert await granted(limits, merchant="brisk") == 1


async def test_a_provider_that_fails_again_at_once_opens_it_again_at_once(limits):
    await fails(limits, OPENS_AT)
    await limits.limiter.permit("default", CallClass.ACT)
    await limits.limiter.outcome("default", is_alive=True)
    assert await fails(limits, 1) == [Turn.OPENED]


async def test_the_breakers_of_two_accounts_do_not_touch_each_other(limits):
    await fails(limits, OPENS_AT, account="default:JPY")
    assert await limits.limiter.permit("default", CallClass.ACT) == 0
    assert await limits.limiter.permit("default:JPY", CallClass.ACT) > 0


async def test_a_merchant_is_rationed_to_its_rate_while_it_is_refused_and_to_nothing_while_it_is_paused(limits):
    assert limits.limiter.rationed() == {}
    await granted(limits)
    assert limits.limiter.rationed() == {"default": pytest.approx(1 / 60)}
    await limits.limiter.pause("default", for_ms=MINUTE_MS, reason="operator")
    await limits.advance(1500)  # a refusal is remembered for a second
    await limits.limiter.permit("default", CallClass.ACT)
    assert limits.limiter.rationed() == {"default": 0.0}
    await limits.advance(5000)
    assert limits.limiter.rationed() == {}


@pytest.mark.parametrize("burst", [1, 2])
def test_every_class_may_make_a_call_however_small_the_burst(burst):
    rate = CallRate(rate_per_s=5, burst=burst)
    assert {rate.share(call_class) >= 1 for call_class in CallClass} == {True}
