"""A payment whose leases keep running out is taken by itself alone, so that only the guilty is put aside."""

from __future__ import annotations

import pytest

from orchestrator.identity import PaymentKey
from orchestrator.ports import ALONE_AT_CLAIMS, CommitOutcome
from tests.contract.store.worlds import LEASE_MS, accepted, commit_on

REST_MS = 300_000


def payment(intent_id, merchant="default"):
    return PaymentKey(merchant=merchant, intent_id=intent_id)


async def claim(world, *, limit=10):
    records = await world.store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=limit)
    return [record.key.intent_id for record in records]


async def claim_alone(world, *, owner="worker"):
    return await world.store.claim_alone(0, owner=owner, lease_ms=LEASE_MS)


async def let_workers_die(world, key, *, times=ALONE_AT_CLAIMS):
    await accepted(world, key)
    for _ in range(times):
        assert await world.store.claim_one(key, owner="victim", lease_ms=LEASE_MS) is not None
        await world.advance(LEASE_MS)


async def suspected(world, key):
    """Let the payment be a suspect that a claim has met."""
    await let_workers_die(world, key)
    assert await claim(world) == []


async def died_alone(world, key):
    """Let its worker die once more, with nothing else in hand."""
    await suspected(world, key)
    assert (await claim_alone(world, owner="victim")).claims == ALONE_AT_CLAIMS
    await world.advance(LEASE_MS)
    assert await claim(world) == []


async def test_a_payment_whose_lease_ran_out_five_times_is_claimed_alone_and_does_not_hold_up_the_others(world):
    await accepted(world, payment("early"), due_in_ms=-100 * LEASE_MS)
    await let_workers_die(world, payment("killer"))
    await let_workers_die(world, payment("unlucky"), times=ALONE_AT_CLAIMS - 1)
    await accepted(world, payment("late"))
    assert await world.store.suspects() == []
    assert sorted(await claim(world)) == ["early", "late", "unlucky"]
    assert await world.store.suspects() == [0]
    suspect = await claim_alone(world)
    assert (suspect.key.intent_id, suspect.claims, suspect.owner) == ("killer", ALONE_AT_CLAIMS, "worker")
    assert await world.store.suspects() == []
    assert await claim_alone(world) is None


async def test_more_suspects_than_a_claim_may_take_are_out_of_its_way_at_the_next(world):
    for number in range(3):
        await let_workers_die(world, payment(f"killer-{number}"))
    await accepted(world, payment("late"))
    claims = [await claim(world, limit=2), await claim(world, limit=2)]
    assert sorted(claims) == [[], ["late"]]


async def test_suspects_are_claimed_one_after_the_other_the_longest_known_first(world):
    for name in ("one", "two"):
        await suspected(world, payment(name))
    assert [(await claim_alone(world)).key.intent_id for _ in range(2)] == ["one", "two"]


async def test_a_suspect_that_nobody_takes_stays_due_and_known(world, key):
    await suspected(world, key)
    for _ in range(3):
        await world.advance(LEASE_MS)
        assert await claim(world) == []
        assert await world.due(key) > await world.now_ms()
    assert (await claim_alone(world)).claims == ALONE_AT_CLAIMS


async def test_a_lease_of_a_suspect_that_ran_out_in_company_does_not_count(world, key):
    await suspected(world, key)
    await world.store.claim_one(key, owner="victim", lease_ms=LEASE_MS)
    await world.advance(LEASE_MS)
    await claim(world)
    assert (await claim_alone(world)).claims == ALONE_AT_CLAIMS


async def test_a_lease_that_ran_out_alone_counts_on(world, key):
    await died_alone(world, key)
    assert (await claim_alone(world)).claims == ALONE_AT_CLAIMS + 1


@pytest.mark.parametrize(("alone", "claims"), [(True, ALONE_AT_CLAIMS + 1), (False, ALONE_AT_CLAIMS)])
async def test_a_renewal_says_whether_the_suspect_is_still_alone(world, key, alone, claims):
    await suspected(world, key)
    await claim_alone(world, owner="victim")
    assert await world.store.renew([key], owner="victim", lease_ms=LEASE_MS, alone=alone) == frozenset()
    await world.advance(LEASE_MS)
    await claim(world)
    assert (await claim_alone(world)).claims == claims


async def test_a_commit_that_forgives_ends_the_suspicion(world, key):
    await died_alone(world, key)
    record = await claim_alone(world)
    await world.store.commit(commit_on(record, due_at_ms=await world.now_ms()))
    assert await claim(world) == [key.intent_id]
    assert (await world.store.load(key)).claims == 0


