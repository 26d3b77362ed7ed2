from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.identity import PaymentKey
from tests.contract.store.worlds import MemoryWorld, RedisWorld

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.store.worlds import World


@pytest.fixture(params=["memory", "redis"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The twin, then the store on a real server; both empty and of one shard."""
    world = MemoryWorld() if request.param == "memory" else RedisWorld(request.getfixturevalue("redis_url"))
    yield world
    await world.close()


@pytest.fixture
def key() -> PaymentKey:
    return PaymentKey(merchant="default", intent_id="ord-1")
