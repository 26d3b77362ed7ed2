"""Waiting in a test's own event loop for what comes some time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

POLL_S = 0.01


async def until(condition: Callable[[], Awaitable[object]], *, within_s: float = 20.0) -> None:
    """Return once the awaited condition is true; TimeoutError where that does not come in time."""
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(POLL_S)
