"""The two stores under one contract, each with what a test needs to look inside and to let time pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.adapters.memory_store import MemoryStore
from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.adapters.redis_nodes import nodes_of
from orchestrator.adapters.redis_store import RedisStore
from orchestrator.ports import AcceptOutcome, Commit, Refusal

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from orchestrator.identity import PaymentKey
    from orchestrator.ports import PaymentStore, Record

LEASE_MS = 10_000


class World(Protocol):
    """A store and a view behind it."""

    @property
    def store(self) -> PaymentStore: ...
    async def now_ms(self) -> int: ...
    async def advance(self, ms: int) -> None: ...
    async def due(self, key: PaymentKey) -> int | None: ...
    async def events(self, shard: int = 0) -> list[bytes]: ...
    async def bury(self, key: PaymentKey, fingerprint: str) -> None: ...
    async def dead_letters(self) -> list[str]: ...
    async def lose_tail(self, shard: int = 0) -> None: ...
    async def close(self) -> None: ...


class ManualClock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self._now_ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_s(self) -> float:
        return self._now_ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.advance(int(seconds * 1000))

    def advance(self, ms: int) -> None:
        self._now_ms += ms


class MemoryWorld:
    def __init__(self, *, shards: int = 1) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(clock=self.clock, shards=shards)

    async def now_ms(self) -> int:
        return self.clock.now_ms()

    async def advance(self, ms: int) -> None:
        self.clock.advance(ms)

    async def due(self, key: PaymentKey) -> int | None:
        return self.store.due(key)

    async def events(self, shard: int = 0) -> list[bytes]:
        return list(self.store.events(shard))

    async def bury(self, key: PaymentKey, fingerprint: str) -> None:
        self.store.bury(key, fingerprint)

    async def dead_letters(self) -> list[str]:
        return [refusal.refusal_id for refusal in self.store.dead_letters]

    async def lose_tail(self, shard: int = 0) -> None:
        self.store.lose_tail(shard)

    async def close(self) -> None:
        await self.store.close()


class RedisWorld:
    """Redis's clock cannot be moved, so time passes by moving every stored time back."""

    def __init__(self, url: str, *, shards: int = 1, namespace: str = "") -> None:
        self.namespace = namespace
        self.store = RedisStore(connect(url), shards=shards, namespace=namespace)
        self.keys = RedisKeys(namespace=namespace, shards=shards)
        self._inspector: Any = connect(url)

    async def now_ms(self) -> int:
        seconds, microseconds = await self._inspector.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def advance(self, ms: int) -> None:
        for name in await stored_names(self._inspector, f"{self.namespace}payorch:*:payment:*"):
            for field in ("owned_until", "rest_until"):
                if int(await self._inspector.hget(name, field) or 0):
                    await self._inspector.hincrby(name, field, -ms)
        for name in await stored_names(self._inspector, f"{self.namespace}payorch:*:due:*"):
            for member in await self._inspector.zrange(name, 0, -1):
                await self._inspector.zincrby(name, -ms, member)

    async def due(self, key: PaymentKey) -> int | None:
        score = await self._inspector.zscore(self.keys.payment(key)[2], key.intent_id)
        return None if score is None else int(score)

    async def events(self, shard: int = 0) -> list[bytes]:
        return [fields[b"event"] for _, fields in await self._inspector.xrange(self.keys.events(shard))]

    async def bury(self, key: PaymentKey, fingerprint: str) -> None:
        names = self.keys.payment(key)
        await self._inspector.delete(names[0], names[1])
        await self._inspector.zrem(names[2], key.intent_id)
        await self._inspector.set(names[6], fingerprint)

    async def dead_letters(self) -> list[str]:
        letters = await self._inspector.xrange(self.keys.dead_letters)
        return [fields[b"refusal_id"].decode() for _, fields in letters]

    async def lose_tail(self, shard: int = 0) -> None:
        await self._inspector.decr(self.keys.tail(shard)[0])

    async def close(self) -> None:
        await self.store.close()
        await self._inspector.aclose()


async def stored_names(client: Redis, pattern: str) -> list[bytes]:
    """The keys that fit, on each server."""
    return [name for node in (await nodes_of(client)).values() for name in await node.keys(pattern)]


async def accepted(world: World, key: PaymentKey, *, due_in_ms: int = 0) -> None:
    """Let a payment be stored, due then, at version 1 and with event 1."""
    acceptance = await world.store.accept(
        key,
        op=f"accept {key}",
        fingerprint="fingerprint",
        body=b"body 1",
        event=f"{key}:1".encode(),
        due_at_ms=await world.now_ms() + due_in_ms,
    )
    assert acceptance.outcome is AcceptOutcome.ACCEPTED


async def claimed(world: World, key: PaymentKey, *, owner: str = "worker") -> Record:
    """Let a payment be stored and claimed."""
    await accepted(world, key)
    record = await world.store.claim_one(key, owner=owner, lease_ms=LEASE_MS)
    assert record is not None
    return record


def commit_on(record: Record, **changes) -> Commit:
    """The next commit on what was loaded, all observations seen, with an event, waiting for nothing."""
    values = {
        "key": record.key,
        "op": f"commit {record.version + 1} by {record.owner}",
        "owner": record.owner,
        "expected_version": record.version,
        "observed_seen": record.observed,
        "body": f"body {record.version + 1}".encode(),
        "event": f"{record.key}:{record.sequence + 1}".encode(),
        "event_sequence": record.sequence + 1,
    }
    return Commit(**{**values, **changes})


def refusal(refusal_id: str = "refusal/abc", **changes) -> Refusal:
    values = {
        "refusal_id": refusal_id,
        "code": "invalid_json",
        "message": "the message is not JSON",
        "field": None,
        "origin": "stream",
        "at_ms": 1_800_000_000_007,
        "body": b"{",
        "redrivable": True,
        "event": b'{"type": "intent.refused"}',
    }
    return Refusal(**{**values, **changes})
