from __future__ import annotations

import pytest

from orchestrator.ports import CommitOutcome
from tests.contract.store.worlds import LEASE_MS, claimed, commit_on


async def test_a_commit_writes_state_event_and_due_time_at_once(world, key):
    record = await claimed(world, key)
    due_at_ms = await world.now_ms() + 5000
    committed = await world.store.commit(commit_on(record, due_at_ms=due_at_ms, body=b"\x00new"))
    assert (committed.outcome, committed.version, committed.sequence) == (CommitOutcome.COMMITTED, 2, 2)
    after = await world.store.load(key)
    assert (after.version, after.sequence, after.body, after.owner) == (2, 2, b"\x00new", None)
    assert await world.events() == [f"{key}:1".encode(), f"{key}:2".encode()]
    assert await world.due(key) == due_at_ms


async def test_a_commit_without_an_event_raises_the_version_only(world, key):
    record = await claimed(world, key)
    committed = await world.store.commit(commit_on(record, event=None, event_sequence=None))
    assert (committed.version, committed.sequence) == (2, 1)
    assert len(await world.events()) == 1


async def test_a_commit_without_a_due_time_leaves_the_due_index(world, key):
    await world.store.commit(commit_on(await claimed(world, key)))
    assert await world.due(key) is None


@pytest.mark.parametrize("keep_lease_ms", [None, LEASE_MS])
async def test_a_commit_repeated_with_its_op_gets_the_first_answer_and_changes_nothing(world, key, keep_lease_ms):
    commit = commit_on(await claimed(world, key), keep_lease_ms=keep_lease_ms)
    first = await world.store.commit(commit)
    after = await world.store.load(key)
    assert await world.store.commit(commit) == first
    assert await world.store.load(key) == after
    assert len(await world.events()) == 2


async def test_a_commit_repeated_after_the_payment_was_claimed_by_another_is_still_committed(world, key):
    commit = commit_on(await claimed(world, key), due_at_ms=await world.now_ms())
    first = await world.store.commit(commit)
    await world.store.claim(0, owner="other", lease_ms=LEASE_MS, limit=1)
    assert await world.store.commit(commit) == first
    assert (await world.store.load(key)).owner == "other"


