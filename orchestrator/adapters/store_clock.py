"""One time for all workers: Redis' TIME, carried on by this machine's monotonic clock."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from orchestrator.adapters.redis_connection import unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

HEAR_EVERY_S = 5.0
ROUND_TRIP_MAX_S = 1.0  # an answer that took longer tells the time too badly


class StoreClock:
    """The Clock port. Graces and schedules that one worker begins and another ends are measured on one clock.

    A machine whose clock is wrong, or is set while it runs, changes nothing: its own time of day counts only until
    Redis was heard for the first time.
    """

    def __init__(self, *, begins_at_ms: int | None = None) -> None:
        begins_at_ms = time.time_ns() // 1_000_000 if begins_at_ms is None else begins_at_ms
        self._offset_ms = begins_at_ms - _monotonic_ms()

    def now_ms(self) -> int:
        return _monotonic_ms() + self._offset_ms

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def hear(self, client: Redis) -> None:
        """Set the clock by Redis; raises StoreUnavailableError."""
        asked_ms = _monotonic_ms()
        try:
            seconds, microseconds = await client.time()
        except (RedisError, OSError) as error:
            raise unavailable(error) from error
        answered_ms = _monotonic_ms()
        if answered_ms - asked_ms <= ROUND_TRIP_MAX_S * 1000:
            told_ms = int(seconds) * 1000 + int(microseconds) // 1000
            self._offset_ms = told_ms - (asked_ms + answered_ms) // 2


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
