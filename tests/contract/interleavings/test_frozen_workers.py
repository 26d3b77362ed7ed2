"""A worker stands still and loses its claim: nobody sends a second time, and what it knows is not lost (I1, I2)."""

from __future__ import annotations

import pytest

from orchestrator.payment import OperationState
from tests.unit.core.building import card_body
from tests.unit.engine.world import CARD, DAY_MS, LOST, UNSENT, said

ACTION = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"}, created_at="2027-01-15T08:00:01Z")
LISTED = said({"records": [ACTION], "page": 1, "per_page": 20})


@pytest.fixture(autouse=True)
def _provider(stage):
    stage.desk.script("create", said(ACTION))
    stage.desk.script("capture", said(card_body("waiting")))
    stage.desk.script("card", said(ACTION))


async def stopped(stage, worker, place, doing=None):
    """The worker stands still at a place, with its payment in hand."""
    halt = worker.halt(place)
    turn = stage.start(doing or worker.submit())
    await halt.reached()
    return halt, turn


async def goes_on(stage, halt, turn):
    halt.go()
    await stage.finish(turn)


@pytest.mark.parametrize("place", ["on the wire", "before reply"])
async def test_i1_a_reply_that_comes_after_the_takeover_goes_in_by_notify(stage, brief, w2, place):
    halt, sending = await stopped(stage, brief, place)
    await stage.lease_runs_out()
    await stage.settle(w2)
    assert await stage.story() == ["accepted", "in_doubt"]

    await goes_on(stage, halt, sending)

    assert await stage.is_due()
    await stage.settle(w2)
    assert await stage.story() == ["accepted", "in_doubt", "requires_action"]
    assert (await stage.views())[-1]["observed_by"] == "reply"
    assert stage.ledger.said("payment.fenced") == 1
    assert stage.calls["create"] == 1


async def test_i1_a_reply_that_comes_while_the_new_owner_reads_is_applied_after_it(stage, brief, w2):
    halt, sending = await stopped(stage, brief, "on the wire")
    await stage.lease_runs_out()
    reading, taking = await stopped(stage, w2, "while reading", w2.take())

    await goes_on(stage, halt, sending)
    await goes_on(stage, reading, taking)

    await stage.settle(w2)
    assert await stage.story() == ["accepted", "in_doubt", "requires_action"]
    assert stage.calls["create"] == 1


async def test_i1_the_list_and_the_late_reply_show_one_and_the_same_payment(stage, brief, w2):
    stage.desk.script("list", LISTED)
    halt, sending = await stopped(stage, brief, "on the wire")
    await stage.lease_runs_out()
    await stage.settle(w2)
    assert (await stage.story())[-1] == "requires_action"

    await goes_on(stage, halt, sending)
    await stage.settle(w2)

    payment = await stage.payment()
    assert (payment.reference, payment.aliases, payment.review) == ("uuid:PSADT5CE", (), ())
    assert stage.calls["create"] == 1


async def test_a_lease_that_ran_out_unnoticed_costs_nothing(stage, brief, w2):
    halt, sending = await stopped(stage, brief, "on the wire")
    await stage.lease_runs_out()

    await goes_on(stage, halt, sending)

    assert await w2.take() == 0
    assert await stage.story() == ["accepted", "requires_action"]
    assert stage.calls["create"] == 1


async def test_a_claim_that_is_renewed_during_the_call_is_kept(stage, brief, w2):
    halt, sending = await stopped(stage, brief, "on the wire")
    await stage.lease_runs_out()

    brief.way.lends_ms = None
    lost = await brief.way.renew([CARD], owner="brief", lease_ms=10_000)

    assert lost == frozenset()
    assert await w2.take() == 0
    await goes_on(stage, halt, sending)
    assert await stage.story() == ["accepted", "requires_action"]


@pytest.mark.parametrize("place", ["after accept", "before mark"])
async def test_i1_who_is_frozen_before_the_mark_does_not_send_what_the_new_owner_sent(stage, brief, w2, place):
    halt, frozen = await stopped(stage, brief, place)
    await stage.lease_runs_out()
    await stage.settle(w2)
    assert await stage.story() == ["accepted", "requires_action"]

    await goes_on(stage, halt, frozen)

    assert stage.calls["create"] == 1
    assert stage.ledger.said("payment.fenced") == 1
    assert await stage.story() == ["accepted", "requires_action"]


async def test_i1_who_is_frozen_before_the_mark_does_not_send_while_the_new_owner_sends(stage, brief, w2):
    halt, frozen = await stopped(stage, brief, "before mark")
    await stage.lease_runs_out()
    wire, sending = await stopped(stage, w2, "on the wire", w2.take())

    await goes_on(stage, halt, frozen)
    await goes_on(stage, wire, sending)

    assert stage.calls["create"] == 1
    assert await stage.story() == ["accepted", "requires_action"]


async def test_i1_of_two_who_stand_before_their_marks_the_owner_alone_sends(stage, brief, w2):
    halt, frozen = await stopped(stage, brief, "before mark")
    await stage.lease_runs_out()
    before_mark, sending = await stopped(stage, w2, "before mark", w2.take())

    await goes_on(stage, halt, frozen)
    assert stage.calls["create"] == 0
    await goes_on(stage, before_mark, sending)

    assert stage.calls["create"] == 1
    assert stage.ledger.said("payment.fenced") == 1
    assert await stage.story() == ["accepted", "requires_action"]


