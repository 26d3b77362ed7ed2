"""Whether a replica has what was written: asked once for all who wait, on a connection that nobody else waits for."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from redis.exceptions import NoPermissionError, RedisError

from orchestrator.adapters.redis_nodes import lane_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

WAIT_MS = 100  # a call to the provider waits so long for its mark to be safe


class RedisCopies:
    """Belongs to one event loop. `followed` are the servers, by name, that have a replica; no other is asked."""

    def __init__(self, client: Redis, *, probe_of: Callable[[int], str]) -> None:
        self.followed: frozenset[str] = frozenset()
        self._client = client
        self._probe_of = probe_of
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next: dict[str, asyncio.Task[bool]] = {}

    async def confirmed(self, shard: int) -> bool:
        """Whether a replica has all that the shard's server had answered before this call; False too if unknown."""
        probe = self._probe_of(shard)
        server = lane_of(self._client, ("SET", probe))
        if server not in self.followed:
            return True
        if server not in self._next:
            self._next[server] = asyncio.create_task(self._ask(server, probe))
        return await asyncio.shield(self._next[server])

    async def _ask(self, server: str, probe: str) -> bool:
        """WAIT is about writes of the same connection; whatever came before a write is copied before it."""
        async with self._turns[server]:
            del self._next[server]  # who comes from now on may have written after this question
            pipeline = self._client.pipeline(transaction=False)
            pipeline.set(probe, 1, px=60_000)
            pipeline.execute_command("WAIT", 1, WAIT_MS)
            try:
                _, copies = await pipeline.execute(raise_on_error=False)
            except (RedisError, OSError):
                return False
            # Who may not ask is answered with an error: then it is as without a replica.
            return isinstance(copies, NoPermissionError) or (isinstance(copies, int) and copies > 0)
