"""Whether payments may be trusted to this Redis."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from orchestrator.adapters.redis_connection import connect, unavailable
from orchestrator.adapters.redis_durability import UNKNOWN, inspect_durability
from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.adapters.redis_nodes import nodes_of
from workers.cli.checks import Finding

if TYPE_CHECKING:
    from workers.bootstrap import Settings

CHECK = "redis"
VERSION_MIN = (7, 0)  # XAUTOCLAIM names deleted entries
VERSION_WANTED = (7, 2)
CLOCK_WARNING_S = 0.5
CLOCK_WRONG_S = 5.0
MEMORY_WARNING = 0.8
RELAY_SEEN_WITHIN_MS = 60_000


def check_redis(settings: Settings) -> list[Finding]:
    """Version, durability, role and eviction, memory, clock, shards, workers; raises StoreUnavailableError."""
    return asyncio.run(_check(settings))


async def _check(settings: Settings) -> list[Finding]:
    client: Any = connect(settings.redis_url)
    try:
        nodes = (await nodes_of(client)).values()
        servers = [await node.info("server") for node in nodes]
        memories = [await node.info("memory") for node in nodes]
        return [
            *dict.fromkeys(_version(server) for server in servers),
            *_durability(await inspect_durability(client)),
            *dict.fromkeys(found for memory in memories for found in _memory(memory)),
            _clock(await _offset_s(client)),
            await _shards(client, settings),
            await _workers(client, settings),
        ]
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    finally:
        await client.aclose()


def _version(server: dict[str, Any]) -> Finding:
    version = str(server.get("redis_version", "0"))
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    name = f"{'Valkey' if 'valkey_version' in server else 'Redis'} {server.get('valkey_version', version)}"
    if parts < VERSION_MIN:
        return Finding.wrong(CHECK, f"{name} is too old", "use Redis 7.2 or later, or Valkey")
    if parts < VERSION_WANTED:
        return Finding.warning(CHECK, f"{name} has no WAITAOF", "use Redis 7.2 or later, or Valkey")
    return Finding.ok(CHECK, name)


def _durability(durability: Any) -> list[Finding]:
    row, refused = durability.row, durability.refused
    found = [Finding.wrong(CHECK, refused, "a worker does not start on it")] if refused else []
    if row == UNKNOWN:
        return [*found, Finding.warning(CHECK, f"durability {row}", "ask who runs it for AOF, always, noeviction")]
    if row.startswith("AOF always"):
        return [*found, Finding.ok(CHECK, row)]
    if row.startswith("AOF"):
        return [*found, Finding.warning(CHECK, row, "set appendfsync always; it keeps up")]
    return [*found, Finding.wrong(CHECK, row, "set appendonly yes and appendfsync always")]


def _memory(memory: dict[str, Any]) -> list[Finding]:
    used, limit = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    if not limit or used < limit * MEMORY_WARNING:
        return []
    said = f"{used * 100 // limit} % of maxmemory is used; a full Redis takes no payments"
    return [Finding.warning(CHECK, said, "raise maxmemory, or shorten PAYORCH_RETENTION_DAYS and PAYORCH_EVENTS_DAYS")]


async def _offset_s(client: Any) -> float:
    """Our clock minus that of Redis, as seen from the middle of a round trip."""
    before_s = time.time()
    seconds, microseconds = await client.time()
    return float((before_s + time.time()) / 2 - (seconds + microseconds / 1_000_000))


def _clock(offset_s: float) -> Finding:
    said = f"this machine's clock is {offset_s:+.3f} s off that of Redis"
    if abs(offset_s) > CLOCK_WRONG_S:
        return Finding.wrong(CHECK, said, "synchronise the clocks (NTP)")
    if abs(offset_s) > CLOCK_WARNING_S:
        return Finding.warning(CHECK, said, "synchronise the clocks (NTP)")
    return Finding.ok(CHECK, said)


async def _shards(client: Any, settings: Settings) -> Finding:
    stored = await client.get(RedisKeys(namespace=settings.namespace, shards=settings.shards).shard_count)
    if stored is None:
        return Finding.warning(CHECK, "nothing is set up here yet", "run `payorch setup`")
    if int(stored) != settings.shards:
        said = f"its payments are in {int(stored)} shards, PAYORCH_SHARDS says {settings.shards}"
        return Finding.wrong(CHECK, said, f"set PAYORCH_SHARDS={int(stored)}, or use an empty Redis or namespace")
    return Finding.ok(CHECK, f"{settings.shards} shards")


async def _workers(client: Any, settings: Settings) -> Finding:
    seconds, _ = await client.time()
    oldest_ms = int(seconds) * 1000 - RELAY_SEEN_WITHIN_MS
    relays = await client.zcount(f"{settings.namespace}payorch:relays", oldest_ms, "+inf")
    if not relays:
        return Finding.warning(
            "workers", "none that relays was seen in the last minute", "start one: celery -A workers.app worker"
        )
    return Finding.ok("workers", f"{relays} that relay were seen in the last minute")
