"""The provider's limit, shared by all workers through Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.redis_calls import RedisCalls
from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.adapters.redis_scripts import PAUSE, PERMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

    from orchestrator.ports import CallClass


class RedisLimiter:
    """Limiter on Redis TIME; belongs to one event loop. Every call raises StoreUnavailableError.

    A permit whose reply is lost was used up; nothing else comes of it.
    """

    def __init__(self, client: Redis, *, namespace: str = "", rate_per_s: float, burst: int) -> None:
        self._calls = RedisCalls(client)
        self._keys = RedisKeys(namespace=namespace)
        self._rate = CallRate(rate_per_s=rate_per_s, burst=burst)

    async def close(self) -> None:
        """Let the calls under way end, then close the client's connections."""
        await self._calls.close()

    async def permit(self, merchant: str, call_class: CallClass) -> int:
        """0 where the call may be made now, else milliseconds to wait before asking again."""
        arguments = (
            self._rate.interval_us,
            self._rate.burst,
            self._rate.share(call_class),
            self._rate.look_interval_us(call_class) or "",
        )
        return int(await self._calls.script(PERMIT, self._keys.limit(merchant), arguments))

    async def pause(self, merchant: str, *, for_ms: int, reason: str) -> None:
        """Refuse all permits of a merchant for so long; a longer pause stays, 0 ends any."""
        *_, pause = self._keys.limit(merchant)
        await self._calls.command("SADD", self._keys.ever_paused, merchant)
        await self._calls.script(PAUSE, (pause,), (for_ms, reason))

    async def paused(self) -> Mapping[str, str]:
        """The merchants paused now and why."""
        ever = await self._calls.command("SMEMBERS", self._keys.ever_paused)
        merchants = sorted(name.decode() for name in ever)
        reasons = await asyncio.gather(
            *(self._calls.command("GET", self._keys.limit(merchant)[2]) for merchant in merchants)
        )
        return {
            merchant: reason.decode() for merchant, reason in zip(merchants, reasons, strict=True) if reason is not None
        }
