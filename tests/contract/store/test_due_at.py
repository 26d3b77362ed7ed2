"""When a payment is looked at next, as people ask for it."""

from __future__ import annotations

from orchestrator.identity import PaymentKey
from tests.contract.store.worlds import LEASE_MS, accepted, claimed, commit_on


async def test_an_accepted_payment_is_due_when_it_was_told_to_be(world, key):
    before_ms = await world.now_ms()
    await accepted(world, key, due_in_ms=60_000)
    assert before_ms + 60_000 <= await world.store.due_at(key) <= await world.now_ms() + 60_000
    assert await world.store.due_at(key) == await world.due(key)


async def test_a_claimed_payment_is_due_when_its_lease_ends(world, key):
    record = await claimed(world, key)
    assert await world.store.due_at(key) == record.owned_until_ms


async def test_a_committed_payment_is_due_when_the_commit_said(world, key):
    record = await claimed(world, key)
    due_at_ms = await world.now_ms() + 5 * LEASE_MS
    await world.store.commit(commit_on(record, due_at_ms=due_at_ms))
    assert await world.store.due_at(key) == due_at_ms


async def test_a_payment_that_wants_nothing_more_is_never_due(world, key):
    await world.store.commit(commit_on(await claimed(world, key)))
    assert await world.store.due_at(key) is None


async def test_what_is_not_stored_is_not_due_and_each_merchant_has_its_own(world, key):
    other = PaymentKey(merchant="shop-b", intent_id=key.intent_id)
    assert await world.store.due_at(key) is None
    await accepted(world, other)
    assert await world.store.due_at(key) is None
    assert await world.store.due_at(other) is not None
