"""The stream's intake on a real server: a message that breaks it again and again ends as a dead letter (I9)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from orchestrator.adapters.memory_store import MemoryStore
from orchestrator.adapters.redis_connection import connect
from orchestrator.errors import StoreCorruptError
from tests.support.waiting import until
from tests.unit.core.building import card_intent
from tests.unit.engine.world import World
from workers import stream_intake
from workers.stream_intake import GROUP, STREAM, StreamIntake

LIMIT_S = 30
POISON = "ord-poison"


@pytest.fixture
async def client(redis_url):
    client: Any = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def world(client, monkeypatch):
    """An intake that rescues at once, and a store in which one payment's name holds something else."""
    monkeypatch.setattr(stream_intake, "RESCUE_EVERY_S", 0.02)
    monkeypatch.setattr(stream_intake, "PAUSE_MAX_S", 0.02)
    accept = MemoryStore.accept

    async def broken(self, key, **fields):
        if key.intent_id.startswith(POISON):
            raise StoreCorruptError("what is stored is not what it should be")
        return await accept(self, key, **fields)

    monkeypatch.setattr(MemoryStore, "accept", broken)
    world = World()
    intake = StreamIntake(client, engine=world.engines["w1"], reconciler=None, rescue_idle_s=0.01)
    with capture_logs() as said:
        await intake.start()
        yield world
        await intake.stop()
    assert "intake.step_failed" in {line["event"] for line in said}


async def test_the_others_are_taken_and_the_poison_is_put_aside_after_its_tries(world, client):
    wanted = ["ord-1", f"{POISON}-1", "ord-2", f"{POISON}-2", "ord-3"]
    for intent_id in wanted:
        await client.xadd(STREAM, {"intent": json.dumps(card_intent(intent_id=intent_id))})

    async def is_over():
        return not await client.xlen(STREAM)

    await until(is_over, within_s=LIMIT_S)

    stored = {record.key.intent_id async for record in world.store.scan()}
    assert stored == {"ord-1", "ord-2", "ord-3"}
    assert [code for _, code in world.refusals()] == ["poison", "poison"]
    assert (await client.xpending(STREAM, GROUP))["pending"] == 0

    await client.xadd(STREAM, {"intent": json.dumps(card_intent(intent_id="ord-4"))})
    await until(is_over, within_s=LIMIT_S)
    assert len([record async for record in world.store.scan()]) == 4