@pytest.mark.parametrize("keep_lease_ms", [None, LEASE_MS])
async def test_a_commit_that_does_not_forgive_leaves_the_count(world, key, keep_lease_ms):
    await suspected(world, key)
    record = await claim_alone(world)
    commit = commit_on(record, due_at_ms=await world.now_ms(), keep_lease_ms=keep_lease_ms, forgives=False)
    assert (await world.store.commit(commit)).outcome is CommitOutcome.COMMITTED
    assert (await world.store.load(key)).claims == ALONE_AT_CLAIMS


async def test_a_suspect_at_work_or_forgiven_since_is_not_claimed_as_one(world, key):
    await suspected(world, key)
    record = await world.store.claim_one(key, owner="worker", lease_ms=LEASE_MS)
    assert await claim_alone(world, owner="other") is None
    await world.advance(LEASE_MS)
    assert await claim(world) == []
    await world.store.commit(commit_on(record, due_at_ms=await world.now_ms()))
    assert await world.store.suspects() == [0]
    assert await claim_alone(world) is None
    assert await world.store.suspects() == []


async def rest_by_commit(world, record):
    await world.store.notify(record.key, b"unseen", op="unseen")
    commit = commit_on(record, rest_ms=REST_MS)
    assert (await world.store.commit(commit)).outcome is CommitOutcome.COMMITTED
    assert (await world.store.commit(commit)).outcome is CommitOutcome.COMMITTED


async def rest_unchanged(world, record):
    await world.store.notify(record.key, b"unseen", op="unseen")
    assert await world.store.rest(record.key, owner=record.owner, rests=record.rests, for_ms=REST_MS)
    assert not await world.store.rest(record.key, owner=record.owner, rests=record.rests, for_ms=REST_MS)


by_both_ways = pytest.mark.parametrize("put_aside", [rest_by_commit, rest_unchanged])


@by_both_ways
async def test_what_is_put_aside_rests_whatever_waits_and_is_tried_again_alone(world, key, put_aside):
    await died_alone(world, key)
    await put_aside(world, await claim_alone(world))
    stored = await world.store.load(key)
    assert (stored.claims, stored.rests, stored.owner) == (ALONE_AT_CLAIMS, 1, None)
    assert stored.observations == (b"unseen",)
    assert abs(await world.due(key) - await world.now_ms() - REST_MS) < 1000
    await world.store.notify(key, b"a webhook", op="webhook")
    assert await claim(world) == []
    assert await claim_alone(world) is None

    await world.advance(REST_MS)
    assert await claim(world) == []
    again = await claim_alone(world)
    assert (again.claims, again.rests) == (ALONE_AT_CLAIMS, 1)
    assert again.observations == (b"unseen", b"a webhook")


@by_both_ways
async def test_a_command_ends_the_rest(world, key, put_aside):
    await died_alone(world, key)
    await put_aside(world, await claim_alone(world))
    await world.store.notify(key, b"a command", op="command", is_command=True)
    assert await world.due(key) <= await world.now_ms()
    await claim(world)
    assert (await claim_alone(world)).claims == ALONE_AT_CLAIMS


@by_both_ways
async def test_one_that_is_no_suspect_rests_too_and_comes_back_among_the_others(world, key, put_aside):
    await accepted(world, key)
    for rests in range(3):
        record = await world.store.claim_one(key, owner="worker", lease_ms=LEASE_MS)
        assert (record.claims, record.rests) == (0, rests)
        await put_aside(world, record)
        await world.advance(REST_MS)
    assert await claim(world) == [key.intent_id]
    record = await world.store.load(key)
    await world.store.commit(commit_on(record, due_at_ms=await world.now_ms()))
    assert (await world.store.load(key)).rests == 0


async def test_a_repeat_does_not_put_a_payment_aside_that_its_owner_claimed_again_meanwhile(world, key):
    await accepted(world, key)
    first = await world.store.claim_one(key, owner="owner", lease_ms=LEASE_MS)
    assert await world.store.rest(key, owner="owner", rests=first.rests, for_ms=REST_MS)
    second = await world.store.claim_one(key, owner="owner", lease_ms=LEASE_MS)
    assert not await world.store.rest(key, owner="owner", rests=first.rests, for_ms=REST_MS)
    assert await world.store.load(key) == second
    assert await world.store.rest(key, owner="owner", rests=second.rests, for_ms=REST_MS)


async def test_only_the_owner_can_put_a_payment_aside(world, key):
    await accepted(world, key)
    record = await world.store.claim_one(key, owner="owner", lease_ms=LEASE_MS)
    assert not await world.store.rest(key, owner="other", rests=0, for_ms=REST_MS)
    assert not await world.store.rest(payment("absent"), owner="other", rests=0, for_ms=REST_MS)
    assert await world.store.load(key) == record
    assert (await world.store.commit(commit_on(record, owner="other", rest_ms=1))).outcome is CommitOutcome.FENCED
