"""What the store does when Redis is full, read-only, locked, forgetful, dead or back again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.exceptions import AuthenticationError, BusyLoadingError, OutOfMemoryError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from orchestrator.adapters import redis_bells
from orchestrator.adapters.redis_connection import UnsupportedRedisUrlError, connect, unavailable
from orchestrator.adapters.redis_store import RedisStore, ShardCountError
from orchestrator.errors import StoreUnavailableError
from orchestrator.identity import PaymentKey
from orchestrator.ports import AcceptOutcome, Commit, CommitOutcome, NotifyOutcome
from tests.contract.store.worlds import refusal
from tests.support.fault_proxy import Mode
from tests.support.waiting import until

LEASE_MS = 60_000
LATER_MS = 4_000_000_000_000
LIMIT_S = 10


async def accept(store, key, **more):
    return await store.accept(key, op="op", fingerprint="f", body=b"1", event=b"1", due_at_ms=LATER_MS, **more)


def commit_of(key):
    return Commit(
        key=key,
        op="commit",
        owner="worker",
        expected_version=1,
        observed_seen=1,
        body=b"2",
        event=b"2",
        event_sequence=2,
    )


@pytest.fixture
async def own_store(own_valkey):
    store = RedisStore(connect(own_valkey.url), shards=1)
    yield store
    await store.close()


CANNOT_WRITE = {
    "full": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    "read-only": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    "without its replicas": (
        ("CONFIG", "SET", "min-replicas-to-write", "1"),
        ("CONFIG", "SET", "min-replicas-to-write", "0"),
    ),
}


@pytest.mark.parametrize("case", CANNOT_WRITE)
async def test_a_redis_that_cannot_write_changes_nothing_and_works_again_afterwards(own_valkey, own_store, key, case):
    other = PaymentKey(merchant="default", intent_id="ord-2")
    await accept(own_store, key, owner="worker", lease_ms=LEASE_MS)
    await own_store.notify(key, b"seen", op="n1")
    before = await own_store.load(key)
    stop, resume = CANNOT_WRITE[case]
    assert own_valkey.command(*stop) == b"+OK\r\n"
    for call in (
        own_store.commit(commit_of(key)),
        own_store.release(key, owner="worker", due_at_ms=0),
        own_store.renew([key], owner="worker", lease_ms=1),
        own_store.notify(key, b"more", op="n2"),
        own_store.notify(other, b"early", op="n3"),
        own_store.claim_one(key, owner="worker", lease_ms=1),
        accept(own_store, other),
    ):
        with pytest.raises(StoreUnavailableError):
            await call
    assert await own_store.load(key) == before
    assert own_valkey.command(*resume) == b"+OK\r\n"
    assert (await own_store.commit(commit_of(key))).outcome is CommitOutcome.COMMITTED
    assert (await own_store.load(key)).observations == ()
    assert (await accept(own_store, other)).outcome is AcceptOutcome.ACCEPTED
    assert (await own_store.load(other)).observed == 0


async def test_a_redis_that_forgot_its_scripts_is_told_them_again_call_by_call(store, redis_url, key):
    keys = [PaymentKey(merchant="default", intent_id=f"new-{number}") for number in range(50)]
    await accept(store, key)
    async with connect(redis_url) as client:
        await client.script_flush()
    calls = [call for each in keys for call in (accept(store, each), store.load(key), store.notify(key, b"x", op="n"))]
    answers = await asyncio.gather(*calls)
    assert {answer.outcome for answer in answers[::3]} == {AcceptOutcome.ACCEPTED}
    assert {answer.key for answer in answers[1::3]} == {key}
    assert set(answers[2::3]) == {NotifyOutcome.STORED}
    assert (await store.load(key)).observed == 1
    assert len([record async for record in store.scan()]) == 51


async def test_a_redis_that_does_not_answer_is_given_up_in_time(faulty_store, proxy, key):
    await faulty_store.load(key)
    proxy.mode = Mode.BLACKHOLE
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(StoreUnavailableError, match="did not answer"):
            await faulty_store.load(key)
    proxy.mode = Mode.PASS
    assert await faulty_store.load(key) is None


async def test_a_redis_that_is_not_there_is_unavailable(faulty_store, proxy, key):
    proxy.mode = Mode.REFUSE
    with pytest.raises(StoreUnavailableError):
        await faulty_store.load(key)
    proxy.mode = Mode.PASS
    assert await faulty_store.load(key) is None


async def test_the_store_works_again_after_its_server_was_killed(own_valkey, own_store, key):
    await accept(own_store, key)
    own_valkey.kill()
    with pytest.raises(StoreUnavailableError):
        await own_store.load(key)
    own_valkey.start()
    assert (await own_store.load(key)).version == 1


async def test_bells_ring_again_after_the_connection_was_lost(own_valkey, own_store, key):
    bells = own_store.bells()
    await accept(own_store, key)
    numbers = iter(range(10_000))

    async def ring():
        rung = asyncio.ensure_future(anext(bells))
        async with asyncio.timeout(LIMIT_S):
            while not rung.done():
                await own_store.notify(key, b"x", op=f"n{next(numbers)}")
                await asyncio.wait([rung], timeout=0.02)
        return rung.result()

    assert await ring() == 0
    own_valkey.restart()
    assert await ring() == 0
    await bells.aclose()


async def subscribers(client):
    return [each["id"] for each in await client.client_list(_type="pubsub")]


async def test_a_quiet_subscription_is_kept_and_a_dead_one_is_replaced(
    monkeypatch, faulty_store, proxy, redis_url, key
):
    monkeypatch.setattr(redis_bells, "QUIET_S", 0.5)
    await accept(faulty_store, key)
    client: Any = connect(redis_url)
    bells = faulty_store.bells()
    rung = asyncio.ensure_future(anext(bells))

    async def is_subscribed():
        return await subscribers(client)

    async def is_not_subscribed():
        return not await subscribers(client)

    await until(is_subscribed, within_s=LIMIT_S)
    first = await subscribers(client)
    pings = int((await client.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0))

    async def was_asked_three_times():
        return int((await client.info("commandstats"))["cmdstat_ping"]["calls"]) >= pings + 3

    await until(was_asked_three_times, within_s=LIMIT_S)
    assert await subscribers(client) == first
    proxy.mode = Mode.BLACKHOLE
    await until(is_not_subscribed, within_s=LIMIT_S)
    proxy.mode = Mode.PASS
    await until(is_subscribed, within_s=LIMIT_S)

    async def is_rung():
        await client.publish("payorch:bell", "7")
        return rung.done()

    await until(is_rung, within_s=LIMIT_S)
    assert await rung == 7
    await bells.aclose()
    await client.aclose()


async def test_an_index_entry_that_lies_is_put_right_by_the_next_claim(store, redis_url, key):
    await accept(store, key, owner="worker", lease_ms=LEASE_MS)
    due = "payorch:{s00}:due:default"
    owned_until_ms = (await store.load(key)).owned_until_ms
    client: Any = connect(redis_url)
    async with client:
        await client.zadd(due, {key.intent_id: 1, "gone": 2})
        assert await store.claim(0, owner="other", lease_ms=LEASE_MS, limit=10) == []
        assert await client.zrange(due, 0, -1, withscores=True) == [(b"ord-1", owned_until_ms)]


async def test_the_mark_of_an_orphan_goes_when_its_payment_comes(store, redis_url, key):
    client: Any = connect(redis_url)
    async with client:
        await store.notify(key, b"early", op="n1")
        assert await client.zrange("payorch:{s00}:orphans", 0, -1) == [b"default/ord-1"]
        await accept(store, key)
        assert await client.zcard("payorch:{s00}:orphans") == 0


async def test_a_refusal_is_remembered_for_thirty_days(store, redis_url):
    seen, day_ms = "payorch:{payorch:deadletters}:seen", 24 * 3600 * 1000
    client: Any = connect(redis_url)
    async with client:
        for refusal_id in ("old", "older", "recent"):
            assert await store.refuse(refusal(refusal_id))
        await client.zincrby(seen, -31 * day_ms, "old")
        await client.zincrby(seen, -31 * day_ms, "older")
        await client.zincrby(seen, -29 * day_ms, "recent")
        assert await store.refuse(refusal("old"))
        assert not await store.refuse(refusal("recent"))
        assert set(await client.zrange(seen, 0, -1)) == {b"old", b"recent"}


async def test_many_calls_at_once_share_a_few_connections(store, redis_url):
    keys = [PaymentKey(merchant="default", intent_id=f"ord-{number}") for number in range(1000)]
    await asyncio.gather(*(accept(store, each) for each in keys))
    records = await asyncio.gather(*(store.load(each) for each in keys))
    assert [record.key for record in records] == keys
    async with connect(redis_url) as client:
        assert len(await client.client_list()) <= 17 + 1


async def test_closing_lets_the_calls_under_way_end_and_refuses_new_ones(redis_url, key):
    store = RedisStore(connect(redis_url), shards=1)
    calls = [asyncio.ensure_future(accept(store, key)), asyncio.ensure_future(store.load(key))]
    await asyncio.sleep(0)
    await store.close()
    assert (await calls[0]).outcome is AcceptOutcome.ACCEPTED
    assert (await calls[1]).key == key
    with pytest.raises(StoreUnavailableError):
        await store.load(key)


async def test_another_number_of_shards_is_refused_naming_both(redis_url):
    first, second = RedisStore(connect(redis_url), shards=64), RedisStore(connect(redis_url), shards=32)
    try:
        await first.ensure_shards()
        await first.ensure_shards()
        with pytest.raises(ShardCountError, match=r"64 .* 32"):
            await second.ensure_shards()
    finally:
        await first.close()
        await second.close()


@pytest.mark.parametrize(("shards", "shard"), [(64, "s50"), (101, "s002")])
async def test_names_in_redis_are_those_of_the_interface(redis_url, namespace, key, shards, shard):
    store = RedisStore(connect(redis_url), namespace=namespace, shards=shards)
    await store.ensure_shards()
    await accept(store, key, owner="worker", lease_ms=LEASE_MS)
    await store.notify(key, b"x", op="n")
    await store.close()
    async with connect(redis_url) as client:
        names = set(await client.keys("*"))
        stored = await client.hgetall(f"{namespace}payorch:{{{shard}}}:payment:default/ord-1")
    kinds = {
        "payment:default/ord-1",
        "observations:default/ord-1",
        "due:default",
        "merchants",
        "events",
        "commits",
    }
    expected = {f"{{{shard}}}:{kind}" for kind in kinds} | {"shards"}
    assert names == {f"{namespace}payorch:{name}".encode() for name in expected}
    fields = {
        "version",
        "sequence",
        "op",
        "observed",
        "owner",
        "owned_until",
        "claims",
        "fingerprint",
        "body",
    }
    assert set(stored) == {name.encode() for name in fields | {"notify_op"}}


@pytest.mark.parametrize("url", ["http://:hunter2@h", "amqp://h", "hunter2"])
def test_a_url_that_is_not_supported_is_refused_without_repeating_it(url):
    with pytest.raises(UnsupportedRedisUrlError) as refused:
        connect(url)
    assert "redis://" in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_a_wrong_password_is_unavailable_and_not_told(own_valkey, key):
    own_valkey.command("CONFIG", "SET", "requirepass", "right")
    store = RedisStore(connect(f"redis://:hunter2@127.0.0.1:{own_valkey.port}/0"))
    with pytest.raises(StoreUnavailableError) as refused:
        await store.load(key)
    await store.close()
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            RedisConnectionError("Error 111 connecting to secret.host:6379"),
            "Redis did not answer (ConnectionError)",
        ),
        (BusyLoadingError("Redis is loading"), "Redis did not answer (BusyLoadingError)"),
        (AuthenticationError("invalid for 'bob'"), "Redis did not answer (AuthenticationError)"),
        (
            OutOfMemoryError("command not allowed"),
            "Redis refused the call (OutOfMemoryError): command not allowed",
        ),
        (
            ResponseError("unknown command 'X', with args beginning with: 'tok_1'\nmore"),
            "Redis refused the call (ResponseError): unknown command '…', with args beginning with: '…'",
        ),
    ],
)
def test_a_failure_is_told_by_kind_and_code_never_by_its_arguments(error, text):
    assert str(unavailable(error)) == text
