"""The store on a cluster: what concerns all shards at once, and what a dying master costs."""

from __future__ import annotations

import asyncio
import time

import pytest

from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_durability import inspect_durability
from orchestrator.adapters.redis_inspection import RedisInspection
from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.adapters.redis_probe import RedisProbe
from orchestrator.adapters.store_clock import StoreClock
from orchestrator.errors import StoreUnavailableError
from orchestrator.identity import PaymentKey
from tests.support.cluster import MASTERS
from tests.support.waiting import until

COUNT = 150
LEASE_MS = 30_000
WEAKEST = f"(the weakest of {MASTERS} masters)"


def key_of(number):
    return PaymentKey(merchant="default", intent_id=f"ord-{number}")


async def accept(store, key):
    return await store.accept(key, op=f"a{key}", fingerprint="f", body=b"body", event=b"event", due_at_ms=0)


async def test_what_is_accepted_is_claimed_found_and_read_in_all_shards(stores, cluster_url):
    store, other = stores(cluster_url), stores(cluster_url)
    await store.ensure_shards()
    keys = {key_of(number) for number in range(COUNT)}
    await asyncio.gather(*(accept(store, key) for key in keys))

    assert {record.key async for record in store.scan()} == keys
    claims = await asyncio.gather(
        *(other.claim(shard, owner="w", lease_ms=LEASE_MS, limit=COUNT) for shard in range(other.shards))
    )
    assert {record.key for records in claims for record in records} == keys
    assert await other.renew(list(keys), owner="w", lease_ms=LEASE_MS) == frozenset()
    assert await other.suspects() == []
    inspection = RedisInspection(connect(cluster_url))
    assert {key async for page in inspection.payments() for key in page} == keys
    assert sum(await inspection.lengths()) == COUNT
    await inspection.close()


async def test_the_first_claim_of_each_shard_is_worth_nothing_to_who_is_gone(stores, cluster_url, monkeypatch):
    store = stores(cluster_url)
    await store.ensure_shards()
    await asyncio.gather(*(accept(store, key_of(number)) for number in range(COUNT)))
    monkeypatch.setattr("orchestrator.adapters.redis_store.CLAIM_VALID_MS", -1000)
    claims = (store.claim(shard, owner="w", lease_ms=LEASE_MS, limit=COUNT) for shard in range(store.shards))
    assert [record for records in await asyncio.gather(*claims) for record in records] == []


async def test_the_weakest_master_counts_and_each_replica_is_known(own_cluster, cluster_url):
    async with connect(own_cluster.url) as client:
        durability = await inspect_durability(client)
        assert durability.row.startswith("AOF always")
        assert durability.row.endswith(f"; a replica follows {WEAKEST}")
        assert len(durability.followed) == MASTERS
        assert durability.refused is None

        own_cluster.masters[1].command("CONFIG", "SET", "appendfsync", "everysec")
        own_cluster.masters[2].command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        own_cluster.replicas[1].kill()

        async def is_told():
            return len((await inspect_durability(client)).followed) == MASTERS - 1

        await until(is_told)
        durability = await inspect_durability(client)
        assert durability.row == f"AOF everysec: a lost host may cost the last second {WEAKEST}"
        assert "allkeys-lru" in str(durability.refused)


async def test_a_mark_is_safe_when_the_replica_of_its_master_has_it(stores, own_cluster):
    store = stores(own_cluster.url)
    keys = {own_cluster.master_of(store_key(key)): key for key in map(key_of, range(COUNT))}
    held, *free = (keys[master] for master in own_cluster.masters)
    async with connect(own_cluster.url) as client:
        followed = (await inspect_durability(client)).followed
    await store.ensure_shards()
    own_cluster.replicas[0].pause()
    assert await store.is_copied(held)  # nobody has said that there is a replica

    store.follow(followed)
    assert not await store.is_copied(held)
    await until(lambda: are_copied(store, free))
    store.follow(followed - {f"127.0.0.1:{own_cluster.masters[0].port}"})
    assert await store.is_copied(held)

    own_cluster.replicas[0].resume()
    store.follow(followed)
    await until(lambda: store.is_copied(held))


async def are_copied(store, keys):
    return all(await asyncio.gather(*(store.is_copied(key) for key in keys)))


def store_key(key):
    return RedisKeys(namespace="").payment(key)[0]


async def test_a_master_that_dies_costs_the_others_nothing_and_its_payments_come_back(stores, own_cluster):
    store = stores(own_cluster.url)
    await store.ensure_shards()
    keys = [key_of(number) for number in range(COUNT)]
    await asyncio.gather(*(accept(store, key) for key in keys))
    async with connect(own_cluster.url) as client:
        store.follow((await inspect_durability(client)).followed)
    await until(lambda: are_copied(store, keys))
    own_cluster.masters[0].kill()

    began_s = time.monotonic()
    answers = await asyncio.gather(*(store.load(key) for key in keys), return_exceptions=True)
    assert time.monotonic() - began_s < 2
    assert {type(each).__name__ for each in answers} == {"Record", "StoreUnavailableError"}

    async def all_are_there():
        try:
            return all(await asyncio.gather(*(store.load(key) for key in keys)))
        except StoreUnavailableError:
            return False

    await until(all_are_there)
    assert (await accept(store, key_of(COUNT))).outcome.value == "accepted"


async def test_the_probe_wants_a_write_of_each_master(own_cluster):
    probe = RedisProbe(own_cluster.url, namespace="", owner="w")
    assert await asyncio.to_thread(probe.answers)
    own_cluster.masters[2].command("CONFIG", "SET", "maxmemory", "1")
    assert not await asyncio.to_thread(probe.answers)


async def test_the_clock_is_that_of_the_cluster(cluster_url):
    clock = StoreClock(begins_at_ms=0)
    async with connect(cluster_url) as client:

        async def is_heard():
            await clock.hear(client)
            return clock.now_ms() > 0

        await until(is_heard)
    assert abs(clock.now_ms() - time.time() * 1000) < 1000


@pytest.mark.parametrize("path", ["/1", "/service/0"])
def test_a_cluster_has_no_databases(path):
    with pytest.raises(Exception, match="no databases"):
        connect(f"redis+cluster://:hunter2@127.0.0.1{path}")
