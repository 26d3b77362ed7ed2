"""The clock of this machine."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """The Clock port on the operating system's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
