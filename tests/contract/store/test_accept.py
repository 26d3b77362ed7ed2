from __future__ import annotations

import pytest

from orchestrator.identity import PaymentKey
from orchestrator.ports import AcceptOutcome, NotifyOutcome
from tests.contract.store.worlds import LEASE_MS, accepted, claimed, commit_on


async def accept(world, key, *, op="op", fingerprint="fingerprint", **more):
    return await world.store.accept(
        key,
        op=op,
        fingerprint=fingerprint,
        body=b"body",
        event=b"event",
        due_at_ms=await world.now_ms(),
        **more,
    )


async def test_accepted_payment_is_stored_with_its_first_event_and_is_due(world, key):
    now = await world.now_ms()
    acceptance = await world.store.accept(
        key, op="op", fingerprint="fingerprint", body=b"\x00\xff", event=b"event", due_at_ms=now + 5
    )
    record = await world.store.load(key)
    assert (acceptance.outcome, acceptance.record) == (AcceptOutcome.ACCEPTED, None)
    assert (record.version, record.sequence, record.observed, record.claims) == (1, 1, 0, 0)
    assert (record.key, record.fingerprint, record.body) == (key, "fingerprint", b"\x00\xff")
    assert (record.owner, record.owned_until_ms, record.observations) == (None, None, ())
    assert await world.events() == [b"event"]
    assert await world.due(key) == now + 5


async def test_accept_repeated_with_the_same_op_gets_the_first_answer_and_changes_nothing(world, key):
    first = await accept(world, key)
    again = await accept(world, key)
    assert again == first
    assert await world.events() == [b"event"]
    assert (await world.store.load(key)).version == 1


@pytest.mark.parametrize(
    ("fingerprint", "outcome"), [("fingerprint", AcceptOutcome.KNOWN), ("other", AcceptOutcome.CONFLICT)]
)
async def test_accept_of_a_stored_id_says_whether_the_content_is_the_same(world, key, fingerprint, outcome):
    await accept(world, key)
    before = await world.store.load(key)
    acceptance = await accept(world, key, op="another", fingerprint=fingerprint, owner="late", lease_ms=LEASE_MS)
    assert (acceptance.outcome, acceptance.record) == (outcome, None)
    assert await world.store.load(key) == before
    assert len(await world.events()) == 1


@pytest.mark.parametrize(
    ("fingerprint", "outcome"), [("fingerprint", AcceptOutcome.KNOWN), ("other", AcceptOutcome.CONFLICT)]
)
async def test_a_tombstone_remembers_the_content(world, key, fingerprint, outcome):
    await accept(world, key)
    await world.bury(key, "fingerprint")
    assert (await accept(world, key, op="new", fingerprint=fingerprint)).outcome is outcome
    assert await world.store.load(key) is None
    assert await world.due(key) is None


async def test_fingerprint_is_found_for_a_payment_and_for_a_tombstone(world, key):
    assert await world.store.find_fingerprint(key) is None
    await accept(world, key)
    assert await world.store.find_fingerprint(key) == "fingerprint"
    await world.bury(key, "buried")
    assert await world.store.find_fingerprint(key) == "buried"


async def test_accept_with_an_owner_claims_in_the_same_step(world, key):
    acceptance = await accept(world, key, owner="worker", lease_ms=LEASE_MS)
    assert acceptance.record == await world.store.load(key)
    assert acceptance.record.owner == "worker"
    assert await world.due(key) == acceptance.record.owned_until_ms
    assert await world.store.claim(0, owner="other", lease_ms=LEASE_MS, limit=10) == []


async def test_accept_with_an_owner_repeated_returns_the_record_while_it_is_the_owner(world, key):
    first = await accept(world, key, owner="worker", lease_ms=LEASE_MS)
    assert await accept(world, key, owner="worker", lease_ms=LEASE_MS) == first
    await world.advance(LEASE_MS)
    assert len(await world.store.claim(0, owner="other", lease_ms=LEASE_MS, limit=10)) == 1
    late = await accept(world, key, owner="worker", lease_ms=LEASE_MS)
    assert (late.outcome, late.record) == (AcceptOutcome.ACCEPTED, None)


async def test_accept_repeated_after_somebody_elses_commit_is_known(world, key):
    record = await claimed(world, key)
    await world.store.commit(commit_on(record))
    acceptance = await accept(world, key, op=f"accept {key}")
    assert acceptance.outcome is AcceptOutcome.KNOWN
    assert (await world.store.load(key)).version == 2


async def test_observations_that_came_before_their_payment_are_kept_for_it(world, key):
    assert await world.store.notify(key, b"early", op="n1") is NotifyOutcome.ORPHANED
    assert await world.store.notify(key, b"early too", op="n2") is NotifyOutcome.ORPHANED
    await accepted(world, key, due_in_ms=60_000)
    (record,) = await world.store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=10)
    assert (record.observed, record.observations) == (2, (b"early", b"early too"))


async def test_orphaned_observation_that_is_told_again_is_kept_once(world, key):
    for _ in range(2):
        assert await world.store.notify(key, b"early", op="n1") is NotifyOutcome.ORPHANED
    await accepted(world, key)
    assert (await world.store.load(key)).observations == (b"early",)


async def test_ids_of_two_merchants_are_two_payments(world):
    one, other = PaymentKey(merchant="a", intent_id="x"), PaymentKey(merchant="b", intent_id="x")
    await accepted(world, one)
    assert await world.store.load(other) is None
    await accepted(world, other)
    assert {record.key async for record in world.store.scan()} == {one, other}
