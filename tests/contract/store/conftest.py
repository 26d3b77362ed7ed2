from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.identity import PaymentKey
from tests.contract.store.worlds import MemoryWorld, RedisWorld

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.store.worlds import World


@pytest.fixture(params=["memory", "redis_url", "cluster_url"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The twin, then the store on a real server, and on a cluster of them; all empty and of one shard."""
    world = MemoryWorld() if request.param == "memory" else RedisWorld(request.getfixturevalue(request.param))
    yield world
    await world.close()


@pytest.fixture
def key() -> PaymentKey:
    return PaymentKey(merchant="default", intent_id="ord-1")
