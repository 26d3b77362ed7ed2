"""Mobile money: the customer's code goes to the provider once, then the phone is asked (contract 3.3, T-47)."""

from __future__ import annotations

import pytest

from orchestrator.payment import CONFIRM_OTP, OperationState
from tests.unit.core.building import UUID, payin_body, payin_intent
from tests.unit.engine.world import DAY_MS, HOUR_MS, LOST, MINUTE_MS, PAYIN, UNAUTHORISED, UNSENT, World, said

OK = said({"status": "Ok"})
WRONG = said({"errors": {"code": "INVALID_OTP", "message": "Wrong code"}}, 422)
CEDI = {"currency": "GHS", "amount": 500, "total": 500}


def mobile(status: str, **changes):
    return payin_body(status, **CEDI | changes)


async def asked(stage: str = "authorize_otp") -> World:
    """A payin that waits for its customer's code."""
    world = World()
    world.provider.script("create", said(mobile("pending", stage=stage)))
    world.provider.script("detail", said(mobile("pending")))
    method = {"payin_method_name": "gh_mobile_money_ghs", "payin_method_params": {"account_number": "233240000000"}}
    await world.submit(payin_intent(currency="GHS", method=method))
    return world


async def confirm(world: World, code: str, command_id: str = "c-1") -> None:
    await world.command("confirm_otp", key=PAYIN, code=code, command_id=command_id)


def codes(world: World) -> list[object]:
    return [(request.body or {})["code"] for kind, request in world.provider.requests if kind == "otp"]


async def test_a_code_goes_to_the_provider_and_the_phone_is_asked():
    world = await asked()
    assert world.last(PAYIN)["next_action"] == {"type": "otp"}
    world.provider.script("otp", OK)
    await confirm(world, "012345")
    kind, request = world.provider.requests[-1]
    assert (kind, request.method, request.path) == ("otp", "POST", "/v2/payins/confirm_otp")
    assert request.body == {"uuid": UUID, "code": "012345"}
    assert world.story(PAYIN)[2:] == ["requires_action"]
    assert world.last(PAYIN)["next_action"] == {"type": "stk_push"}
    assert (await world.payment(PAYIN)).otp_code is None
    world.provider.script("detail", said(mobile("received")))
    await world.hook(mobile("received"), key=PAYIN)
    assert world.story(PAYIN)[3:] == ["processing/confirming", "succeeded"]
    assert (world.provider.calls["otp"], world.refusals()) == (1, [])
    await world.assert_consistent(PAYIN)


@pytest.mark.parametrize("word", ["Ok", "OK", "ok"])
async def test_the_providers_ok_counts_in_any_case(word):
    world = await asked()
    world.provider.script("otp", said({"status": word}))
    await confirm(world, "1")
    assert (await world.payment(PAYIN)).operations[CONFIRM_OTP].state is OperationState.DONE


async def test_a_refused_code_is_told_and_another_may_follow():
    world = await asked()
    world.provider.script("otp", WRONG, OK)
    await confirm(world, "111111")
    assert world.last(PAYIN)["status"] == "requires_action"
    refused = {"code": "INVALID_OTP", "message": "Wrong code"}
    assert world.last(PAYIN)["next_action"] == {"type": "otp", "refused": refused}
    await confirm(world, "111111")
    assert codes(world) == ["111111"]
    await confirm(world, "222222", "c-2")
    assert codes(world) == ["111111", "222222"]
    assert world.last(PAYIN)["next_action"] == {"type": "stk_push"}
    assert world.refusals() == []


async def test_a_second_code_after_the_first_was_taken_is_refused():
    world = await asked()
    world.provider.script("otp", OK)
    await confirm(world, "1")
    await confirm(world, "2", "c-2")
    assert codes(world) == ["1"]
    assert world.refusals() == [("refusal/default/c-2", "not_awaiting_otp")]


