"""Whether a replica has what was written: asked once for all who wait, on a connection that nobody else waits for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from redis.exceptions import NoPermissionError, RedisError

if TYPE_CHECKING:
    from redis.asyncio import Redis

WAIT_MS = 100  # a call to the provider waits so long for its mark to be safe


class RedisCopies:
    """Belongs to one event loop. `follows` says whether a replica follows this Redis; without one nothing is asked."""

    def __init__(self, client: Redis, *, name: str) -> None:
        self.follows = False
        self._client = client
        self._name = name
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[bool] | None = None

    async def confirmed(self) -> bool:
        """Whether a replica has all that Redis had answered before this call; False too where nobody can tell."""
        if not self.follows:
            return True
        if self._next is None:
            self._next = asyncio.create_task(self._ask())
        return await asyncio.shield(self._next)

    async def _ask(self) -> bool:
        """WAIT is about writes of the same connection; whatever came before a write is copied before it."""
        async with self._turn:
            self._next = None  # who comes from now on may have written after this question
            pipeline = self._client.pipeline(transaction=False)
            pipeline.set(self._name, 1, px=60_000)
            pipeline.execute_command("WAIT", 1, WAIT_MS)
            try:
                _, copies = await pipeline.execute(raise_on_error=False)
            except (RedisError, OSError):
                return False
            # Who may not ask is answered with an error: then it is as without a replica.
            return isinstance(copies, NoPermissionError) or (isinstance(copies, int) and copies > 0)
