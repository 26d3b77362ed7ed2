"""Refunds by command: their shape, and which of them may be asked for (interface 1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.commands import obey, parse_command
from orchestrator.dialect import Dialect
from orchestrator.errors import RefusedError
from orchestrator.next_step import Become, Tell, next_step
from orchestrator.payment import Operation, OperationState, RefundOutcome, open_refund, refund_name
from orchestrator.policy import Policy
from orchestrator.refunds import why_not_sent
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

MINOR = Dialect(card_refund_unit="minor")
INTENTS = {"card": card_intent, "payin": payin_intent, "payid": payid_intent}
ON_FLOWS = pytest.mark.parametrize("flow", sorted(INTENTS))


def message(**changes):
    return {"command": "refund", "intent_id": "ord-1001", "command_id": "c-1", "refund_id": "r-1"} | changes


def paid(flow="payin", **changes):
    return created(INTENTS[flow](), **({"status": Status.SUCCEEDED, "paid_minor": 10_000} | changes))


def given(payment, dialect=MINOR, **changes):
    return obey(payment, parse_command(message(**changes)), now_ms=NOW_MS + 7, dialect=dialect)


def refused(payment, dialect=MINOR, **changes):
    with pytest.raises(RefusedError) as error:
        given(payment, dialect, **changes)
    return error.value


def refused_as(payment, dialect=MINOR, **changes):
    error = refused(payment, dialect, **changes)
    return error.code, error.field


def refund_of(payment, refund_id="r-1"):
    return payment.operations[refund_name(refund_id)]


def with_refund(payment, refund_id="r-1", /, *, amount_minor=2_500, **changes):
    record = Operation(name=refund_name(refund_id), amount_minor=amount_minor, **changes)
    return payment.with_operation(record)


# Shape


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"refund_id": None}, "missing_field", "refund_id"),
        ({"refund_id": 7}, "wrong_type", "refund_id"),
        ({"refund_id": "r 1"}, "invalid_value", "refund_id"),
        ({"refund_id": "r" * 65}, "invalid_value", "refund_id"),
        ({"refund_id": "r:1"}, "invalid_value", "refund_id"),
        ({"amount_minor": 0}, "amount_out_of_range", "amount_minor"),
        ({"amount_minor": -1}, "amount_out_of_range", "amount_minor"),
        ({"amount_minor": 2**53}, "amount_out_of_range", "amount_minor"),
        ({"amount_minor": 100.0}, "amount_not_integer", "amount_minor"),
        ({"amount_minor": "100"}, "amount_not_integer", "amount_minor"),
        ({"amount_minor": True}, "amount_not_integer", "amount_minor"),
        ({"reason": "torn"}, "invalid_value", "reason"),
        ({"reason": "torn   "}, "invalid_value", "reason"),
        ({"reason": ""}, "invalid_value", "reason"),
        ({"reason": "x" * 256}, "invalid_value", "reason"),
        ({"reason": 12345}, "wrong_type", "reason"),
        ({"reason": "card 4111 1111 1111 1111"}, "card_number_refused", "reason"),
        ({"code": "123456"}, "unknown_field", "code"),
        ({"currency": "AUD"}, "unknown_field", "currency"),
    ],
)
def test_a_refund_of_the_wrong_shape_is_refused_by_its_field(changes, code, field):
    with pytest.raises(RefusedError) as error:
        parse_command(message(**changes))
    assert (error.value.code, error.value.field) == (code, field)


@pytest.mark.parametrize("reason", ["torn.", "x" * 255, " twice "])
def test_a_reason_has_5_to_255_characters(reason):
    assert parse_command(message(reason=reason)).reason == reason


def test_a_refund_may_leave_out_its_amount_and_reason():
    command = parse_command(message())
    assert (command.refund_id, command.amount_minor, command.reason) == ("r-1", None, None)
    assert parse_command(message(amount_minor=None, reason=None)).fingerprint == command.fingerprint


def test_each_field_of_a_refund_makes_it_another_command():
    changes: list[dict[str, Any]] = [
        {},
        {"refund_id": "r-2"},
        {"amount_minor": 1},
        {"amount_minor": 2},
        {"reason": "torn in transit"},
    ]
    prints = {parse_command(message(**change)).fingerprint for change in changes}
    assert len(prints) == len(changes)


# Asked for


@ON_FLOWS
def test_a_refund_of_a_part_is_an_operation_of_its_own_ready_to_be_sent(flow):
    after = given(paid(flow), amount_minor=2_500, reason="torn in transit")
    assert refund_of(after) == Operation(
        name="refund:r-1",
        state=OperationState.READY,
        at_ms=NOW_MS + 7,
        amount_minor=2_500,
        note="torn in transit",
        command_id="c-1",
    )
    assert (after.status, after.refunded_minor) == (Status.SUCCEEDED, 0)


@ON_FLOWS
def test_without_an_amount_all_that_is_left_is_asked_for(flow):
    assert refund_of(given(paid(flow))).amount_minor == 10_000
    some = paid(flow, status=Status.PARTIALLY_REFUNDED, refunded_minor=3_000)
    assert refund_of(given(some)).amount_minor == 7_000


def test_without_a_reason_the_provider_is_told_the_refund_id():
    assert refund_of(given(paid(), refund_id="r"), "r").note == "Refund r"


def test_what_was_overpaid_can_be_returned():
    assert refund_of(given(paid(paid_minor=60_000, total_minor=50_000))).amount_minor == 60_000


def test_a_card_that_settles_is_refunded_and_a_payin_that_settles_is_not():
    settling: dict[str, Any] = {"status": Status.PROCESSING, "reason": Reason.SETTLING}
    assert refund_of(given(paid("card", **settling))).amount_minor == 10_000
    for flow in ("payin", "payid"):
        assert refused_as(paid(flow, **settling)) == ("not_refundable", "refund")


NOT_REFUNDABLE = [
    (status, None) for status in Status if status not in {Status.SUCCEEDED, Status.PARTIALLY_REFUNDED}
] + [(Status.PROCESSING, reason) for reason in Reason if reason is not Reason.SETTLING]


@ON_FLOWS
@pytest.mark.parametrize(("status", "reason"), NOT_REFUNDABLE)
def test_from_any_other_status_a_refund_is_refused(flow, status, reason):
    payment = paid(flow, status=status, reason=reason)
    assert refused_as(payment) == ("not_refundable", "refund")
    assert payment.operations.keys() == {"create"}


def test_a_payment_that_was_not_sent_is_not_refunded():
    assert refused_as(accepted(payin_intent())) == ("not_refundable", "refund")


@pytest.mark.parametrize(
    "payment",
    [
        paid(paid_minor=0),
        paid("card", paid_minor=0, status=Status.PROCESSING, reason=Reason.SETTLING),
        paid("card", status=Status.PARTIALLY_REFUNDED, refunded_minor=0),
    ],
)
@pytest.mark.parametrize("amount_minor", [None, 1])
def test_where_the_sums_are_not_known_nothing_is_returned(payment, amount_minor):
    assert refused_as(payment, amount_minor=amount_minor) == ("not_refundable", "refund")


# What the provider documents


def test_a_gateway_link_has_no_refund():
    payment = created(gateway_intent(), status=Status.SUCCEEDED, paid_minor=10_000)
    assert refused_as(payment) == ("refund_unsupported", "refund")


@pytest.mark.parametrize("unit", ["minor", "major"])
def test_a_card_is_refunded_only_once_the_unit_of_its_amount_is_confirmed(unit):
    assert refused_as(paid("card"), Dialect()) == ("refund_unit_unconfigured", "refund")
    assert refund_of(given(paid("card"), Dialect(card_refund_unit=unit))).amount_minor == 10_000
    for flow in ("payin", "payid"):
        assert refund_of(given(paid(flow), Dialect())).amount_minor == 10_000


# Never more than was paid


@ON_FLOWS
@pytest.mark.parametrize(
    ("refunded_minor", "asked"), [(0, 10_001), (9_999, 2), (10_000, 1), (10_000, None), (10_001, None), (10_001, 1)]
)
def test_more_than_is_left_is_refused_and_the_sentence_says_how_much_that_is(flow, refunded_minor, asked):
    error = refused(paid(flow, refunded_minor=refunded_minor), amount_minor=asked)
    assert (error.code, error.field) == ("refund_too_large", "amount_minor")
    assert error.message.startswith(f"{max(10_000 - refunded_minor, 0)} minor units")


def test_all_that_is_left_may_be_asked_for_to_the_last_unit():
    assert refund_of(given(paid(refunded_minor=9_999), amount_minor=1)).amount_minor == 1


@pytest.mark.parametrize("told_minor", [0, 2_500, 4_000])
def test_what_our_own_refunds_returned_counts_even_where_the_provider_told_less(told_minor):
    returned = with_refund(paid(refunded_minor=told_minor), state=OperationState.DONE, outcome=RefundOutcome.RETURNED)
    left = 10_000 - max(told_minor, 2_500)
    assert refund_of(given(returned, refund_id="r-2"), "r-2").amount_minor == left
    assert refused_as(returned, refund_id="r-2", amount_minor=left + 1) == ("refund_too_large", "amount_minor")


# One at a time

OPEN = [
    {"state": OperationState.READY},
    {"state": OperationState.SENDING},
    {"state": OperationState.IN_DOUBT},
    {"state": OperationState.DONE, "outcome": None},
]
ENDED_WITHOUT_MONEY = [
    {"state": OperationState.REFUSED, "untold": ("http_422", "no")},
    {"state": OperationState.REFUSED},
    {"state": OperationState.DONE, "outcome": RefundOutcome.FELL_THROUGH},
]


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.PARTIALLY_REFUNDED, Status.REFUND_PENDING])
@pytest.mark.parametrize("running", OPEN)
def test_while_one_refund_may_still_move_money_another_is_refused(running, status):
    payment = with_refund(paid(status=status, refunded_minor=100), **running)
    assert refused_as(payment, refund_id="r-2", amount_minor=1) == ("refund_running", "refund_id")


@pytest.mark.parametrize("ended", ENDED_WITHOUT_MONEY)
def test_after_one_that_moved_no_money_another_may_ask_for_everything(ended):
    after = given(with_refund(paid(), **ended), refund_id="r-2")
    assert refund_of(after, "r-2").amount_minor == 10_000


def test_a_refund_made_elsewhere_is_waited_for():
    assert refused_as(paid(status=Status.REFUND_PENDING)) == ("not_refundable", "refund")


# Once

RETURNED = {"state": OperationState.DONE, "outcome": RefundOutcome.RETURNED}


@pytest.mark.parametrize("known", [*OPEN, RETURNED])
@pytest.mark.parametrize("command_id", ["c-1", "c-2"])
def test_the_same_refund_is_accepted_again_and_nothing_happens_twice(known, command_id):
    status = Status.PARTIALLY_REFUNDED if known.get("outcome") else Status.SUCCEEDED
    payment = with_refund(paid(status=status), **known)
    after = given(payment, command_id=command_id, amount_minor=2_500)
    assert after.operations == payment.operations
    assert list(after.commands) == [command_id]


@pytest.mark.parametrize("known", [*OPEN, RETURNED])
@pytest.mark.parametrize("amount_minor", [2_499, 2_501, None])
def test_the_same_refund_id_with_another_amount_is_a_conflict(known, amount_minor):
    payment = with_refund(paid(), **known)
    assert refused_as(payment, command_id="c-2", amount_minor=amount_minor) == ("refund_conflict", "refund_id")


@pytest.mark.parametrize("known", [*OPEN, RETURNED])
def test_all_that_is_left_asked_for_again_is_the_same_refund(known):
    whole = with_refund(paid(status=Status.SUCCEEDED), amount_minor=10_000, **known)
    assert given(whole, command_id="c-2").operations == whole.operations
    refunded = replace(whole, refunded_minor=10_000 if known.get("outcome") else 0)
    assert given(refunded, command_id="c-2").operations == whole.operations
    assert given(refunded, command_id="c-2", amount_minor=10_000).operations == whole.operations


@pytest.mark.parametrize("ended", ENDED_WITHOUT_MONEY)
@pytest.mark.parametrize("amount_minor", [2_500, 1, None])
def test_a_refund_that_moved_no_money_needs_a_new_refund_id(ended, amount_minor):
    error = refused(with_refund(paid(), **ended), command_id="c-2", amount_minor=amount_minor)
    assert (error.code, error.field) == ("refund_conflict", "refund_id")
    assert "new refund_id" in error.message


def test_a_repeat_is_known_whatever_became_of_the_payment_since():
    payment = with_refund(paid(status=Status.DISPUTED), state=OperationState.DONE)
    assert given(payment, command_id="c-2", amount_minor=2_500).operations == payment.operations
    assert given(payment, Dialect(), command_id="c-3", amount_minor=2_500).operations == payment.operations


def test_the_same_command_is_applied_once_and_other_content_under_its_id_is_a_conflict():
    once = given(paid(), amount_minor=2_500)
    assert given(once, amount_minor=2_500) == once
    assert refused_as(once, amount_minor=2_501) == ("command_conflict", "command_id")
    assert refused_as(once, refund_id="r-2", amount_minor=2_500) == ("command_conflict", "command_id")


def test_a_refund_that_is_ready_is_open_until_it_ends():
    once = given(paid(), amount_minor=2_500)
    assert open_refund(once) == refund_of(once)
    assert open_refund(in_state(once, "refund:r-1", OperationState.REFUSED)) is None


# Before it is sent


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": Status.DISPUTED}, "not_refundable"),
        ({"status": Status.REFUND_PENDING}, "not_refundable"),
        ({"status": Status.PARTIALLY_REFUNDED, "refunded_minor": 7_501}, "refund_too_large"),
        ({"status": Status.PARTIALLY_REFUNDED}, "not_refundable"),
        ({"paid_minor": 0}, "not_refundable"),
    ],
)
def test_what_came_in_between_stops_a_refund_that_was_not_sent(changes, code):
    ready = given(paid("card"), amount_minor=2_500)
    assert why_not_sent(ready, refund_of(ready), dialect=MINOR) is None
    overtaken = replace(ready, **changes)
    words = why_not_sent(overtaken, refund_of(overtaken), dialect=MINOR)
    assert words is not None
    assert words[0] == code


def test_a_refund_whose_unit_was_taken_back_before_it_was_sent_is_refused_and_never_guessed():
    ready = given(paid("card"), amount_minor=2_500)
    step = next_step(ready, policy=Policy(dialect=Dialect()), now_ms=NOW_MS + 8)
    assert isinstance(step, Become)
    record = refund_of(step.payment)
    assert (record.state, (record.untold or ("",))[0]) == (OperationState.REFUSED, "refund_unit_unconfigured")
    assert next_step(step.payment, policy=Policy(), now_ms=NOW_MS + 9) == Tell(operation="refund:r-1")
