"""A payment that cannot be advanced stops only itself (I9), is seen, and goes on by itself once it can."""

from __future__ import annotations

from itertools import groupby

import pytest

from orchestrator import parking
from orchestrator.advance import advance
from orchestrator.codec import encode
from orchestrator.errors import StoreCorruptError
from orchestrator.history import entry_of
from orchestrator.identity import shard_of
from orchestrator.parking import PARKED_FROM, RESTS_MS, UNREADABLE_MS, put_aside
from orchestrator.payment import CREATE, OperationState
from orchestrator.ports import ALONE_AT_CLAIMS
from tests.unit.core.building import card_body
from tests.unit.engine.world import CARD, World, said

PENDING = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})
SHARD = shard_of(CARD, shards=64)
LEASE_MS = 10_000
PARKED_MS = RESTS_MS[PARKED_FROM]


class BrokenError(Exception):
    """What a defect of the program raises."""


@pytest.fixture
def world() -> World:
    world = World()
    world.provider.script("create", said(PENDING))
    world.provider.script("card", said(PENDING))
    return world


def statuses(world):
    return [status for status, _ in groupby(world.story())]


async def let_workers_die(world, times=ALONE_AT_CLAIMS):
    for _ in range(times):
        await world.claim(worker="w2")
        world.clock.ms += LEASE_MS


async def claim_alone(world, *, worker="w1"):
    await world.store.claim(SHARD, owner=worker, lease_ms=LEASE_MS, limit=10)
    return await world.store.claim_alone(SHARD, owner=worker, lease_ms=LEASE_MS)


async def turn_alone(world):
    record = await claim_alone(world)
    await advance(record, engine=world.engines["w1"])
    return record


async def die_alone(world):
    assert (await claim_alone(world, worker="w2")).owner == "w2"
    world.clock.ms += LEASE_MS


async def parked(world):
    await world.deliver()
    await let_workers_die(world)
    await die_alone(world)
    await turn_alone(world)


async def test_an_innocent_suspect_is_advanced_alone_and_free_of_suspicion(world):
    await world.deliver()
    await let_workers_die(world)
    assert await world.turn() == 0
    await turn_alone(world)
    assert statuses(world) == ["accepted", "requires_action"]
    assert world.last()["review"] == []
    assert (await world.store.load(CARD)).claims == 0


async def test_who_died_with_it_alone_is_evidence_enough_to_park_it_with_a_review(world):
    await parked(world)
    assert world.provider.requests == []
    assert world.last()["review"] == ["parked"]
    assert statuses(world) == ["accepted"]
    assert world.store.due(CARD) == world.clock.ms + PARKED_MS
    assert (await world.payment()).operations[CREATE].state is OperationState.READY
    assert entry_of((await world.payment()).history[-1]).said == f"{ALONE_AT_CLAIMS + 1} leases ran out"
    assert world.ledger.said("payment.parked") == 1


async def test_a_parked_payment_is_tried_again_alone_and_its_review_goes_when_it_went_well(world):
    await parked(world)
    world.clock.ms += PARKED_MS
    assert await world.turn() == 0
    await turn_alone(world)
    assert statuses(world) == ["accepted", "requires_action"]
    assert world.last()["review"] == []
    record = await world.store.load(CARD)
    assert (record.claims, record.rests) == (0, 0)
    await world.assert_consistent()


async def test_each_further_death_costs_one_worker_and_a_longer_rest(world):
    await parked(world)
    for rest_ms in RESTS_MS[PARKED_FROM:]:
        assert world.store.due(CARD) == world.clock.ms + rest_ms
        world.clock.ms += rest_ms
        await die_alone(world)
        record = await turn_alone(world)
        assert record.claims == ALONE_AT_CLAIMS + 1
    assert world.store.due(CARD) == world.clock.ms + RESTS_MS[-1]
    assert world.last()["review"] == ["parked"]
    await world.assert_consistent()


async def test_one_that_kills_who_parks_it_is_put_aside_unopened(world):
    await world.deliver()
    await let_workers_die(world)
    await die_alone(world)
    await die_alone(world)
    before = await world.payment()
    await turn_alone(world)
    assert await world.payment() == before
    assert world.store.due(CARD) == world.clock.ms + PARKED_MS
    assert world.ledger.said("payment.parked") == 1


