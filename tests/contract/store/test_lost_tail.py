"""Writes that Redis had confirmed are gone: whoever holds a payment hears of it before it makes a move of its own."""

from __future__ import annotations

from orchestrator.identity import PaymentKey
from orchestrator.ports import AcceptOutcome, CommitOutcome
from tests.contract.store.worlds import LEASE_MS, accepted, claimed, commit_on

OTHER = PaymentKey(merchant="default", intent_id="ord-2")


async def test_a_store_that_lost_nothing_says_so(world, key):
    record = await claimed(world, key)
    await world.store.commit(commit_on(record))

    assert record.lost_at_ms == 0
    assert (await world.store.load(key)).lost_at_ms == 0


async def test_every_record_of_the_shard_tells_when_the_loss_was_found(world, key):
    await accepted(world, key)
    before_ms = await world.now_ms()
    await world.lose_tail()

    (record,) = await world.store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=10)

    assert before_ms <= record.lost_at_ms <= await world.now_ms()
    assert (await world.store.load(key)).lost_at_ms == record.lost_at_ms
    assert (await world.store.claim_one(key, owner="worker", lease_ms=LEASE_MS)).lost_at_ms == record.lost_at_ms


async def test_a_payment_accepted_after_the_loss_tells_of_it_too(world, key):
    await accepted(world, key)
    await world.lose_tail()

    acceptance = await world.store.accept(
        OTHER, op="op", fingerprint="f", body=b"", event=b"", due_at_ms=0, owner="worker", lease_ms=LEASE_MS
    )

    assert acceptance.outcome is AcceptOutcome.ACCEPTED
    assert acceptance.record.lost_at_ms > 0


async def test_i1_a_move_of_ones_own_that_knows_nothing_of_the_loss_is_a_conflict(world, key):
    record = await claimed(world, key)
    await world.lose_tail()

    answer = await world.store.commit(commit_on(record, own_move=True, keep_lease_ms=LEASE_MS))

    assert answer.outcome is CommitOutcome.CONFLICT
    assert answer.record.version == record.version
    assert answer.record.lost_at_ms > 0
    again = commit_on(answer.record, op="again", own_move=True, lost_at_ms=answer.record.lost_at_ms)
    assert (await world.store.commit(again)).outcome is CommitOutcome.COMMITTED


async def test_i3_what_was_observed_before_the_loss_is_not_written_over_what_became_of_the_payment_since(world, key):
    record = await claimed(world, key)
    await world.lose_tail()

    answer = await world.store.commit(commit_on(record))

    assert answer.outcome is CommitOutcome.CONFLICT  # the same version may be another one by now
    again = commit_on(answer.record, op="again", lost_at_ms=answer.record.lost_at_ms)
    assert (await world.store.commit(again)).outcome is CommitOutcome.COMMITTED


async def test_a_commit_that_was_written_before_the_loss_is_answered_as_it_was(world, key):
    record = await claimed(world, key)
    commit = commit_on(record)
    await world.store.commit(commit)
    await world.lose_tail()

    assert (await world.store.commit(commit)).outcome is CommitOutcome.COMMITTED


async def test_a_loss_is_found_once_and_a_second_one_again(world, key):
    await accepted(world, key, due_in_ms=3_600_000)
    await world.lose_tail()
    await world.store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=1)
    first_ms = (await world.store.load(key)).lost_at_ms
    await accepted(world, OTHER, due_in_ms=3_600_000)
    await world.advance(10)
    await world.store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=1)
    assert (await world.store.load(key)).lost_at_ms == first_ms

    while await world.now_ms() == first_ms:
        await world.advance(1)
    await world.lose_tail()
    await world.store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=1)

    assert (await world.store.load(key)).lost_at_ms > first_ms
