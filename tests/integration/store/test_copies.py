"""Whether a replica has what was written, on real servers."""

from __future__ import annotations

import asyncio
import time

import pytest

from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_durability import inspect_durability
from orchestrator.adapters.redis_store import RedisStore
from orchestrator.identity import PaymentKey
from tests.support.waiting import until

LIMIT_S = 20
KEY = PaymentKey(merchant="default", intent_id="ord-1")


@pytest.fixture
async def store(master):
    store = RedisStore(connect(master.url), shards=1)
    yield store
    await store.close()


async def has_replica(master):
    async with connect(master.url) as client:
        return (await inspect_durability(client)).followed


async def test_without_a_replica_everything_is_as_safe_as_it_can_be_and_nothing_is_asked(master, store):
    assert not await has_replica(master)
    assert await store.is_copied(KEY)
    async with connect(master.url) as client:
        assert "cmdstat_wait" not in await client.info("commandstats")


async def test_a_replica_that_keeps_up_confirms_and_one_that_stands_still_does_not(master, replica, store):
    await until(lambda: has_replica(master))
    store.follow({""})
    await until(lambda: store.is_copied(KEY))

    replica.pause()
    began_s = time.monotonic()
    assert not await store.is_copied(KEY)
    assert time.monotonic() - began_s < LIMIT_S

    replica.resume()
    await until(lambda: store.is_copied(KEY))


async def test_many_who_ask_at_once_are_answered_by_few_questions(master, replica, store):
    await until(lambda: has_replica(master))
    store.follow({""})
    await until(lambda: store.is_copied(KEY))
    async with connect(master.url) as client:

        async def questions():
            return (await client.info("commandstats"))["cmdstat_wait"]["calls"]

        async def all_hear_yes():
            before = await questions()
            answers = await asyncio.gather(*(store.is_copied(KEY) for _ in range(200)))
            assert await questions() - before <= 2
            return all(answers)

        await until(all_hear_yes)  # a replica that a busy machine holds up for a tenth of a second is behind


async def test_a_master_that_is_gone_confirms_nothing(master, replica, store):
    await until(lambda: has_replica(master))
    store.follow({""})
    master.kill()

    assert not await store.is_copied(KEY)


async def test_who_may_not_ask_goes_on_as_without_a_replica(master, replica, store):
    await until(lambda: has_replica(master))
    store.follow({""})
    async with connect(master.url) as client:
        await client.execute_command("ACL", "SETUSER", "default", "-wait")

    assert await store.is_copied(KEY)
