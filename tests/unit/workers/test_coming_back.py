"""What a worker does first when its store answers again."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.adapters.memory_store import MemoryStore
from orchestrator.errors import StoreUnavailableError
from tests.unit.engine.world import World
from workers.reconcile import Reconciler

EVERY_SHARD = range(64)


@pytest.fixture
def claims(monkeypatch):
    """The shards and limits that were asked for; the store is away for as long as `away` is in the list."""
    asked: list[Any] = []

    async def claim(store, shard, *, limit, **_):
        if asked == ["away"]:
            raise StoreUnavailableError("away")
        asked.append((shard, limit))
        return []

    monkeypatch.setattr(MemoryStore, "claim", claim)
    return asked


async def test_i1_every_shard_is_looked_at_before_anything_is_claimed_so_that_a_lost_tail_is_noticed(claims):
    worker = Reconciler(World().engines["w1"], concurrency=10)
    claims.append("away")
    await worker._claim(EVERY_SHARD)
    assert worker.figures()["store_away"]

    claims.clear()
    await worker._claim(EVERY_SHARD)

    assert sorted(claims) == [(shard, 0) for shard in EVERY_SHARD]
    assert not worker.figures()["store_away"]
    await worker._claim(EVERY_SHARD)
    assert len(claims) == len(EVERY_SHARD)  # others renew what they hold first
