from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.adapters.cluster_map import parse
from orchestrator.adapters.redis_cluster import ClusterClient
from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_store import RedisStore
from tests.support.cluster import ValkeyCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture
def own_cluster(tmp_path) -> Iterator[ValkeyCluster]:
    """Three masters and a replica of each, of this test alone."""
    cluster = ValkeyCluster(tmp_path / "cluster", replicas=True)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.end()


@pytest.fixture
async def stores() -> AsyncIterator[Callable[..., RedisStore]]:
    """Makes stores of all shards that are closed at the end."""
    made: list[RedisStore] = []

    def make(url: str, **options) -> RedisStore:
        made.append(RedisStore(connect(url), **options))
        return made[-1]

    yield make
    for store in made:
        await store.close()


@pytest.fixture
async def clients() -> AsyncIterator[Callable[..., ClusterClient]]:
    """Makes impatient clients that are closed at the end."""
    made: list[ClusterClient] = []

    def make(url: str) -> ClusterClient:
        quick = {"socket_timeout": 2, "socket_connect_timeout": 2}
        made.append(ClusterClient(parse(url), pool_size=4, pool_wait_s=1, **quick))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()