async def test_news_of_a_parked_payment_waits_for_it_and_a_command_wakes_it(world):
    await parked(world)
    await world.hook(card_body("failed"), turn=False)
    assert await world.turn() == 0
    assert await claim_alone(world) is None
    await world.command("cancel", turn=False)
    await turn_alone(world)
    assert statuses(world) == ["accepted", "failed"]
    assert world.last()["review"] == ["unexpected_observation"]


async def test_a_suspect_that_could_not_do_its_step_yet_stays_a_suspect(world):
    await world.deliver()
    await let_workers_die(world)
    await world.gate.pause("default", for_ms=60_000, reason="test")
    await turn_alone(world)
    assert (await world.store.load(CARD)).claims == ALONE_AT_CLAIMS
    assert await world.turn() == 0


async def test_a_suspect_is_not_forgiven_before_its_turn_has_ended(world):
    async def dies(_request):
        raise BrokenError

    await world.deliver()
    await let_workers_die(world)
    world.provider.script("create", dies)
    with pytest.raises(BrokenError):  # after the mark was committed
        await turn_alone(world)
    world.clock.ms += LEASE_MS
    assert (await claim_alone(world)).claims == ALONE_AT_CLAIMS + 1


@pytest.mark.parametrize("lost", [1, ALONE_AT_CLAIMS - 1])
async def test_who_was_with_a_dying_worker_is_forgiven_when_nothing_is_left_to_do(world, lost):
    await world.submit()
    world.clock.ms = world.store.due(CARD)
    await let_workers_die(world, lost)
    await world.turn()
    assert (await world.store.load(CARD)).claims == 0


async def failing_turn(world, error=None):
    await world.claim()
    await put_aside(CARD, error or BrokenError(), engine=world.engines["w1"])


async def test_a_turn_that_fails_is_tried_again_after_longer_and_longer_rests_and_then_told(world):
    await world.deliver()
    for turns, rest_ms in enumerate((*RESTS_MS, RESTS_MS[-1])):
        await failing_turn(world)
        assert world.store.due(CARD) == world.clock.ms + rest_ms
        assert world.last()["review"] == (["parked"] if turns >= PARKED_FROM else [])
        world.clock.ms += rest_ms
    assert entry_of((await world.payment()).history[-1]).said == f"{len(RESTS_MS) + 1} turns failed"
    await world.assert_consistent()


async def test_a_turn_that_goes_well_at_last_ends_all_that(world):
    await world.deliver()
    for rest_ms in RESTS_MS[: PARKED_FROM + 1]:
        await failing_turn(world)
        world.clock.ms += rest_ms
    assert world.last()["review"] == ["parked"]
    await world.turn()
    assert statuses(world) == ["accepted", "requires_action"]
    assert world.last()["review"] == []
    assert (await world.store.load(CARD)).rests == 0
    await world.assert_consistent()


async def test_what_waits_for_a_failing_payment_is_kept_and_does_not_make_it_spin(world):
    await world.deliver()
    await world.hook(card_body("failed"), turn=False)
    for rest_ms in RESTS_MS:
        await failing_turn(world)
        assert await world.turn() == 0
        world.clock.ms += rest_ms
    await world.turn()
    assert statuses(world)[-1] == "failed"


async def test_one_that_cannot_be_told_of_is_put_aside_all_the_same(world, monkeypatch):
    def cannot(*args, **kwargs):
        raise BrokenError

    await world.deliver()
    monkeypatch.setattr(parking, "parked", cannot)
    for rest_ms in RESTS_MS:
        await failing_turn(world)
        assert world.store.due(CARD) == world.clock.ms + rest_ms
        world.clock.ms += rest_ms
    assert world.ledger.said("payment.not_told") == len(RESTS_MS) - PARKED_FROM


async def test_one_that_this_version_cannot_read_is_left_alone_for_another(world):
    await world.deliver()
    readable = (await world.store.load(CARD)).body
    world.store._payments[CARD].body = b"of a later version"
    for _ in range(2 * len(RESTS_MS)):
        record = await world.claim()
        with pytest.raises(StoreCorruptError):
            await advance(record, engine=world.engines["w1"])
        await put_aside(CARD, StoreCorruptError(), engine=world.engines["w1"])
        assert world.store.due(CARD) == world.clock.ms + UNREADABLE_MS
        assert (await world.store.load(CARD)).claims == 0
        world.clock.ms += UNREADABLE_MS
    assert (await world.store.load(CARD)).body == b"of a later version"
    assert statuses(world) == ["accepted"]
    world.store._payments[CARD].body = readable
    await world.turn(worker="w2")
    assert statuses(world) == ["accepted", "requires_action"]


