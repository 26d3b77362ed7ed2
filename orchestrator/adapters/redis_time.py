"""What time it is for Redis, as far as its last answer tells."""

from __future__ import annotations

import time


class RedisTime:
    """Redis TIME carried on by this process's monotonic clock; never ahead of Redis, unless its clock is set back."""

    def __init__(self) -> None:
        self._ahead_ms: int | None = None  # of our monotonic clock

    def learn(self, redis_ms: int) -> None:
        """Redis said this, a moment ago."""
        self._ahead_ms = redis_ms - _monotonic_ms()

    def now_ms(self) -> int | None:
        """What Redis would say now, or a little less; None before it ever said anything."""
        return None if self._ahead_ms is None else _monotonic_ms() + self._ahead_ms


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
