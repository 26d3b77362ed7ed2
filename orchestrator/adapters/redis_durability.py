"""Which row of the promise table a Redis set-up holds, and which set-ups are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError, ResponseError

from orchestrator.adapters.redis_connection import unavailable
from orchestrator.adapters.redis_nodes import nodes_of
from orchestrator.errors import PayorchError

if TYPE_CHECKING:
    from redis.asyncio import Redis

UNKNOWN = "unknown (CONFIG is not allowed)"
_ROWS = {
    ("yes", "always"): "AOF always: nothing is lost to a killed server or a lost host",
    ("yes", "everysec"): "AOF everysec: a lost host may cost the last second",
    ("yes", "no"): "AOF without fsync: a lost host may cost the last half minute",
}
_FOLLOWED = "; a replica follows"
_NOTHING = "no AOF: a restart of Redis loses payments"


class UnfitRedisError(PayorchError):
    """Payments would be lost here; the text says which setting and what would be right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Durability:
    """What a Redis promises: the row of the promise table and why it is refused, if it is."""

    row: str
    refused: str | None = None
    followed: frozenset[str] = frozenset()  # servers that have a replica, by name


async def inspect_durability(client: Redis) -> Durability:
    """Ask Redis, or each master of a cluster, for role and settings; raises StoreUnavailableError without an answer.

    A cluster promises what the weakest of its masters does.
    """
    try:
        found = [await _inspect(name, node) for name, node in (await nodes_of(client)).items()]
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    rows = sorted({each.row for each in found}, key=_strength)
    return Durability(
        row=rows[0] if len(found) == 1 else f"{rows[0]} (the weakest of {len(found)} masters)",
        refused=next((each.refused for each in found if each.refused), None),
        followed=frozenset(name for each in found for name in each.followed),
    )


async def _inspect(name: str, node: Redis) -> Durability:
    try:
        replication: dict[str, Any] = await node.info("replication")
        config: dict[Any, Any] = await node.config_get("appendonly", "appendfsync", "maxmemory-policy")
    except ResponseError:
        return Durability(row=UNKNOWN)
    known = {_text(name): _text(value) for name, value in config.items()}
    row = _ROWS.get((known.get("appendonly", ""), known.get("appendfsync", "")), _NOTHING)
    has_replica = any(isinstance(told, dict) and told.get("state") == "online" for told in replication.values())
    return Durability(
        row=f"{row}{_FOLLOWED}" if has_replica else row,
        refused=_refusal(_text(replication.get("role", "master")), known),
        followed=frozenset({name}) if has_replica else frozenset(),
    )


def _strength(row: str) -> tuple[int, bool]:
    """Rows in the order of what they promise; what nobody knows counts for least."""
    order = (UNKNOWN, _NOTHING, *reversed(_ROWS.values()))
    return order.index(row.removesuffix(_FOLLOWED)), row.endswith(_FOLLOWED)


def _refusal(role: str, config: dict[str, str]) -> str | None:
    if role != "master":
        return "PAYORCH_REDIS_URL leads to a replica; it must lead to the master"
    policy = config.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        return f"Redis has maxmemory-policy {policy}, which deletes payments; set it to noeviction"
    return None


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