async def test_a_reply_in_hand_waits_beside_a_payment_that_another_version_wrote_meanwhile(world):
    await world.deliver()
    readable = []

    async def another_version_writes(_request):
        world.clock.ms += LEASE_MS
        await advance(await world.claim(worker="w2"), engine=world.engines["w2"])
        stored = world.store._payments[CARD]
        readable.append(stored.body)
        stored.body = b"of a later version"
        await world.store.claim_one(CARD, owner="w1", lease_ms=LEASE_MS)
        return said(PENDING)

    world.provider.script("create", another_version_writes)
    with pytest.raises(StoreCorruptError):
        await advance(await world.claim(), engine=world.engines["w1"])
    await put_aside(CARD, StoreCorruptError(), engine=world.engines["w1"])

    world.store._payments[CARD].body = readable[0]
    world.clock.ms += UNREADABLE_MS
    world.provider.script("card", said(card_body("mystery")))
    await world.turn(worker="w2")
    assert (await world.payment()).reference == "uuid:PSADT5CE"
    assert world.provider.calls["create"] == 1
    assert statuses(world)[-1] == "requires_action"


async def test_a_claim_that_was_lost_during_the_failing_turn_is_left_to_its_new_owner(world):
    await world.deliver()
    await world.claim(worker="w1")
    world.clock.ms += LEASE_MS
    record = await world.claim(worker="w2")
    await put_aside(CARD, BrokenError(), engine=world.engines["w1"])
    assert await world.store.load(CARD) == record


async def test_a_claim_that_is_lost_while_its_payment_is_put_aside_is_left_to_its_new_owner_too(world, monkeypatch):
    await world.deliver()
    for rest_ms in RESTS_MS[:PARKED_FROM]:
        await failing_turn(world)
        world.clock.ms += rest_ms
    commit, taken = world.store.commit, []

    async def taken_over_before(wanted):
        world.clock.ms += LEASE_MS
        taken.append(await world.claim(worker="w2"))
        return await commit(wanted)

    monkeypatch.setattr(world.store, "commit", taken_over_before)
    await failing_turn(world)

    assert await world.store.load(CARD) == taken[0]
    assert world.ledger.said("payment.fenced") == 1


async def test_a_stopping_worker_begins_nothing_and_hands_over_at_once(world):
    await world.deliver()
    await advance(await world.claim(), engine=world.engines["w1"], is_stopping=lambda: True)
    assert world.provider.requests == []
    assert world.store.due(CARD) <= world.clock.ms
    await world.turn(worker="w2")
    assert statuses(world) == ["accepted", "requires_action"]


async def test_a_worker_that_is_told_to_stop_during_a_call_commits_its_reply(world):
    stopping = []

    async def told_meanwhile(_request):
        stopping.append(True)
        return said(card_body("authorised"))

    world.provider.script("create", told_meanwhile)
    world.provider.script("capture", said(card_body("waiting")))
    await world.deliver()
    await advance(await world.claim(), engine=world.engines["w1"], is_stopping=lambda: bool(stopping))
    assert statuses(world) == ["accepted", "processing/capturing"]
    assert world.provider.calls["capture"] == 0
    assert world.store.due(CARD) <= world.clock.ms
    await world.turn(worker="w2")
    assert world.provider.calls["capture"] == 1
    assert encode(await world.payment()) == (await world.store.load(CARD)).body


async def test_one_that_is_put_aside_while_the_store_loses_writes_is_told_all_the_same(world, monkeypatch):
    await world.deliver()
    for rest_ms in RESTS_MS[:PARKED_FROM]:
        await failing_turn(world)
        world.clock.ms += rest_ms
    commit = world.store.commit
    answers: list[str] = []

    async def losing_before(wanted):
        if not answers:
            world.store.lose_tail(SHARD)
        answers.append((await commit(wanted)).outcome)
        return await commit(wanted)

    monkeypatch.setattr(world.store, "commit", losing_before)
    await failing_turn(world)

    assert answers == ["conflict", "committed"]
    assert "parked" in world.last()["review"]
    assert world.store.due(CARD) == world.clock.ms + PARKED_MS