@pytest.mark.parametrize(
    "lost",
    [LOST, said({}, 502), said(None), said({"status": "Pending"}), said({"state": "ok"}), said([])],
    ids=["lost", "502", "null", "another word", "no word", "a list"],
)
async def test_t47_a_code_in_doubt_is_looked_at_and_never_sent_again(lost):
    world = await asked()
    world.provider.script("otp", lost)
    await confirm(world, "123456")
    assert world.provider.calls["detail"] >= 1
    await world.pass_time(MINUTE_MS)
    await confirm(world, "123456")
    await confirm(world, "654321", "c-2")
    await world.pass_time(DAY_MS)
    assert codes(world) == ["123456"]
    assert world.refusals() == [("refusal/default/c-2", "not_awaiting_otp")]
    assert (await world.payment(PAYIN)).otp_code is None
    world.provider.script("detail", said(mobile("received")))
    await world.pass_time(2 * DAY_MS)
    assert world.story(PAYIN)[-1] == "succeeded"


async def test_t47_another_code_is_taken_once_a_read_shows_that_the_one_in_doubt_led_to_nothing():
    world = await asked()
    world.provider.script("otp", LOST, OK)
    await confirm(world, "123456")
    await world.pass_time(HOUR_MS)
    await confirm(world, "654321", "c-2")
    assert codes(world) == ["123456", "654321"]
    assert world.refusals() == []
    assert world.last(PAYIN)["next_action"] == {"type": "stk_push"}


async def test_t47_a_code_whose_worker_died_is_in_doubt_and_not_sent_again():
    world = await asked()
    record = await world.store.load(PAYIN)
    assert record is not None

    async def die(_request):
        world.clock.ms += world.policy.lease_ms + 1
        await world.turn(worker="w2")
        return OK

    world.provider.script("otp", die)
    await confirm(world, "123456")
    await world.turn()
    assert codes(world) == ["123456"]
    assert world.last(PAYIN)["next_action"]["type"] in {"otp", "stk_push"}


@pytest.mark.parametrize("first", [UNAUTHORISED, said({}, 429)], ids=["401", "429"])
async def test_a_code_that_was_forgotten_before_it_was_known_to_be_unsent_is_asked_for_again(first):
    world = await asked()

    async def lose_the_claim(_request):
        world.clock.ms += world.policy.lease_ms + 1
        await world.turn(worker="w2")  # takes the call for lost, and keeps no code for it
        return first

    world.provider.script("otp", lose_the_claim)
    await confirm(world, "123456")
    await world.pass_time(2 * MINUTE_MS)
    assert codes(world) == ["123456"]
    refused = {"code": "code_not_sent", "message": "The code did not reach the provider; it has to be entered again."}
    assert world.last(PAYIN)["next_action"] == {"type": "otp", "refused": refused}

    world.provider.script("otp", OK)
    await confirm(world, "123456", "c-2")
    assert codes(world) == ["123456", "123456"]
    assert world.last(PAYIN)["next_action"] == {"type": "stk_push"}
    await world.assert_consistent(PAYIN)


@pytest.mark.parametrize("first", [UNSENT, UNAUTHORISED, said({}, 429)], ids=["unsent", "401", "429"])
async def test_a_code_that_certainly_was_not_sent_is_sent_again(first):
    world = await asked()
    world.provider.script("otp", first, OK)
    await confirm(world, "123456")
    await world.pass_time(2 * MINUTE_MS)
    assert codes(world) == ["123456", "123456"]
    assert world.last(PAYIN)["next_action"] == {"type": "stk_push"}


async def test_a_webhook_that_settles_it_before_the_code_is_sent_keeps_the_code_back():
    world = await asked()
    world.provider.script("detail", said(mobile("received")))
    await world.command("confirm_otp", key=PAYIN, code="1", turn=False)
    await world.hook(mobile("received"), key=PAYIN)
    assert codes(world) == []
    assert world.story(PAYIN)[-1] == "succeeded"
    assert (await world.payment(PAYIN)).otp_code is None


async def test_a_push_to_the_phone_needs_no_code():
    world = await asked("authorize_stk")
    assert world.last(PAYIN)["next_action"] == {"type": "stk_push"}
    await confirm(world, "1")
    assert world.refusals() == [("refusal/default/c-1", "not_awaiting_otp")]
    assert world.provider.calls["otp"] == 0


async def test_i8_the_code_is_in_no_line_of_the_journal_and_in_no_event():
    world = await asked()
    world.provider.script("otp", WRONG, LOST)
    await confirm(world, "777111")
    await confirm(world, "777222", "c-2")
    said_aloud = repr(world.ledger.lines) + repr(world.events(PAYIN))
    assert "777111" not in said_aloud
    assert "777222" not in said_aloud
