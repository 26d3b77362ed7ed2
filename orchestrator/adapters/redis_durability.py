"""Which row of the promise table a Redis set-up holds, and which set-ups are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError, ResponseError

from orchestrator.adapters.redis_connection import unavailable
from orchestrator.errors import PayorchError

if TYPE_CHECKING:
    from redis.asyncio import Redis

UNKNOWN = "unknown (CONFIG is not allowed)"
_ROWS = {
    ("yes", "always"): "AOF always: nothing is lost to a killed server or a lost host",
    ("yes", "everysec"): "AOF everysec: a lost host may cost the last second",
    ("yes", "no"): "AOF without fsync: a lost host may cost the last half minute",
}
_NOTHING = "no AOF: a restart of Redis loses payments"


class UnfitRedisError(PayorchError):
    """Payments would be lost here; the text says which setting and what would be right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Durability:
    """What a Redis promises: the row of the promise table and why it is refused, if it is."""

    row: str
    refused: str | None = None
    has_replica: bool = False


async def inspect_durability(client: Redis) -> Durability:
    """Ask Redis for its role and settings; raises StoreUnavailableError where it does not answer."""
    try:
        replication: dict[str, Any] = await client.info("replication")
        config: dict[Any, Any] = await client.config_get("appendonly", "appendfsync", "maxmemory-policy")
    except ResponseError:
        return Durability(row=UNKNOWN)
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    known = {_text(name): _text(value) for name, value in config.items()}
    row = _ROWS.get((known.get("appendonly", ""), known.get("appendfsync", "")), _NOTHING)
    has_replica = any(isinstance(told, dict) and told.get("state") == "online" for told in replication.values())
    return Durability(
        row=f"{row}; a replica follows" if has_replica else row,
        refused=_refusal(_text(replication.get("role", "master")), known),
        has_replica=has_replica,
    )


def _refusal(role: str, config: dict[str, str]) -> str | None:
    if role != "master":
        return "PAYORCH_REDIS_URL leads to a replica; it must lead to the master"
    policy = config.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        return f"Redis has maxmemory-policy {policy}, which deletes payments; set it to noeviction"
    return None


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
