"""The servers behind a client: one without a name, or the masters of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.adapters.redis_cluster import ClusterClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

    from orchestrator.adapters.cluster_map import Words


async def nodes_of(client: Redis) -> Mapping[str, Any]:
    """A client of each, by name; raises redis-py's ConnectionError where no node of a cluster answers."""
    return await client.masters() if isinstance(client, ClusterClient) else {"": client}


def lane_of(client: Redis, words: Words) -> str:
    """The name of the one that a command goes to, as far as is known."""
    return client.lane_of(words) if isinstance(client, ClusterClient) else ""
