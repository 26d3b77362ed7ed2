"""Commands: their shape, and what each does to a payment (interface 1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.commands import obey, parse_command
from orchestrator.dialect import DIALECT
from orchestrator.errors import RefusedError
from orchestrator.next_step import Send, Wait, next_step
from orchestrator.payment import CAPTURE, CONFIRM_OTP, CREATE, OperationState, public_view
from orchestrator.policy import Policy
from orchestrator.statuses import Reason, Status
from tests.unit.core.building import (
    NOW_MS,
    accepted,
    card_intent,
    created,
    gateway_intent,
    in_state,
    payid_intent,
    payin_intent,
)

POLICY = Policy()
MANUAL = card_intent(method={"token": "tok_a", "return_url": "https://s.example/", "capture": "manual"})
OTP: dict[str, Any] = {"status": Status.REQUIRES_ACTION, "next_action": {"type": "otp"}}


def message(name: str, /, **changes):
    return {"command": name, "intent_id": "ord-1001", "command_id": "c-1"} | changes


def given(payment, name: str, /, **changes):
    return obey(payment, parse_command(message(name, **changes)), now_ms=NOW_MS + 7, dialect=DIALECT)


def refused(payment, name: str, /, **changes) -> tuple[str, str | None]:
    with pytest.raises(RefusedError) as error:
        given(payment, name, **changes)
    return error.value.code, error.value.field


# Shape


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (message("void"), "unknown_command", "command"),
        ({"intent_id": "ord-1001", "command_id": "c-1"}, "unknown_command", "command"),
        (message("capture", command=None), "unknown_command", "command"),
        (message("capture", command=["capture"]), "unknown_command", "command"),
        (message("capture", command={"capture": 1}), "unknown_command", "command"),
        (message("capture", command_id=None), "missing_field", "command_id"),
        (message("capture", intent_id=None), "missing_field", "intent_id"),
        (message("confirm_otp"), "missing_field", "code"),
        (message("confirm_otp", code=123456), "wrong_type", "code"),
        (message("confirm_otp", code="12 34"), "invalid_value", "code"),
        (message("confirm_otp", code=""), "invalid_value", "code"),
        (message("capture", code="123456"), "unknown_field", "code"),
        (message("capture", amount_minor=100), "unknown_field", "amount_minor"),
        (message("cancel", intent_id="a b"), "invalid_value", "intent_id"),
        (message("cancel", command_id="c" * 65), "invalid_value", "command_id"),
        (message("cancel", merchant="Shop"), "invalid_value", "merchant"),
        (message("cancel", command_id="4111111111111111"), "card_number_refused", "command_id"),
    ],
)
def test_a_command_of_the_wrong_shape_is_refused_by_its_field(body, code, field):
    with pytest.raises(RefusedError) as error:
        parse_command(body)
    assert (error.value.code, error.value.field) == (code, field)


def test_a_command_is_of_the_default_merchant_unless_it_names_one():
    assert str(parse_command(message("cancel")).key) == "default/ord-1001"
    assert str(parse_command(message("cancel", merchant="shop-b")).key) == "shop-b/ord-1001"


def test_absent_null_and_the_default_merchant_are_one_content_and_a_code_is_another():
    same = {
        parse_command(body).fingerprint
        for body in (
            message("cancel"),
            message("cancel", merchant="default"),
            message("cancel", merchant=None),
            dict(reversed(message("cancel").items())),
        )
    }
    assert len(same) == 1
    codes = {parse_command(message("confirm_otp", code=code)).fingerprint for code in ("1", "2", "01")}
    assert len(codes) == 3


def test_t34_a_code_keeps_its_leading_zeros():
    assert parse_command(message("confirm_otp", code="000123")).code == "000123"


# Once


def test_a_command_is_applied_once_however_often_it_comes():
    once = given(accepted(card_intent()), "cancel")
    assert given(once, "cancel") == once
    assert list(once.commands) == ["c-1"]


@pytest.mark.parametrize("changes", [{"command": "capture"}, {"command": "confirm_otp", "code": "1"}])
def test_another_command_under_the_same_id_is_a_conflict(changes):
    once = given(accepted(card_intent()), "cancel")
    assert refused(once, "cancel", **changes) == ("command_conflict", "command_id")


# Cancel


@pytest.mark.parametrize("intent", [card_intent, payin_intent, payid_intent, gateway_intent])
def test_what_was_not_sent_is_canceled_for_good(intent):
    after = given(accepted(intent()), "cancel")
    assert public_view(after).status is Status.CANCELED
    assert next_step(after, policy=POLICY, now_ms=NOW_MS + 7) == Wait(due_at_ms=None)


def test_a_create_that_was_certainly_not_executed_can_still_be_canceled():
    payment = in_state(accepted(card_intent()), CREATE, OperationState.READY, unsent=3, not_before_ms=NOW_MS + 1000)
    assert given(payment, "cancel").status is Status.CANCELED


def test_a_second_cancel_finds_it_done():
    once = given(accepted(card_intent()), "cancel")
    assert given(once, "cancel", command_id="c-2").status is Status.CANCELED


@pytest.mark.parametrize("state", [state for state in OperationState if state is not OperationState.READY])
def test_what_was_sent_or_may_have_been_cannot_be_canceled(state):
    assert refused(in_state(accepted(card_intent()), CREATE, state), "cancel") == ("already_sent", "cancel")


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.CANCELED])
def test_a_created_payment_cannot_be_canceled_in_any_status(status):
    assert refused(created(card_intent(), status=status), "cancel") == ("already_sent", "cancel")


# Capture


def test_an_authorised_manual_card_is_captured_by_command():
    after = given(created(MANUAL, status=Status.REQUIRES_CAPTURE), "capture")
    assert next_step(after, policy=POLICY, now_ms=NOW_MS + 7) == Send(operation=CAPTURE)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.REQUIRES_CAPTURE])
def test_t37_a_capture_is_refused_before_and_after_the_authorisation(status):
    assert refused(created(MANUAL, status=status), "capture") == ("not_capturable", "capture")


@pytest.mark.parametrize("state", list(OperationState))
def test_t37_a_capture_is_ordered_once(state):
    payment = in_state(created(MANUAL, status=Status.REQUIRES_CAPTURE), CAPTURE, state)
    assert refused(payment, "capture") == ("not_capturable", "capture")


@pytest.mark.parametrize("intent", [payin_intent, payid_intent, gateway_intent])
def test_what_is_no_card_is_not_captured_whatever_its_status(intent):
    payment = created(intent(), status=Status.REQUIRES_CAPTURE)
    assert refused(payment, "capture") == ("not_capturable", "capture")


@pytest.mark.parametrize("state", [OperationState.SENDING, OperationState.IN_DOUBT])
def test_a_running_manual_capture_shows_as_capturing(state):
    payment = in_state(created(MANUAL, status=Status.REQUIRES_CAPTURE), CAPTURE, state)
    view = public_view(payment)
    assert (view.status, view.reason) == (Status.PROCESSING, Reason.CAPTURING)


# One-time codes


def test_t47_a_code_is_kept_until_it_is_sent():
    after = given(created(payin_intent(), **OTP), "confirm_otp", code="123456")
    assert after.otp_code == "123456"
    assert next_step(after, policy=POLICY, now_ms=NOW_MS + 7) == Send(operation=CONFIRM_OTP)


@pytest.mark.parametrize("state", [OperationState.READY, OperationState.SENDING, OperationState.IN_DOUBT,
                                   OperationState.DONE])  # fmt: skip
def test_t47_a_second_code_is_refused_while_the_first_may_count(state):
    payment = in_state(created(payin_intent(), **OTP), CONFIRM_OTP, state)
    assert refused(payment, "confirm_otp", code="2") == ("not_awaiting_otp", "confirm_otp")


def test_after_a_refused_code_another_may_be_tried():
    payment = in_state(created(payin_intent(), **OTP), CONFIRM_OTP, OperationState.REFUSED)
    assert given(payment, "confirm_otp", code="2").operations[CONFIRM_OTP].state is OperationState.READY


@pytest.mark.parametrize(
    "payment",
    [
        accepted(payin_intent()),
        created(payin_intent(), status=Status.REQUIRES_ACTION, next_action={"type": "stk_push"}),
        created(payin_intent(), status=Status.PROCESSING, next_action={"type": "otp"}),
        created(payin_intent(), status=Status.SUCCEEDED, next_action={"type": "otp"}),
        created(payin_intent(), status=Status.REQUIRES_ACTION),
        replace(created(card_intent()), **OTP),
        replace(created(payid_intent()), **OTP),
    ],
)
def test_a_code_nobody_waits_for_is_refused(payment):
    assert refused(payment, "confirm_otp", code="1") == ("not_awaiting_otp", "confirm_otp")
