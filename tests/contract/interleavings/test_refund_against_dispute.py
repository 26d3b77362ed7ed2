"""A refund against a dispute, and against all else that may come at its moments: it is sent once or never (I1)."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.payment import OperationState, refund_name
from tests.unit.core.building import payin_body, payin_intent
from tests.unit.engine.world import DAY_MS, LOST, PAYIN, said

RECEIVED, DISPUTED = payin_body("received"), payin_body("in_dispute")
TAKEN = said(payin_body("return_pending"))
NO_BALANCE = said({"errors": {"code": "NO_BALANCE", "message": "The balance is too low."}}, 422)
UNSENT_AT = ("before mark",)
SENT_AT = ("after mark", "before the wire", "on the wire", "before reply", "after reply")
REFUSED = "refusal/default/c-r-1"


@pytest.fixture(autouse=True)
async def _paid(stage, w1):
    """A payin that succeeded."""
    stage.desk.script("create", said(RECEIVED))
    stage.desk.script("detail", said(RECEIVED))
    stage.desk.script("refund", TAKEN)
    await w1.submit(payin_intent())
    assert await stage.story(PAYIN) == ["accepted", "succeeded"]


async def asked(worker, refund_id="r-1", amount_minor=2_500, command_id=None):
    """The command is kept with the payment."""
    chosen = command_id or f"c-{refund_id}"
    await worker.command("refund", PAYIN, command_id=chosen, refund_id=refund_id, amount_minor=amount_minor)


async def stopped(stage, worker, place):
    halt = worker.halt(place)
    turn = stage.start(worker.take())
    await halt.reached()
    return halt, turn


async def goes_on(stage, halt, turn):
    halt.go()
    await stage.finish(turn)


async def story(stage):
    """What was published after the success."""
    return (await stage.story(PAYIN))[2:]


async def state(stage):
    return (await stage.payment(PAYIN)).operations[refund_name("r-1")].state


async def refusals(stage):
    return await stage.ground.world.dead_letters()


@pytest.mark.parametrize("first", ["command", "webhook"])
async def test_a_dispute_before_anybody_takes_the_command_up_stops_the_refund(stage, w1, web, first):
    if first == "command":
        await asked(w1)
    await stage.hook(web, DISPUTED, PAYIN)
    if first == "webhook":
        await asked(w1)

    await stage.settle(w1, for_ms=DAY_MS)

    assert stage.calls["refund"] == 0
    assert await refusals(stage) == [REFUSED]
    assert await story(stage) == ["disputed"]


@pytest.mark.parametrize("place", [*UNSENT_AT, *SENT_AT])
async def test_a_dispute_before_the_mark_stops_the_refund_and_one_after_it_does_not(stage, w1, web, place):
    await asked(w1)
    halt, turn = await stopped(stage, w1, place)

    await stage.hook(web, DISPUTED, PAYIN)
    await goes_on(stage, halt, turn)
    stage.desk.script("detail", said(DISPUTED))
    await stage.settle(w1, for_ms=3 * DAY_MS)

    is_sent = place in SENT_AT
    assert stage.calls["refund"] == int(is_sent)
    assert await refusals(stage) == ([] if is_sent else [REFUSED])
    assert await story(stage) == (["refund_pending", "disputed"] if is_sent else ["disputed"])


@pytest.mark.parametrize("place", [*UNSENT_AT, *SENT_AT])
async def test_a_refund_begun_elsewhere_before_the_mark_stops_ours(stage, w1, web, place):
    await asked(w1)
    halt, turn = await stopped(stage, w1, place)

    await stage.hook(web, payin_body("return_pending"), PAYIN)
    await goes_on(stage, halt, turn)
    await stage.settle(w1)

    assert stage.calls["refund"] == int(place in SENT_AT)
    assert await refusals(stage) == ([] if place in SENT_AT else [REFUSED])
    assert await story(stage) == ["refund_pending"]


@pytest.mark.parametrize("when", ["before the doubt", "after the doubt"])
async def test_a_refund_in_doubt_and_a_dispute_are_followed_and_nothing_is_sent_again(stage, w1, web, when):
    stage.desk.script("refund", LOST)
    await asked(w1)
    halt, turn = await stopped(stage, w1, "on the wire")
    if when == "before the doubt":
        await stage.hook(web, DISPUTED, PAYIN)
    await goes_on(stage, halt, turn)
    stage.desk.script("detail", said(DISPUTED))
    await stage.hook(web, DISPUTED, PAYIN)
    await stage.settle(w1, for_ms=2 * DAY_MS)
    assert (await story(stage))[-1] == "disputed"
    assert await state(stage) is OperationState.IN_DOUBT

    stage.desk.script("detail", said(RECEIVED))
    await stage.hook(web, RECEIVED, PAYIN)
    await stage.settle(w1, for_ms=2 * DAY_MS)

    assert stage.calls["refund"] == 1
    assert (await story(stage))[-1] == "refund_pending"
    assert (await stage.views(PAYIN))[-1]["review"] == ["in_doubt_aged"]


async def test_a_refund_in_doubt_is_done_when_the_provider_speaks_of_it(stage, w1, web):
    stage.desk.script("refund", LOST)
    await asked(w1)
    await stage.settle(w1)
    assert (await story(stage), await state(stage)) == (["refund_pending"], OperationState.IN_DOUBT)

    await stage.hook(web, payin_body("return_pending"), PAYIN)
    await stage.settle(w1)

    assert (await story(stage), await state(stage)) == (["refund_pending"], OperationState.DONE)
    assert stage.calls["refund"] == 1


async def test_i1_who_is_frozen_before_the_refunds_mark_does_not_send_what_the_new_owner_sent(stage, brief, w2):
    await asked(w2)
    halt, frozen = await stopped(stage, brief, "before mark")
    await stage.lease_runs_out(PAYIN)
    await stage.settle(w2)
    assert stage.calls["refund"] == 1

    await goes_on(stage, halt, frozen)

    assert stage.calls["refund"] == 1
    assert await story(stage) == ["refund_pending"]


@pytest.mark.parametrize("reply", ["taken", "refused"])
@pytest.mark.parametrize("is_disputed", [False, True])
async def test_i1_a_late_reply_to_the_refund_of_a_frozen_worker_settles_it(stage, brief, w2, web, reply, is_disputed):
    stage.desk.script("refund", TAKEN if reply == "taken" else NO_BALANCE)
    await asked(w2)
    halt, frozen = await stopped(stage, brief, "on the wire")
    await stage.lease_runs_out(PAYIN)
    if is_disputed:
        stage.desk.script("detail", said(DISPUTED))
        await stage.hook(web, DISPUTED, PAYIN)
    await stage.settle(w2, for_ms=1_000)
    assert await state(stage) is OperationState.IN_DOUBT

    await goes_on(stage, halt, frozen)
    await stage.settle(w2, for_ms=1_000)

    assert stage.calls["refund"] == 1
    assert await state(stage) is (OperationState.DONE if reply == "taken" else OperationState.REFUSED)
    assert await refusals(stage) == ([] if reply == "taken" else [REFUSED])


@pytest.mark.parametrize("place", ["after mark", "on the wire", "before reply"])
async def test_i1_who_dies_with_the_refund_in_hand_leaves_it_in_doubt_for_a_person(stage, brief, w2, place):
    await asked(w2)
    _, dying = await stopped(stage, brief, place)
    await stage.kill(dying)
    await stage.lease_runs_out(PAYIN)

    await stage.settle(w2, for_ms=3 * DAY_MS)

    assert stage.calls["refund"] == (0 if place == "after mark" else 1)
    assert await state(stage) is OperationState.IN_DOUBT
    assert (await stage.views(PAYIN))[-1]["review"] == ["in_doubt_aged"]


async def test_i1_a_refund_that_was_too_late_to_send_is_sent_once_later(stage, w1):
    await asked(w1)
    halt, turn = await stopped(stage, w1, "after mark")
    await stage.ground.pass_ms(2_001)
    await goes_on(stage, halt, turn)
    assert stage.calls["refund"] == 0

    await stage.settle(w1, for_ms=60_000)

    assert stage.calls["refund"] == 1
    assert (await story(stage))[-1] == "refund_pending"


async def test_a_dispute_between_a_refund_that_was_too_late_to_send_and_its_repeat_stops_it(stage, w1, web):
    await asked(w1)
    halt, turn = await stopped(stage, w1, "after mark")
    await stage.ground.pass_ms(2_001)
    await stage.hook(web, DISPUTED, PAYIN)
    await goes_on(stage, halt, turn)

    await stage.settle(w1, for_ms=DAY_MS)

    assert stage.calls["refund"] == 0
    assert await refusals(stage) == [REFUSED]
    assert (await story(stage))[-1] == "disputed"


async def test_i1_two_refunds_at_once_are_one_refund_and_one_refusal(stage, w1, w2):
    await asyncio.gather(asked(w1, "r-1"), asked(w2, "r-2"))
    await asyncio.gather(w1.take(), w2.take())
    await stage.settle(w1)

    assert stage.calls["refund"] == 1
    assert len(await refusals(stage)) == 1


@pytest.mark.parametrize("place", [*UNSENT_AT, *SENT_AT])
async def test_i1_a_refund_asked_for_again_at_any_moment_is_sent_once(stage, w1, w2, place):
    await asked(w1)
    halt, turn = await stopped(stage, w1, place)

    await asked(w2)
    await asked(w2, command_id="c-other")
    await goes_on(stage, halt, turn)
    await stage.settle(w2)

    assert stage.calls["refund"] == 1
    assert await refusals(stage) == []
    assert await story(stage) == ["refund_pending"]


@pytest.mark.parametrize("place", ["before refuse", "after refuse"])
@pytest.mark.parametrize("reply", ["refused by the provider", "overtaken by a dispute"])
async def test_a_refusal_is_told_once_though_its_worker_dies_while_it_tells(stage, brief, w2, web, place, reply):
    stage.desk.script("refund", NO_BALANCE)
    await asked(w2)
    if reply == "overtaken by a dispute":
        await stage.hook(web, DISPUTED, PAYIN)
    _, dying = await stopped(stage, brief, place)
    await stage.kill(dying)
    await stage.lease_runs_out(PAYIN)

    await stage.settle(w2, for_ms=DAY_MS)

    assert await refusals(stage) == [REFUSED]
    assert stage.calls["refund"] == (0 if reply == "overtaken by a dispute" else 1)


@pytest.mark.parametrize("fault", ["lost", "away"])
@pytest.mark.parametrize("call", ["mark", "reply", "refuse"])
async def test_i1_lost_answers_around_a_refund_send_and_tell_it_once(stage, w1, call, fault):
    if call == "refuse":
        stage.desk.script("refund", NO_BALANCE)
    await asked(w1)
    w1.way.disturb(call, fault, fault)

    await stage.settle(w1)

    assert w1.way.faults == {call: []}
    assert stage.calls["refund"] == 1
    assert await refusals(stage) == ([REFUSED] if call == "refuse" else [])
