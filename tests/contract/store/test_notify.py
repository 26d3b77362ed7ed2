from __future__ import annotations

import asyncio

import pytest

from orchestrator.identity import PaymentKey
from orchestrator.ports import NotifyOutcome
from tests.contract.store.worlds import LEASE_MS, accepted, claimed, commit_on, refusal

RING_LIMIT_S = 5


async def test_an_observation_of_an_unowned_payment_makes_it_due_now(world, key):
    await accepted(world, key, due_in_ms=60_000)
    assert await world.store.notify(key, b"\x00paid", op="n1") is NotifyOutcome.STORED
    assert await world.due(key) <= await world.now_ms()
    record = await world.store.load(key)
    assert (record.observed, record.observations, record.version) == (1, (b"\x00paid",), 1)


async def test_an_observation_of_a_finished_payment_brings_it_back(world, key):
    await world.store.commit(commit_on(await claimed(world, key)))
    await world.store.notify(key, b"returned", op="n1")
    (record,) = await world.store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=10)
    assert record.observations == (b"returned",)


async def test_an_observation_does_not_disturb_a_live_owner(world, key):
    record = await claimed(world, key)
    await world.store.notify(key, b"paid", op="n1")
    assert await world.due(key) == record.owned_until_ms


async def test_an_observation_of_a_payment_whose_owner_died_makes_it_due_now(world, key):
    await claimed(world, key)
    await world.advance(LEASE_MS)
    await world.store.notify(key, b"paid", op="n1")
    (record,) = await world.store.claim(0, owner="other", lease_ms=LEASE_MS, limit=10)
    assert record.observations == (b"paid",)


async def test_a_payment_long_due_keeps_its_place_when_an_observation_comes(world, key):
    await accepted(world, key, due_in_ms=-60_000)
    before = await world.due(key)
    await world.store.notify(key, b"paid", op="n1")
    assert await world.due(key) == before


async def test_an_observation_told_again_with_its_op_is_stored_once(world, key):
    await accepted(world, key)
    for _ in range(2):
        assert await world.store.notify(key, b"paid", op="n1") is NotifyOutcome.STORED
    assert (await world.store.load(key)).observations == (b"paid",)


async def test_equal_observations_of_two_ops_are_two(world, key):
    await accepted(world, key)
    await world.store.notify(key, b"look", op="n1")
    await world.store.notify(key, b"look", op="n2")
    assert (await world.store.load(key)).observed == 2


@pytest.mark.parametrize("is_stored", [True, False])
async def test_more_than_a_thousand_waiting_observations_are_refused(world, key, is_stored):
    if is_stored:
        await accepted(world, key)
    told = (world.store.notify(key, b"%d" % number, op=f"n{number}") for number in range(1000))
    assert NotifyOutcome.FULL not in await asyncio.gather(*told)
    assert await world.store.notify(key, b"one more", op="more") is NotifyOutcome.FULL
    if not is_stored:
        await accepted(world, key)
    record = await world.store.load(key)
    assert (record.observed, len(record.observations)) == (1000, 1000)


async def ring(world, cause):
    """The first shard rung from now on, `cause` being repeated until the subscription stands."""
    bells = world.store.bells()
    rung = asyncio.ensure_future(anext(bells))
    try:
        async with asyncio.timeout(RING_LIMIT_S):
            while not rung.done():
                await cause()
                await asyncio.wait([rung], timeout=0.02)
    finally:
        rung.cancel()
        await asyncio.wait([rung])
        await bells.aclose()
    return rung.result()


async def test_a_payment_that_becomes_due_at_once_rings_its_shard(world):
    numbers = iter(range(10_000))

    async def accept():
        await accepted(world, PaymentKey(merchant="default", intent_id=f"ord-{next(numbers)}"))

    assert await ring(world, accept) == 0


async def test_an_observation_rings_the_shard(world, key):
    await accepted(world, key, due_in_ms=600_000)
    numbers = iter(range(10_000))

    async def notify():
        await world.store.notify(key, b"paid", op=f"n{next(numbers)}")

    assert await ring(world, notify) == 0


async def test_an_observation_of_a_payment_whose_owner_died_rings_the_shard(world, key):
    await claimed(world, key)
    await world.advance(LEASE_MS)
    numbers = iter(range(10_000))

    async def notify():
        await world.store.notify(key, b"paid", op=f"n{next(numbers)}")

    assert await ring(world, notify) == 0


async def test_a_commit_that_has_not_seen_all_rings_the_shard(world, key):
    await world.store.commit(commit_on(await claimed(world, key)))
    numbers = iter(range(10_000))

    async def commit_blindly():
        record = await world.store.claim_one(key, owner="worker", lease_ms=LEASE_MS)
        await world.store.notify(key, b"news", op=f"n{next(numbers)}")
        await world.store.commit(commit_on(record))

    assert await ring(world, commit_blindly) == 0


async def test_a_claim_handed_back_for_now_rings_the_shard(world, key):
    await claimed(world, key)

    async def release():
        await world.store.claim_one(key, owner="worker", lease_ms=LEASE_MS)
        await world.store.release(key, owner="worker", due_at_ms=await world.now_ms())

    assert await ring(world, release) == 0


async def test_a_refusal_is_kept_once_however_often_it_is_told(world):
    assert await world.store.refuse(refusal("refusal/one"))
    assert not await world.store.refuse(refusal("refusal/one"))
    assert await world.store.refuse(refusal("refusal/two"))
    assert await world.dead_letters() == ["refusal/one", "refusal/two"]


async def test_a_scan_meets_every_payment(world):
    keys = {PaymentKey(merchant=merchant, intent_id=f"ord-{number}") for merchant in "ab" for number in range(40)}
    for key in keys:
        await accepted(world, key)
    await world.store.notify(PaymentKey(merchant="a", intent_id="orphan"), b"early", op="n")
    assert {record.key async for record in world.store.scan()} == keys