@pytest.mark.parametrize("place", ["after mark", "before the wire"])
async def test_who_is_frozen_between_mark_and_call_sends_nothing_and_it_is_sent_once_later(stage, w1, place):
    halt, frozen = await stopped(stage, w1, place)
    await stage.ground.pass_ms(2_001)

    await goes_on(stage, halt, frozen)

    assert stage.calls["create"] == 0
    assert (await stage.payment()).create.state is OperationState.READY
    await stage.settle(w1, for_ms=60_000)
    assert stage.calls["create"] == 1
    assert await stage.story() == ["accepted", "requires_action"]


@pytest.mark.parametrize("place", ["after mark", "before the wire"])
async def test_who_lost_its_claim_between_mark_and_call_sends_nothing_and_lets_the_new_owner_know(
    stage, brief, w2, place
):
    halt, frozen = await stopped(stage, brief, place)
    await stage.lease_runs_out()
    await stage.settle(w2)
    await stage.ground.pass_ms(2_001)
    assert await stage.story() == ["accepted", "in_doubt"]

    await goes_on(stage, halt, frozen)
    assert stage.calls["create"] == 0

    await stage.settle(w2, for_ms=DAY_MS)
    assert stage.calls["create"] == 1
    assert (await stage.story())[-1] == "requires_action"


async def test_i1_who_lost_its_claim_within_the_time_to_send_sends_what_nobody_else_will(stage, brief, w2):
    """The mark is in doubt for the new owner, who looks and does not send: so there is one create all the same."""
    halt, frozen = await stopped(stage, brief, "before the wire")
    await stage.lease_runs_out()
    await stage.settle(w2)
    assert await stage.story() == ["accepted", "in_doubt"]

    await goes_on(stage, halt, frozen)
    await stage.settle(w2)

    assert stage.calls["create"] == 1
    assert await stage.story() == ["accepted", "in_doubt", "requires_action"]


@pytest.mark.parametrize("reply", [LOST, said({}, 502), said({}, 200)], ids=["lost", "502", "no id"])
async def test_i5_a_late_reply_that_says_nothing_leaves_the_payment_in_doubt(stage, brief, w2, reply):
    stage.desk.script("create", reply)
    halt, sending = await stopped(stage, brief, "on the wire")
    await stage.lease_runs_out()
    await stage.settle(w2)

    await goes_on(stage, halt, sending)
    await stage.settle(w2)
    assert await stage.story() == ["accepted", "in_doubt"]

    stage.desk.script("list", LISTED)
    await stage.settle(w2, for_ms=3_600_000)
    assert await stage.story() == ["accepted", "in_doubt", "requires_action"]
    assert stage.calls["create"] == 1


async def test_i5_a_late_explicit_no_to_the_first_attempt_fails_the_payment(stage, brief, w2):
    stage.desk.script("create", said({"errors": {"message": "Invalid amount."}}, 422))
    halt, sending = await stopped(stage, brief, "on the wire")
    await stage.lease_runs_out()
    await stage.settle(w2)

    await goes_on(stage, halt, sending)
    await stage.settle(w2, for_ms=DAY_MS)

    assert await stage.story() == ["accepted", "in_doubt", "failed"]
    assert stage.calls["create"] == 1


@pytest.mark.parametrize("reply", [UNSENT, said({}, 429)], ids=["unsent", "429"])
async def test_a_late_reply_that_nothing_was_executed_lets_the_new_owner_send(stage, brief, w2, reply):
    stage.desk.script("create", reply, said(ACTION))
    halt, sending = await stopped(stage, brief, "on the wire")
    await stage.lease_runs_out()
    await stage.settle(w2)

    await goes_on(stage, halt, sending)
    await stage.settle(w2, for_ms=60_000)

    assert stage.calls["create"] == 2
    assert (await stage.story())[-1] == "requires_action"


@pytest.mark.parametrize("place", ["after mark", "on the wire", "before reply"])
async def test_vector_15_who_dies_with_the_create_in_hand_leaves_it_in_doubt_and_it_is_looked_for(
    stage, brief, w2, place
):
    stage.desk.script("list", LISTED)
    _, dying = await stopped(stage, brief, place)
    await stage.kill(dying)
    assert await w2.take() == 0

    await stage.lease_runs_out()
    await stage.settle(w2, for_ms=60_000)

    assert await stage.story() == ["accepted", "in_doubt", "requires_action"]
    assert stage.calls["create"] == (0 if place == "after mark" else 1)


async def test_who_is_frozen_at_its_release_takes_nothing_from_the_new_owner(stage, brief, w2):
    await brief.deliver()
    await stage.gate.pause("default", for_ms=60_000, reason="unauthorised")
    halt, frozen = await stopped(stage, brief, "before release", brief.take())
    await stage.lease_runs_out()
    [record] = await w2.claim()

    await goes_on(stage, halt, frozen)

    assert (await stage.record()).owner == "w2"
    await stage.gate.pause("default", for_ms=0, reason="")
    await w2.advance(record)
    assert stage.calls["create"] == 1
    assert await stage.story() == ["accepted", "requires_action"]


@pytest.mark.parametrize("place", ["on the wire", "before reply"])
async def test_i1_a_capture_whose_worker_is_frozen_is_sent_once(stage, brief, w2, web, place):
    await brief.submit()
    stage.desk.script("card", said(card_body("authorised")))
    await stage.hook(web, card_body("authorised"))
    halt, frozen = await stopped(stage, brief, place, brief.take())
    await stage.lease_runs_out()
    await stage.settle(w2)
    assert (await stage.story())[-1] == "processing/capturing"

    await goes_on(stage, halt, frozen)
    await stage.settle(w2)

    assert stage.calls["capture"] == 1
    assert (await stage.story())[-2:] == ["processing/capturing", "processing/settling"]
