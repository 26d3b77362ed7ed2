"""The limiter's twin in memory: the same answers on the clock's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.adapters.call_rate import CallRate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.ports import CallClass, Clock


class MemoryLimiter:
    """Limiter within one process; deterministic, never raises."""

    def __init__(self, *, clock: Clock, rate_per_s: float, burst: int) -> None:
        self._clock = clock
        self._rate = CallRate(rate_per_s=rate_per_s, burst=burst)
        self._arrival_us: dict[str, int] = {}
        self._next_look_us: dict[str, int] = {}
        self._pauses: dict[str, tuple[int, str]] = {}

    async def close(self) -> None:
        """Nothing is held open."""

    async def permit(self, merchant: str, call_class: CallClass) -> int:
        """0 where the call may be made now, else milliseconds to wait before asking again."""
        now_ms = self._clock.now_ms()
        paused_until_ms, _ = self._pauses.get(merchant, (0, ""))
        if paused_until_ms > now_ms:
            return paused_until_ms - now_ms
        now_us = 1000 * now_ms
        interval_us = self._rate.interval_us
        at_us = max(now_us, self._arrival_us.get(merchant, 0)) + interval_us
        wait_us = at_us - self._rate.share(call_class) * interval_us - now_us
        look_interval_us = self._rate.look_interval_us(call_class)
        if look_interval_us is not None:
            next_look_us = self._next_look_us.get(merchant, 0)
            wait_us = min(wait_us, max(at_us - self._rate.burst * interval_us, next_look_us) - now_us)
        if wait_us > 0:
            return -(-wait_us // 1000)
        self._arrival_us[merchant] = at_us
        if look_interval_us is not None:
            self._next_look_us[merchant] = now_us + look_interval_us
        return 0

    async def pause(self, merchant: str, *, for_ms: int, reason: str) -> None:
        """Refuse all permits of a merchant for so long; a longer pause stays, 0 ends any."""
        until_ms = self._clock.now_ms() + for_ms
        if for_ms <= 0:
            self._pauses.pop(merchant, None)
        elif until_ms > self._pauses.get(merchant, (0, ""))[0]:
            self._pauses[merchant] = (until_ms, reason)

    async def paused(self) -> Mapping[str, str]:
        """The merchants paused now and why."""
        now_ms = self._clock.now_ms()
        return {merchant: reason for merchant, (until_ms, reason) in self._pauses.items() if until_ms > now_ms}
