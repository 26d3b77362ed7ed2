"""A merchant whose calls must wait: few of its payments are claimed, and those that something was heard of."""

from __future__ import annotations

import pytest

from orchestrator.identity import PaymentKey
from tests.contract.store.worlds import LEASE_MS, accepted, claimed, commit_on


def payment(intent_id, merchant="slow"):
    return PaymentKey(merchant=merchant, intent_id=intent_id)


async def claim(world, rations, *, limit=10):
    records = await world.store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=limit, rations=rations)
    return [record.key.intent_id for record in records]


async def test_of_a_merchant_on_a_ration_the_longest_due_are_claimed_and_no_more(world):
    for number in range(5):
        await accepted(world, payment(f"p{number}"), due_in_ms=-1000 * (5 - number))
    assert await claim(world, {"slow": 2}) == ["p0", "p1"]
    assert await claim(world, {"slow": 0}) == []
    assert await claim(world, {}) == ["p2", "p3", "p4"]


async def test_a_ration_does_not_touch_other_merchants(world):
    for number in range(3):
        await accepted(world, payment(f"s{number}"), due_in_ms=-5000)
        await accepted(world, payment(f"q{number}", "quick"), due_in_ms=-1000)
    assert await claim(world, {"slow": 0}) == ["q0", "q1", "q2"]


async def test_a_ration_is_no_more_than_the_claim_asks_for(world):
    for number in range(5):
        await accepted(world, payment(f"p{number}"), due_in_ms=-1000)
    assert len(await claim(world, {"slow": 4}, limit=3)) == 3


async def test_what_something_was_heard_of_is_claimed_before_all_that_is_longer_due(world):
    for number in range(3):
        await accepted(world, payment(f"p{number}"), due_in_ms=-1000)
    await accepted(world, payment("heard"), due_in_ms=60_000)
    await world.store.notify(payment("heard"), b"webhook", op="n1")
    assert await claim(world, {"slow": 1}) == ["heard", "p0"]


async def test_what_was_heard_is_heard_once(world):
    await accepted(world, payment("heard"))
    await world.store.notify(payment("heard"), b"webhook", op="n1")
    assert await claim(world, {"slow": 0}) == ["heard"]
    await world.store.release(payment("heard"), owner="worker", due_at_ms=await world.now_ms())
    assert await claim(world, {"slow": 0}) == ["heard"], "what waits still waits"
    record = await world.store.load(payment("heard"))
    await world.store.commit(commit_on(record, due_at_ms=await world.now_ms()))
    assert await claim(world, {"slow": 0}) == []
    assert await claim(world, {"slow": 1}) == ["heard"]


@pytest.mark.parametrize("way", ["commit", "release"])
async def test_what_was_heard_during_a_turn_is_taken_at_once_after_it(world, way):
    record = await claimed(world, payment("busy"))
    await world.store.notify(payment("busy"), b"webhook", op="n1")
    assert await claim(world, {"slow": 0}) == []
    later = await world.now_ms() + 60_000
    if way == "commit":
        await world.store.commit(commit_on(record, due_at_ms=later))
    else:
        await world.store.release(payment("busy"), owner="worker", due_at_ms=later)
    assert await claim(world, {"slow": 0}) == ["busy"]


async def test_a_payment_that_webhooks_waited_for_is_taken_at_once(world):
    await world.store.notify(payment("early"), b"webhook", op="n1")
    await accepted(world, payment("early"))
    assert await claim(world, {"slow": 0}) == ["early"]
