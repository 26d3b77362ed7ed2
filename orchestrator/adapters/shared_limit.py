"""The twin of permit.lua and outcome.lua: what all workers share of the limits, in memory and on one clock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.adapters.permits import BLOCK_MS, CLASSES, FULL_WAIT_MS, HELD_MS, NONE, Grant, Numbers, Standing
from orchestrator.breaker import Breaker
from orchestrator.rules import CREDENTIALS_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.adapters.call_rate import CallRate
    from orchestrator.adapters.permits import Ask
    from orchestrator.breaker import Turn
    from orchestrator.ports import CallClass, Clock

ACT, CONFIRM, LOOK = range(3)


@dataclass(slots=True)
class _Taking:
    """The grant of one block while it is made."""

    now_us: int
    arrival_us: int
    interval_us: int
    free: int
    given: list[int] = field(default_factory=lambda: [0, 0, 0])

    def take(self, position: int, most: int, share: int) -> int:
        room = (self.now_us + share * self.interval_us - self.arrival_us) // self.interval_us
        count = max(0, min(most, room, self.free))
        self.given[position] += count
        self.arrival_us += count * self.interval_us
        self.free -= count
        return count


class SharedLimit:
    """Rates and slots are a merchant's, pauses and breakers an account's; a pause of the merchant is for all its."""

    def __init__(self, *, clock: Clock, rate_of: Callable[[str], CallRate]) -> None:
        self._clock = clock
        self._rate_of = rate_of
        self._arrival_us: dict[str, int] = {}
        self._next_look_us: dict[str, int] = {}
        self._slots: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)
        self._pauses: dict[str, tuple[int, str]] = {}

    def grant(self, ask: Ask) -> Grant:
        """What the account may begin now."""
        now_ms = self._clock.now_ms()
        merchant = merchant_of(ask.account)
        rate, breaker = self._rate_of(merchant), self._breakers[ask.account]
        slow = breaker.slowness(now_ms=now_ms)
        taking = _Taking(
            now_us=1000 * now_ms,
            arrival_us=max(1000 * now_ms, self._arrival_us.get(merchant, 0)),
            interval_us=int(rate.interval_us * slow),
            free=self._free(merchant, ask, rate.max_concurrency, now_ms),
        )
        paused_ms = max(self._paused_until(name) for name in (merchant, ask.account)) - now_ms
        if paused_ms > 0:
            grant = Grant(given=NONE, wait_ms=(paused_ms,) * 3, standing=Standing.PAUSED, failures=breaker.failures)
        elif breaker.is_open:
            grant = self._probed(ask, taking, rate, breaker, now_ms)
        else:
            grant = self._by_rate(ask, taking, rate, slow, merchant)
        if any(grant.given):
            self._arrival_us[merchant] = taking.arrival_us
        self._hold(merchant, ask.holder, ask.on_wire + sum(grant.given), now_ms)
        return grant

    def outcome(self, account: str, *, is_alive: bool) -> Turn | None:
        """Tell the breaker what came of a call."""
        breaker, turn = self._breakers[account].after(is_alive=is_alive, now_ms=self._clock.now_ms())
        self._breakers[account] = breaker
        return turn

    def pause(self, name: str, *, for_ms: int, reason: str) -> None:
        """A longer pause stays, 0 ends any."""
        until_ms = self._clock.now_ms() + for_ms
        if for_ms <= 0:
            self._pauses.pop(name, None)
        elif until_ms > self._paused_until(name):
            self._pauses[name] = (until_ms, reason)

    def paused(self) -> dict[str, str]:
        """What is paused now and why."""
        now_ms = self._clock.now_ms()
        return {name: reason for name, (until_ms, reason) in self._pauses.items() if until_ms > now_ms}

    def _paused_until(self, name: str) -> int:
        return self._pauses.get(name, (0, ""))[0]

    def _free(self, merchant: str, ask: Ask, concurrency: int, now_ms: int) -> int:
        slots = self._slots[merchant]
        for holder in [holder for holder, (_, until_ms) in slots.items() if until_ms <= now_ms]:
            del slots[holder]
        others = sum(count for holder, (count, _) in slots.items() if holder != ask.holder)
        return max(0, concurrency - ask.on_wire - others)

    def _hold(self, merchant: str, holder: str, count: int, now_ms: int) -> None:
        if count:
            self._slots[merchant][holder] = (count, now_ms + HELD_MS)
        else:
            self._slots[merchant].pop(holder, None)

    def _probed(self, ask: Ask, taking: _Taking, rate: CallRate, breaker: Breaker, now_ms: int) -> Grant:
        position = CONFIRM if ask.wanted[CONFIRM] else LOOK
        if ask.wanted[position] and breaker.probe_ms <= now_ms and taking.take(position, 1, rate.burst):
            breaker = self._breakers[ask.account] = breaker.after_probe(now_ms=now_ms)
        wait_ms = max(1, breaker.probe_ms - now_ms)
        return Grant(
            given=_numbers(taking.given), wait_ms=(wait_ms,) * 3, standing=Standing.BROKEN, failures=breaker.failures
        )

    def _by_rate(self, ask: Ask, taking: _Taking, rate: CallRate, slow: float, merchant: str) -> Grant:
        burst, look_interval_us = max(1, int(rate.burst / slow)), int(rate.look_interval_us * slow)
        shares = [rate.share(call_class, of_burst=burst) for call_class in CLASSES]
        next_look_us = max(self._next_look_us.get(merchant, 0), taking.now_us - 1000 * BLOCK_MS)
        if ask.wanted[LOOK] and next_look_us <= taking.now_us:
            worth = (taking.now_us - next_look_us) // look_interval_us + 1
            next_look_us += taking.take(LOOK, min(ask.wanted[LOOK], worth), burst) * look_interval_us
            self._next_look_us[merchant] = next_look_us
        for position in (ACT, CONFIRM, LOOK):
            taking.take(position, ask.wanted[position] - taking.given[position], shares[position])
        waits = [0, 0, 0]
        lacking = [position for position in (ACT, CONFIRM, LOOK) if taking.given[position] < ask.wanted[position]]
        next_us = taking.arrival_us + taking.interval_us
        for position in lacking:
            wait_us = next_us - shares[position] * taking.interval_us - taking.now_us
            if position == LOOK:
                wait_us = min(wait_us, max(next_us - burst * taking.interval_us, next_look_us) - taking.now_us)
            waits[position] = max(1, -(-wait_us // 1000), FULL_WAIT_MS if not taking.free else 0)
        if not lacking:
            self._take_ahead(ask, taking, rate, shares, burst)
        standing = Standing.FULL if lacking and not taking.free else Standing.OPEN
        failures = self._breakers[ask.account].failures
        return Grant(given=_numbers(taking.given), wait_ms=_numbers(waits), standing=standing, failures=failures)

    def _take_ahead(self, ask: Ask, taking: _Taking, rate: CallRate, shares: list[int], burst: int) -> None:
        for position in (ACT, CONFIRM, LOOK):
            spare = taking.free - -(-rate.max_concurrency // 2)
            if spare > 0:
                taking.take(position, min(ask.ahead[position], spare), min(shares[position], burst // 2))


def merchant_of(account: str) -> str:
    """The merchant of a set of credentials."""
    return account.partition(CREDENTIALS_SEPARATOR)[0]


def position_of(call_class: CallClass) -> int:
    """Where the class stands in the numbers of an ask."""
    return CLASSES.index(call_class)


def _numbers(values: list[int]) -> Numbers:
    first, second, third = values
    return first, second, third
