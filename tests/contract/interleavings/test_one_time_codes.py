"""A one-time code goes to the provider once, whatever happens around it (I1, T-47)."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.payment import CONFIRM_OTP, OperationState
from tests.unit.core.building import payin_body, payin_intent
from tests.unit.engine.world import DAY_MS, LOST, PAYIN, said

MOBILE = payin_intent(
    currency="GHS",
    method={"payin_method_name": "gh_mobile_money_ghs", "payin_method_params": {"account_number": "0551234567"}},
)
PENDING = payin_body("pending", currency="GHS", stage="authorize_otp")
OK = said({"status": "Ok"})
CODES_KEPT = ("before mark", "after mark", "before the wire", "on the wire", "before reply")
GRACE_ENDS_MS = 100_000


@pytest.fixture(autouse=True)
async def _asked(stage, w1):
    """A payin that waits for its customer's code."""
    stage.desk.script("create", said(PENDING))
    stage.desk.script("detail", said(payin_body("pending", currency="GHS")))
    stage.desk.script("otp", OK)
    await w1.submit(MOBILE)
    assert await stage.story(PAYIN) == ["accepted", "requires_action"]


async def entered(worker, code="123456", command_id="c-1"):
    await worker.command("confirm_otp", PAYIN, command_id=command_id, code=code)


async def stopped(stage, worker, place):
    halt = worker.halt(place)
    turn = stage.start(worker.take())
    await halt.reached()
    return halt, turn


async def goes_on(stage, halt, turn):
    halt.go()
    await stage.finish(turn)


def codes(stage):
    """The codes that the provider was given."""
    return [request.body["code"] for kind, request in stage.desk.requests if kind == "otp"]


async def test_i1_two_codes_at_once_send_one(stage, w1, w2):
    await asyncio.gather(entered(w1, "111111", "c-1"), entered(w2, "222222", "c-2"))
    await asyncio.gather(w1.take(), w2.take())
    await stage.settle(w1)

    assert len(codes(stage)) == 1
    assert len(await stage.ground.world.dead_letters()) == 1


@pytest.mark.parametrize("place", CODES_KEPT)
async def test_i1_another_code_at_any_moment_of_the_first_is_refused(stage, w1, w2, place):
    await entered(w1)
    halt, turn = await stopped(stage, w1, place)

    await entered(w2, "222222", "c-2")
    await goes_on(stage, halt, turn)
    await stage.settle(w2)

    assert codes(stage) == ["123456"]
    assert await stage.ground.world.dead_letters() == ["refusal/default/c-2"]


@pytest.mark.parametrize("place", ["after mark", "on the wire", "before reply"])
async def test_i1_a_code_whose_worker_dies_is_not_sent_again_by_the_program(stage, brief, w2, place):
    await entered(w2)
    _, dying = await stopped(stage, brief, place)
    await stage.kill(dying)
    await stage.lease_runs_out(PAYIN)

    await stage.settle(w2, for_ms=DAY_MS)

    assert codes(stage) == ([] if place == "after mark" else ["123456"])
    assert (await stage.payment(PAYIN)).otp_code is None


async def test_i1_a_code_that_two_workers_have_in_hand_is_sent_by_the_owner(stage, brief, w2):
    await entered(w2)
    halt, frozen = await stopped(stage, brief, "before mark")
    await stage.lease_runs_out(PAYIN)
    await stage.settle(w2)

    await goes_on(stage, halt, frozen)

    assert codes(stage) == ["123456"]


async def test_a_late_ok_lifts_the_doubt(stage, brief, w2):
    await entered(w2)
    halt, frozen = await stopped(stage, brief, "on the wire")
    await stage.lease_runs_out(PAYIN)
    await stage.settle(w2, for_ms=1_000)
    assert (await stage.payment(PAYIN)).operations[CONFIRM_OTP].state is OperationState.IN_DOUBT

    await goes_on(stage, halt, frozen)
    await stage.settle(w2, for_ms=1_000)

    assert codes(stage) == ["123456"]
    assert (await stage.payment(PAYIN)).operations[CONFIRM_OTP].state is OperationState.DONE
    assert (await stage.views(PAYIN))[-1]["next_action"] == {"type": "stk_push"}


async def test_a_new_code_is_taken_once_a_read_after_the_grace_shows_the_payment_still_pending(stage, w1):
    stage.desk.script("otp", LOST, OK)
    await entered(w1)
    await stage.settle(w1, for_ms=GRACE_ENDS_MS // 2)
    await entered(w1, "222222", "c-2")
    await stage.settle(w1)
    assert codes(stage) == ["123456"]
    assert await stage.ground.world.dead_letters() == ["refusal/default/c-2"]

    await stage.settle(w1, for_ms=GRACE_ENDS_MS)
    await entered(w1, "333333", "c-3")
    await stage.settle(w1)

    assert codes(stage) == ["123456", "333333"]


@pytest.mark.parametrize("fault", ["lost", "away"])
@pytest.mark.parametrize("call", ["mark", "reply"])
async def test_i1_lost_answers_around_a_code_send_it_once(stage, w1, call, fault):
    await entered(w1)
    w1.way.disturb(call, fault, fault)

    await stage.settle(w1)

    assert w1.way.faults == {call: []}
    assert codes(stage) == ["123456"]
