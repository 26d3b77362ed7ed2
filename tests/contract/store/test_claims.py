from __future__ import annotations

from orchestrator.identity import PaymentKey
from orchestrator.ports import CommitOutcome
from tests.contract.store.worlds import LEASE_MS, accepted, claimed, commit_on


def payment(intent_id, merchant="default"):
    return PaymentKey(merchant=merchant, intent_id=intent_id)


async def claim(world, *, owner="worker", limit=10):
    return await world.store.claim(0, owner=owner, lease_ms=LEASE_MS, limit=limit)


def ids(records):
    return [record.key.intent_id for record in records]


async def test_a_claim_takes_due_payments_longest_due_first_and_no_more_than_asked(world):
    for intent_id, due_in_ms in (("a", -1000), ("b", -3000), ("c", -2000), ("future", 60_000)):
        await accepted(world, payment(intent_id), due_in_ms=due_in_ms)
    assert ids(await claim(world, limit=2)) == ["b", "c"]
    assert ids(await claim(world)) == ["a"]
    assert await claim(world) == []


async def test_a_claim_returns_whole_records_with_owner_and_observations(world, key):
    await accepted(world, key)
    await world.store.notify(key, b"seen", op="n1")
    (record,) = await claim(world)
    assert record == await world.store.load(key)
    assert (record.owner, record.observations, record.body, record.claims) == (
        "worker",
        (b"seen",),
        b"body 1",
        0,
    )
    assert record.owned_until_ms >= await world.now_ms() + LEASE_MS - 1000
    assert await world.due(key) == record.owned_until_ms


async def test_a_live_claim_is_left_alone_by_the_other_worker(world, key):
    await claimed(world, key, owner="one")
    assert await claim(world, owner="other") == []
    assert await world.store.claim_one(key, owner="other", lease_ms=LEASE_MS) is None


async def test_a_payment_of_a_dead_worker_is_claimed_again_and_counted(world, key):
    await claimed(world, key, owner="dead")
    await world.advance(LEASE_MS)
    (record,) = await claim(world, owner="other")
    assert (record.owner, record.claims) == ("other", 1)


async def test_a_claim_handed_back_does_not_count_and_forgives_nothing(world, key):
    await claimed(world, key, owner="dead")
    await world.advance(LEASE_MS)
    for _ in range(3):
        (record,) = await claim(world)
        assert record.claims == 1
        assert await world.store.release(key, owner="worker", due_at_ms=await world.now_ms())


async def test_merchants_take_turns(world):
    for number in range(5):
        await accepted(world, payment(f"big-{number}", merchant="big"), due_in_ms=-10_000 + number)
    await accepted(world, payment("small-0", merchant="small"), due_in_ms=-10)
    await accepted(world, payment("small-1", merchant="small"), due_in_ms=-5)
    assert ids(await claim(world, limit=4)) == ["big-0", "small-0", "big-1", "small-1"]
    assert ids(await claim(world)) == ["big-2", "big-3", "big-4"]


async def test_claim_one_takes_a_payment_that_is_not_due(world, key):
    await accepted(world, key, due_in_ms=60_000)
    record = await world.store.claim_one(key, owner="worker", lease_ms=LEASE_MS)
    assert (record.owner, record.claims) == ("worker", 0)
    assert await world.due(key) == record.owned_until_ms


async def test_claim_one_makes_a_finished_payment_come_back_if_its_worker_dies(world, key):
    await world.store.commit(commit_on(await claimed(world, key)))
    assert await world.due(key) is None
    await world.store.claim_one(key, owner="dead", lease_ms=LEASE_MS)
    await world.advance(LEASE_MS)
    assert ids(await claim(world)) == [key.intent_id]


async def test_claim_one_repeated_by_the_owner_renews_and_returns_the_record(world, key):
    first = await claimed(world, key)
    await world.advance(LEASE_MS // 2)
    again = await world.store.claim_one(key, owner="worker", lease_ms=LEASE_MS)
    assert (again.owner, again.claims, again.version) == ("worker", 0, first.version)
    assert again.owned_until_ms - await world.now_ms() > LEASE_MS // 2


async def test_claim_one_of_an_unknown_payment_is_none(world, key):
    assert await world.store.claim_one(key, owner="worker", lease_ms=LEASE_MS) is None
    assert await world.due(key) is None


async def test_renewing_keeps_the_claim_past_the_first_lease(world, key):
    await claimed(world, key)
    await world.advance(LEASE_MS // 2)
    assert await world.store.renew([key], owner="worker", lease_ms=LEASE_MS) == frozenset()
    assert await world.due(key) == (await world.store.load(key)).owned_until_ms
    await world.advance(LEASE_MS // 2 + 1000)
    assert await claim(world, owner="other") == []


async def test_renewing_tells_which_claims_were_lost_and_leaves_them_alone(world):
    held, stolen, absent = payment("held"), payment("stolen"), payment("absent")
    await claimed(world, stolen)
    await world.advance(LEASE_MS)
    await claim(world, owner="thief")
    await claimed(world, held)
    before = await world.store.load(stolen)
    lost = await world.store.renew([held, stolen, absent], owner="worker", lease_ms=LEASE_MS)
    assert lost == {stolen, absent}
    assert await world.store.load(stolen) == before


async def test_renewing_nothing_loses_nothing(world):
    assert await world.store.renew([], owner="worker", lease_ms=LEASE_MS) == frozenset()


async def test_a_released_payment_is_unchanged_and_due_when_asked(world, key):
    record = await claimed(world, key)
    due_at_ms = await world.now_ms() + 5000
    assert await world.store.release(key, owner="worker", due_at_ms=due_at_ms)
    after = await world.store.load(key)
    assert (after.version, after.body, after.owner, after.owned_until_ms) == (
        record.version,
        record.body,
        None,
        None,
    )
    assert await world.due(key) == due_at_ms


async def test_a_released_payment_with_waiting_observations_is_due_now(world, key):
    await claimed(world, key)
    await world.store.notify(key, b"news", op="n1")
    assert await world.store.release(key, owner="worker", due_at_ms=await world.now_ms() + 60_000)
    assert await world.due(key) <= await world.now_ms()


async def test_a_payment_released_without_a_due_time_wants_no_attention(world, key):
    await claimed(world, key)
    assert await world.store.release(key, owner="worker", due_at_ms=None)
    assert await world.due(key) is None


async def test_only_the_owner_can_release(world, key):
    record = await claimed(world, key, owner="owner")
    assert not await world.store.release(key, owner="other", due_at_ms=0)
    assert not await world.store.release(payment("absent"), owner="other", due_at_ms=0)
    assert await world.store.load(key) == record


async def test_a_worker_that_slept_through_its_lease_may_still_commit_while_nobody_took_over(world, key):
    record = await claimed(world, key)
    await world.advance(LEASE_MS)
    assert (await world.store.commit(commit_on(record))).outcome is CommitOutcome.COMMITTED