async def test_a_keeping_commit_renews_the_lease(world, key):
    record = await claimed(world, key)
    await world.advance(LEASE_MS // 2)
    await world.store.commit(commit_on(record, keep_lease_ms=LEASE_MS, due_at_ms=0))
    after = await world.store.load(key)
    assert after.owner == "worker"
    assert after.owned_until_ms - await world.now_ms() > LEASE_MS // 2
    assert await world.due(key) == after.owned_until_ms


async def test_a_commit_of_an_unknown_payment_is_absent(world, key):
    record = await claimed(world, key)
    await world.bury(key, "fingerprint")
    assert (await world.store.commit(commit_on(record))).outcome is CommitOutcome.ABSENT
    assert await world.store.load(key) is None


async def test_a_commit_by_who_is_not_the_owner_any_more_is_fenced(world, key):
    record = await claimed(world, key, owner="slept")
    await world.advance(LEASE_MS)
    await world.store.claim(0, owner="other", lease_ms=LEASE_MS, limit=1)
    before = await world.store.load(key)
    committed = await world.store.commit(commit_on(record))
    assert (committed.outcome, committed.record) == (CommitOutcome.FENCED, None)
    assert await world.store.load(key) == before
    assert len(await world.events()) == 1


async def test_a_commit_after_handing_the_claim_back_is_fenced(world, key):
    record = await claimed(world, key)
    await world.store.release(key, owner="worker", due_at_ms=await world.now_ms())
    assert (await world.store.commit(commit_on(record))).outcome is CommitOutcome.FENCED


async def test_a_commit_on_another_version_is_a_conflict_with_the_stored_record(world, key):
    record = await claimed(world, key)
    await world.store.commit(commit_on(record, keep_lease_ms=LEASE_MS))
    committed = await world.store.commit(commit_on(record, op="of the same owner"))
    assert committed.outcome is CommitOutcome.CONFLICT
    assert committed.record == await world.store.load(key)
    assert committed.record.version == 2


async def test_a_silent_commit_on_another_version_is_a_conflict_too(world, key):
    record = await claimed(world, key)
    await world.store.commit(commit_on(record, keep_lease_ms=LEASE_MS))
    silent = commit_on(record, op="of the same owner", event=None, event_sequence=None)
    assert (await world.store.commit(silent)).outcome is CommitOutcome.CONFLICT
    assert (await world.store.load(key)).version == 2


async def test_being_fenced_is_told_before_the_version(world, key):
    record = await claimed(world, key)
    await world.store.commit(commit_on(record))
    assert (await world.store.commit(commit_on(record, op="late"))).outcome is CommitOutcome.FENCED


@pytest.mark.parametrize("event_sequence", [None, 1, 3])
async def test_an_event_out_of_sequence_is_a_conflict_and_is_not_written(world, key, event_sequence):
    record = await claimed(world, key)
    committed = await world.store.commit(commit_on(record, event_sequence=event_sequence))
    assert (committed.outcome, committed.record) == (CommitOutcome.CONFLICT, record)
    assert len(await world.events()) == 1


async def test_an_own_move_is_refused_while_unseen_observations_wait(world, key):
    record = await claimed(world, key)
    await world.store.notify(key, b"paid", op="n1")
    committed = await world.store.commit(commit_on(record, own_move=True))
    assert committed.outcome is CommitOutcome.NEWS
    assert committed.record.observations == (b"paid",)
    assert committed.record == await world.store.load(key)
    assert committed.record.version == 1


async def test_an_own_move_that_has_seen_all_observations_is_committed(world, key):
    await claimed(world, key)
    await world.store.notify(key, b"paid", op="n1")
    seen = await world.store.load(key)
    assert (await world.store.commit(commit_on(seen, own_move=True))).outcome is CommitOutcome.COMMITTED


async def test_a_commit_removes_the_observations_it_has_seen_and_no_other(world, key):
    await claimed(world, key)
    await world.store.notify(key, b"one", op="n1")
    await world.store.notify(key, b"two", op="n2")
    seen = await world.store.load(key)
    await world.store.notify(key, b"three", op="n3")
    committed = await world.store.commit(commit_on(seen, keep_lease_ms=LEASE_MS))
    assert (committed.observed, committed.observations) == (3, (b"three",))
    after = await world.store.load(key)
    assert (after.observed, after.observations) == (3, (b"three",))
    await world.store.commit(commit_on(after))
    assert (await world.store.load(key)).observations == ()


async def test_a_commit_that_saw_fewer_than_an_earlier_one_removes_nothing(world, key):
    await claimed(world, key)
    await world.store.notify(key, b"one", op="n1")
    record = await world.store.load(key)
    await world.store.commit(commit_on(record, keep_lease_ms=LEASE_MS))
    await world.store.notify(key, b"two", op="n2")
    record = await world.store.load(key)
    await world.store.commit(commit_on(record, observed_seen=0, keep_lease_ms=LEASE_MS))
    assert (await world.store.load(key)).observations == (b"two",)


async def test_a_commit_counts_what_it_has_seen_from_the_payments_beginning(world, key):
    await claimed(world, key)
    await world.store.notify(key, b"one", op="n1")
    await world.store.commit(commit_on(await world.store.load(key), keep_lease_ms=LEASE_MS))
    await world.store.notify(key, b"two", op="n2")
    seen = await world.store.load(key)
    await world.store.notify(key, b"three", op="n3")
    await world.store.commit(commit_on(seen, keep_lease_ms=LEASE_MS))
    assert (await world.store.load(key)).observations == (b"three",)


async def test_a_releasing_commit_with_unseen_observations_is_due_now_whatever_was_asked(world, key):
    record = await claimed(world, key)
    await world.store.notify(key, b"news", op="n1")
    committed = await world.store.commit(commit_on(record, due_at_ms=await world.now_ms() + 60_000))
    assert (committed.outcome, committed.observations) == (CommitOutcome.COMMITTED, (b"news",))
    assert await world.due(key) <= await world.now_ms()
    (again,) = await world.store.claim(0, owner="other", lease_ms=LEASE_MS, limit=1)
    assert again.observations == (b"news",)


async def test_a_keeping_commit_with_unseen_observations_hands_them_to_the_owner(world, key):
    record = await claimed(world, key)
    await world.store.notify(key, b"news", op="n1")
    committed = await world.store.commit(commit_on(record, keep_lease_ms=LEASE_MS))
    assert committed.observations == (b"news",)
    assert await world.due(key) > await world.now_ms()
