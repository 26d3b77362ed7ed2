"""The stored state as an audit reads it: names, due indexes and logs, page by page. It writes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.redis_calls import RedisCalls
from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.identity import PaymentKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

PAGE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """An entry of a shard's event log: `body` is the CloudEvent's JSON as it was committed."""

    entry_id: str
    body: bytes


class RedisInspection:
    """Reads beside the workers; belongs to one event loop. Raises StoreUnavailableError where Redis is away."""

    def __init__(self, client: Redis, *, namespace: str = "", shards: int = 64) -> None:
        self.shards = shards
        self._calls = RedisCalls(client)
        self._keys = RedisKeys(namespace=namespace, shards=shards)

    async def close(self) -> None:
        """Let the calls under way end, then close the connections."""
        await self._calls.close()

    def shard(self, key: PaymentKey) -> int:
        """The shard a payment lives in."""
        return self._keys.shard(key)

    def shard_name(self, shard: int) -> str:
        """How the shard is called in Redis, as `s07`."""
        return self._keys.prefix(shard).partition("{")[2].partition("}")[0]

    async def payments(self) -> AsyncIterator[list[PaymentKey]]:
        """The keys of every stored payment once or more, page by page, without stopping the world."""
        async for names in self._calls.names(self._keys.any_payment, count=PAGE):
            yield [RedisKeys.key_of(name.decode()) for name in names]

    async def merchants(self, shard: int) -> frozenset[str]:
        """The merchants whose due payments are claimed in this shard."""
        names = await self._calls.command("SMEMBERS", self._keys.merchants(shard))
        return frozenset(name.decode() for name in names)

    async def is_claimed_from(self, key: PaymentKey) -> bool:
        """Whether claims in the payment's shard look into its merchant's due index."""
        name = self._keys.merchants(self._keys.shard(key))
        return bool(await self._calls.command("SISMEMBER", name, key.merchant))

    async def strays(self, shard: int) -> AsyncIterator[list[PaymentKey]]:
        """What the shard's due indexes name and is not stored there, once or more, page by page."""
        for merchant in sorted(await self.merchants(shard)):
            index = f"{self._keys.prefix(shard)}due:{merchant}"
            cursor = 0
            while True:
                cursor, scored = await self._calls.command("ZSCAN", index, cursor, "COUNT", PAGE)
                named = [PaymentKey(merchant=merchant, intent_id=name.decode()) for name, _ in scored]
                are_strays = await asyncio.gather(*(self._is_stray(shard, index, key) for key in named))
                yield [key for key, is_stray in zip(named, are_strays, strict=True) if is_stray]
                if not int(cursor):
                    break

    async def _is_stray(self, shard: int, index: str, key: PaymentKey) -> bool:
        if await self._calls.command("EXISTS", f"{self._keys.prefix(shard)}payment:{key}"):
            return False
        # A payment that was removed just now took its entry with it.
        return await self._calls.command("ZSCORE", index, key.intent_id) is not None

    async def lengths(self) -> list[int]:
        """How many events the log of each shard holds."""
        logs = (self._keys.events(shard) for shard in range(self.shards))
        return [int(length) for length in await asyncio.gather(*(self._calls.command("XLEN", log) for log in logs))]

    async def events(self, shard: int, *, after: str) -> AsyncIterator[list[LogEntry]]:
        """The shard's log behind this entry, in order, page by page, up to its end at that moment."""
        while True:
            found: Any = await self._calls.command("XRANGE", self._keys.events(shard), f"({after}", "+", "COUNT", PAGE)
            if not found:
                return
            entries = [LogEntry(entry_id=name.decode(), body=fields.get(b"event", b"")) for name, fields in found]
            yield entries
            after = entries[-1].entry_id
