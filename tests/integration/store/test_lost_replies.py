"""The script ran, the answer did not arrive: the call may be made again and has run once."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from orchestrator.adapters import redis_scripts
from orchestrator.adapters.redis_connection import connect
from orchestrator.errors import StoreUnavailableError
from orchestrator.identity import PaymentKey
from orchestrator.ports import AcceptOutcome, Commit, CommitOutcome, NotifyOutcome, Refusal
from tests.support.fault_proxy import Mode

LEASE_MS = 60_000
LATER_MS = 4_000_000_000_000


async def accept(store, key, **more):
    return await store.accept(
        key, op="accept", fingerprint="f", body=b"1", event=b"event 1", due_at_ms=LATER_MS, **more
    )


def commit_of(key, **more):
    return Commit(
        key=key,
        op="commit",
        owner="worker",
        expected_version=1,
        observed_seen=0,
        body=b"2",
        event=b"event 2",
        event_sequence=2,
        **more,
    )


@pytest.fixture
async def losing(faulty_store, proxy, redis_url, key):
    """A function that makes a call twice; the first time its script runs, but the reply is lost."""
    async with connect(redis_url) as client:
        for script in (value for value in vars(redis_scripts).values() if isinstance(value, redis_scripts.Script)):
            assert await client.script_load(script.source) == script.sha

    async def lose(call, mode=Mode.CUT_REPLY):
        await faulty_store.find_fingerprint(key)
        proxy.mode = mode
        with pytest.raises(StoreUnavailableError):
            await call(faulty_store)
        assert proxy.replies_lost > 0
        proxy.mode = Mode.PASS
        return await call(faulty_store)

    return lose


@pytest.mark.parametrize("mode", [Mode.CUT_REPLY, Mode.KEEP_REPLY])
async def test_an_accept_whose_reply_was_lost_is_accepted_once(losing, store, key, mode):
    acceptance = await losing(lambda lossy: accept(lossy, key, owner="worker", lease_ms=LEASE_MS), mode)
    assert acceptance.outcome is AcceptOutcome.ACCEPTED
    assert acceptance.record == await store.load(key)
    assert (acceptance.record.version, acceptance.record.sequence) == (1, 1)


@pytest.mark.parametrize("mode", [Mode.CUT_REPLY, Mode.KEEP_REPLY])
async def test_a_commit_whose_reply_was_lost_does_not_look_like_somebody_elses(losing, store, key, mode):
    await accept(store, key, owner="worker", lease_ms=LEASE_MS)
    commit = commit_of(key, keep_lease_ms=LEASE_MS)
    committed = await losing(lambda lossy: lossy.commit(commit), mode)
    assert (committed.outcome, committed.version, committed.sequence) == (CommitOutcome.COMMITTED, 2, 2)
    assert (await store.load(key)).version == 2


async def test_a_commit_that_released_the_claim_is_still_committed_when_repeated(losing, store, key):
    await accept(store, key, owner="worker", lease_ms=LEASE_MS)
    committed = await losing(lambda lossy: lossy.commit(commit_of(key)))
    assert committed.outcome is CommitOutcome.COMMITTED
    assert (await store.load(key)).owner is None


@pytest.mark.parametrize("is_stored", [True, False])
async def test_an_observation_whose_reply_was_lost_is_kept_once(losing, store, key, is_stored):
    if is_stored:
        await accept(store, key)
    outcome = await losing(lambda lossy: lossy.notify(key, b"paid", op="n1"))
    assert outcome is (NotifyOutcome.STORED if is_stored else NotifyOutcome.ORPHANED)
    if not is_stored:
        await accept(store, key)
    assert (await store.load(key)).observations == (b"paid",)


async def test_a_claim_of_one_payment_whose_reply_was_lost_is_ours_when_repeated(losing, store, key):
    await accept(store, key)
    record = await losing(lambda lossy: lossy.claim_one(key, owner="worker", lease_ms=LEASE_MS))
    assert (record.owner, record.claims, record.version) == ("worker", 0, 1)


async def test_a_release_whose_reply_was_lost_has_happened(losing, store, key):
    await accept(store, key, owner="worker", lease_ms=LEASE_MS)
    assert not await losing(lambda lossy: lossy.release(key, owner="worker", due_at_ms=LATER_MS))
    assert (await store.load(key)).owner is None


async def test_a_refusal_whose_reply_was_lost_is_one_dead_letter(losing, redis_url):
    refusal = Refusal(
        refusal_id="refusal/abc",
        code="invalid_json",
        message="the message is not JSON",
        field=None,
        origin="stream",
        at_ms=1_800_000_000_007,
        body=b"{\xff",
        redrivable=False,
        event=b"event",
        attributes={"merchant": "default"},
    )
    assert not await losing(lambda lossy: lossy.refuse(refusal))
    client: Any = connect(redis_url)
    async with client:
        ((_, letter),) = await client.xrange("payorch:deadletters")
        ((_, event),) = await client.xrange("payorch:{payorch:deadletters}:events")
    assert event == {b"event": b"event"}
    assert letter == {
        b"merchant": b"default",
        b"code": b"invalid_json",
        b"message": b"the message is not JSON",
        b"field": b"",
        b"origin": b"stream",
        b"at": b"2027-01-15T08:00:00.007Z",
        b"body": b"{\xff",
        b"redrivable": b"false",
        b"refusal_id": b"refusal/abc",
    }


async def test_calls_that_share_a_lost_write_may_all_be_repeated(losing, store):
    keys = [PaymentKey(merchant="default", intent_id=f"ord-{number}") for number in range(5)]
    for key in keys:
        await accept(store, key)

    async def tell_all(lossy):
        return await asyncio.gather(*(lossy.notify(key, b"paid", op=f"to {key}") for key in keys))

    assert set(await losing(tell_all)) == {NotifyOutcome.STORED}
    assert [(await store.load(key)).observed for key in keys] == [1] * 5


async def test_nothing_is_sent_a_second_time_by_the_client_itself(proxy, redis_url):
    async with connect(f"redis://127.0.0.1:{proxy.port}/0") as client:
        await client.ping()
        proxy.mode = Mode.CUT_REPLY
        with pytest.raises(RedisConnectionError):
            await client.incr("counter")
    async with connect(redis_url) as client:
        assert await client.get("counter") == b"1"


async def test_a_cancelled_call_leaves_no_reply_for_the_next_one(store):
    """Each payment's body is its own id: an answer read by the wrong call would show."""
    keys = [PaymentKey(merchant="default", intent_id=f"ord-{number}") for number in range(40)]
    for each in keys:
        await store.accept(each, op="op", fingerprint="f", body=each.intent_id.encode(), event=b"e", due_at_ms=LATER_MS)
    chance = random.Random(7)
    for _ in range(60):
        loads = {each: asyncio.ensure_future(store.load(each)) for each in chance.sample(keys, 20)}
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)
        for load in loads.values():
            if chance.random() < 0.5:
                load.cancel()
        await asyncio.wait(loads.values())
        for each, load in loads.items():
            assert load.cancelled() or load.result().body == each.intent_id.encode()


async def test_a_cancelled_commit_is_done_wholly_or_not_at_all_and_can_be_repeated(store, key):
    await accept(store, key, owner="worker", lease_ms=LEASE_MS)
    call = asyncio.ensure_future(store.commit(commit_of(key)))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    assert (await store.commit(commit_of(key))).version == 2
    assert (await store.load(key)).sequence == 2
