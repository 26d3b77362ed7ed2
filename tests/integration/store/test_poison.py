"""A name in Redis that holds something else than it should stops only itself (I9)."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ResponseError

from orchestrator.adapters.redis_connection import connect, store_error
from orchestrator.adapters.redis_store import RedisStore
from orchestrator.errors import StoreCorruptError, StoreUnavailableError
from orchestrator.identity import PaymentKey

LEASE_MS = 60_000
SOUND = PaymentKey(merchant="default", intent_id="ord-2")


@pytest.fixture
async def client(redis_url):
    client: Any = connect(redis_url)
    yield client
    await client.aclose()


async def accept(store, key, **more):
    return await store.accept(key, op=str(key), fingerprint="f", body=b"1", event=b"1", due_at_ms=0, **more)


@pytest.mark.parametrize("kind", ["payment", "observations"])
async def test_a_claim_passes_over_what_cannot_be_read_and_takes_the_others(redis_url, client, key, kind):
    told = []
    store = RedisStore(connect(redis_url), shards=1, tell=lambda event, **fields: told.append((event, fields)))
    await accept(store, key)
    await accept(store, SOUND)
    name = f"payorch:{{s00}}:{kind}:{key}"
    await client.delete(name)
    await client.set(name, "poison")

    records = await store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=10)

    assert [record.key for record in records] == [SOUND]
    assert told == [("store.payment_unreadable", {"payment": str(key)})]
    assert await store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=10) == []
    assert len(told) == 1  # it is looked at again in a while, not at each tick
    assert await client.get(name) == b"poison"
    await store.close()


async def test_a_call_that_needs_it_says_that_it_is_corrupt_and_not_that_redis_is_away(store, client, key):
    await client.set(f"payorch:{{s00}}:payment:{key}", "poison")

    with pytest.raises(StoreCorruptError):
        await store.load(key)
    with pytest.raises(StoreCorruptError):
        await accept(store, key)


async def test_a_hash_that_lacks_its_fields_is_corrupt_too(store, client, key):
    await accept(store, key, owner="worker", lease_ms=LEASE_MS)
    await client.hdel(f"payorch:{{s00}}:payment:{key}", "owned_until")

    with pytest.raises(StoreCorruptError):
        await store.claim_one(key, owner="other", lease_ms=LEASE_MS)


async def test_a_claim_that_cannot_be_renewed_any_more_costs_no_other_its_own(store, client, key):
    await accept(store, key, owner="worker", lease_ms=LEASE_MS)
    await accept(store, SOUND, owner="worker", lease_ms=LEASE_MS)
    await client.set(f"payorch:{{s00}}:payment:{key}", "poison")

    assert await store.renew([key, SOUND], owner="worker", lease_ms=2 * LEASE_MS) == {key}
    assert (await store.load(SOUND)).owned_until_ms > LEASE_MS


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("WRONGTYPE Operation against a key holding the wrong kind of value", StoreCorruptError),
        ("user_script:12: attempt to compare nil with number script: abc, on @user_script:12.", StoreCorruptError),
        ("NOPERM User 'payorch' has no permissions to run the 'evalsha' command", StoreUnavailableError),
        ("MISCONF Errors writing to the AOF file script: abc, on @user_script:1.", StoreUnavailableError),
    ],
)
def test_only_what_a_script_trips_over_is_corrupt(words, kind):
    assert type(store_error(ResponseError(words))) is kind
