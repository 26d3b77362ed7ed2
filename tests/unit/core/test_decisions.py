"""What a person may decide of an operation that is in doubt, row by row, and what no person may."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decisions import doubted
from orchestrator.next_step import Read, Send, Step, Tell, next_step
from orchestrator.payment import CAPTURE, CONFIRM_OTP, CREATE, OperationState, Payment, refund_name
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Review, Status
from tests.unit.core.building import NOW_MS, capturing, card_body, card_intent, created, seen, view
from tests.unit.core.deciding import (
    AFTER_MS,
    INTENTS,
    LOST,
    POLICY,
    REFUND,
    decided,
    lost,
    lost_capture,
    lost_otp,
    lost_refund,
    refused,
)


def step(payment: Payment) -> Step:
    return next_step(payment, policy=POLICY, now_ms=AFTER_MS)


# Executed


@pytest.mark.parametrize(
    ("flow", "given", "stored"),
    [
        ("card", "PSADT5CE", "uuid:PSADT5CE"),
        ("payin", "uuid:PSADT5CE9", "uuid:PSADT5CE9"),
        ("payid", "123456", "payid:123456"),
        ("gateway_link", "46345", "gw:46345"),
    ],
)
def test_a_create_that_was_executed_gets_its_reference_and_is_read_where_that_can_be(flow, given, stored):
    payment = decided(lost(flow).with_review(Review.IN_DOUBT_AGED), "executed", CREATE, reference=given)
    assert view(payment) == (Status.PROCESSING, Reason.AWAITING_PROVIDER)
    assert (payment.reference, payment.create.state, payment.review) == (stored, OperationState.DONE, ())
    assert isinstance(step(payment), Read) is (flow != "gateway_link")


def test_what_the_read_then_tells_is_applied():
    payment = decided(lost(), "executed", CREATE, reference="PSADT5CE")
    assert view(seen(payment, card_body("received"), Source.READ)) == (Status.SUCCEEDED, None)


@pytest.mark.parametrize(
    ("flow", "reference"),
    [
        ("card", None),
        ("card", "psadt5ce"),
        ("card", "PSADT5"),
        ("card", "123e4567-e89b-12d3-a456-426614174000"),
        ("card", "payid:123456"),
        ("payin", "PSADT5CE99"),
        ("payid", "PSADT5CE"),
        ("payid", "0123"),
        ("payid", "gw:123456"),
        ("gateway_link", "46345\n"),
    ],
)
def test_a_reference_of_another_kind_is_refused(flow, reference):
    assert refused(lost(flow), "executed", CREATE, reference=reference) == "invalid_reference"


def test_who_knows_that_it_was_executed_need_not_wait_for_the_grace():
    assert decided(lost(), "executed", CREATE, now_ms=NOW_MS, reference="PSADT5CE").reference == "uuid:PSADT5CE"


def test_a_wrong_reference_is_corrected_while_the_provider_has_not_confirmed_it():
    mistaken = decided(lost(), "executed", CREATE, reference="WRONG123")
    foreign = seen(mistaken, card_body("received", uuid="WRONG123", external_id="ord-9"), Source.READ)
    assert foreign.review == ("foreign_reference",)
    corrected = decided(foreign, "executed", CREATE, reference="PSADT5CE", decision_id="d-2")
    assert (corrected.reference, corrected.review) == ("uuid:PSADT5CE", ())
    assert isinstance(step(corrected), Read)
    confirmed = seen(corrected, card_body("received"), Source.READ)
    assert refused(confirmed, "executed", CREATE, reference="OTHER123", decision_id="d-3") == "not_in_doubt"


@pytest.mark.parametrize("manual", [False, True])
def test_a_capture_that_was_executed_is_capturing_until_a_read_shows_it(manual):
    payment = decided(lost_capture(manual=manual), "executed", CAPTURE)
    assert view(payment) == (Status.PROCESSING, Reason.CAPTURING)
    assert payment.operations[CAPTURE].state is OperationState.DONE
    assert isinstance(step(payment), Read)
    assert view(seen(payment, card_body("received"), Source.READ)) == (Status.SUCCEEDED, None)


def test_a_refund_that_was_executed_is_pending_and_may_fall_through_later():
    payment = decided(lost_refund(), "executed", REFUND)
    assert view(payment) == (Status.REFUND_PENDING, None)
    assert (payment.operations[REFUND].state, payment.operations[REFUND].outcome) == (OperationState.DONE, None)
    assert payment.before_refund == (Status.SUCCEEDED, None)
    assert not isinstance(step(payment), Send | Read)


def test_a_refund_that_was_executed_does_not_hide_a_dispute():
    payment = decided(lost_refund().moved(Status.DISPUTED, None, now_ms=NOW_MS), "executed", REFUND)
    assert view(payment) == (Status.DISPUTED, None)
    assert (payment.operations[REFUND].state, payment.before_refund) == (OperationState.DONE, None)


def test_a_code_that_was_taken_waits_for_the_phone():
    payment = decided(lost_otp(), "executed", CONFIRM_OTP)
    assert payment.next_action == {"type": "stk_push"}
    assert payment.operations[CONFIRM_OTP].state is OperationState.DONE
    assert isinstance(step(payment), Read)


# Not executed


@pytest.mark.parametrize("flow", INTENTS)
def test_a_create_that_was_never_executed_fails_the_payment_and_is_not_sent(flow):
    payment = decided(lost(flow).with_review(Review.IN_DOUBT_AGED), "not_executed", CREATE)
    assert view(payment) == (Status.FAILED, None)
    assert payment.failure is not None
    assert (payment.failure["code"], payment.review) == ("not_executed", ())
    assert "dashboard" not in payment.failure["message"]
    assert not isinstance(step(payment), Send | Read)


def test_a_payment_called_never_made_may_be_found_after_all():
    payment = decided(lost(), "not_executed", CREATE)
    found = decided(payment, "executed", CREATE, reference="PSADT5CE", decision_id="d-2")
    assert (found.status, isinstance(step(found), Read)) == (Status.FAILED, True)
    late = seen(found, card_body("received"), Source.READ)
    assert (view(late), late.review) == ((Status.SUCCEEDED, None), ("late_payment",))


def test_a_manual_capture_that_was_not_executed_may_be_commanded_again():
    payment = decided(lost_capture(manual=True), "not_executed", CAPTURE)
    assert view(payment) == (Status.REQUIRES_CAPTURE, None)
    assert CAPTURE not in payment.operations
    assert not isinstance(step(payment), Send)


def test_an_automatic_capture_that_was_not_executed_waits_for_the_word_to_send_it_again():
    payment = decided(lost_capture(), "not_executed", CAPTURE)
    assert (view(payment), payment.review) == ((Status.PROCESSING, Reason.CAPTURING), ("not_captured",))
    assert not isinstance(step(payment), Send)
    again = decided(payment, "send_again", CAPTURE, decision_id="d-2")
    assert (step(again), again.review, again.operations[CAPTURE].attempt) == (Send(operation=CAPTURE), (), 2)
    assert refused(again, "send_again", CAPTURE, decision_id="d-3") == "not_in_doubt"


@pytest.mark.parametrize("manual", [False, True])
def test_a_capture_called_executed_may_be_taken_back_until_money_moves(manual):
    payment = decided(lost_capture(manual=manual), "executed", CAPTURE)
    back = decided(payment, "not_executed", CAPTURE, decision_id="d-2")
    assert view(back) == view(decided(lost_capture(manual=manual), "not_executed", CAPTURE))
    captured = seen(payment, card_body("waiting"), Source.READ)
    assert refused(captured, "not_executed", CAPTURE, decision_id="d-3") == "not_in_doubt"


@pytest.mark.parametrize("manual", [False, True])
@pytest.mark.parametrize("word", ["expired", "failed", "canceled"])
def test_i4_a_word_on_a_capture_leads_nowhere_back_where_the_authorisation_ended(manual, word):
    ended = seen(lost_capture(manual=manual), card_body(word), Source.READ)
    assert ended.operations[CAPTURE].state is OperationState.IN_DOUBT
    executed = decided(ended, "executed", CAPTURE)
    assert view(executed) == view(ended)
    assert isinstance(step(executed), Read)
    undone = decided(ended, "not_executed", CAPTURE)
    assert (view(undone), undone.review) == (view(ended), ())
    assert undone.operations[CAPTURE].state is OperationState.REFUSED
    assert not isinstance(step(undone), Send | Read)
    assert refused(ended, "send_again", CAPTURE) == "payment_moved"


def test_who_asked_for_a_refund_that_was_not_executed_is_told():
    payment = decided(lost_refund(), "not_executed", REFUND)
    assert payment.operations[REFUND].state is OperationState.REFUSED
    assert payment.operations[REFUND].untold is not None
    assert (view(payment), step(payment)) == ((Status.SUCCEEDED, None), Tell(operation=REFUND))


def test_after_a_code_that_did_not_arrive_another_may_be_sent():
    payment = decided(lost_otp(), "not_executed", CONFIRM_OTP)
    assert payment.next_action is not None
    assert (payment.next_action["type"], payment.next_action["refused"]["code"]) == ("otp", "not_executed")
    assert payment.operations[CONFIRM_OTP].state is OperationState.REFUSED


# Sent again


@pytest.mark.parametrize("flow", INTENTS)
def test_a_create_is_sent_again_and_stays_in_doubt_until_it_is_answered(flow):
    payment = decided(lost(flow).with_review(Review.IN_DOUBT_AGED), "send_again", CREATE)
    assert (payment.create.attempt, payment.review) == (2, ())
    assert (view(payment), step(payment)) == ((Status.IN_DOUBT, None), Send(operation=CREATE))


def test_a_capture_is_sent_again():
    payment = decided(lost_capture(manual=True), "send_again", CAPTURE)
    assert (view(payment), step(payment)) == ((Status.PROCESSING, Reason.CAPTURING), Send(operation=CAPTURE))


@pytest.mark.parametrize("operation", [REFUND, CONFIRM_OTP])
def test_a_refund_and_a_code_are_never_sent_again(operation):
    assert refused(LOST[operation](), "send_again", operation) == "not_decidable"


@pytest.mark.parametrize(
    "changes",
    [{"reference": "uuid:PSADT5CE"}, {"aliases": ("uuid:PSADT5CE",)}],
    ids=["a reference", "an alias"],
)
@pytest.mark.parametrize("outcome", ["send_again", "not_executed"])
def test_what_the_provider_spoke_of_was_executed(outcome, changes):
    assert refused(replace(lost(), **changes), outcome, CREATE) == "proven_executed"
    assert refused(lost(is_proven=True), outcome, CREATE) == "proven_executed"


def test_after_its_time_nothing_is_sent_again():
    left = lost("payin")
    assert refused(left, "send_again", CREATE, now_ms=left.send_before_ms + 1) == "too_late"
    short = replace(left, expires_at_ms=AFTER_MS + POLICY.min_left_at_send_ms["payin"] - 1)
    assert refused(short, "send_again", CREATE) == "too_late"
    assert decided(short, "not_executed", CREATE).status is Status.FAILED


# For all of them


@pytest.mark.parametrize("operation", LOST)
@pytest.mark.parametrize("outcome", ["not_executed", "send_again"])
def test_while_the_lost_call_may_still_arrive_nobody_can_know(operation, outcome):
    if outcome == "send_again" and operation in {REFUND, CONFIRM_OTP}:
        outcome = "not_executed"
    assert refused(LOST[operation](), outcome, operation, now_ms=AFTER_MS - 1) == "too_early"
    assert decided(LOST[operation](), outcome, operation, now_ms=AFTER_MS) != LOST[operation]()


@pytest.mark.parametrize("operation", LOST)
@pytest.mark.parametrize("outcome", ["not_executed", "send_again"])
def test_a_decision_on_an_earlier_attempt_is_refused(operation, outcome):
    if outcome == "send_again" and operation in {REFUND, CONFIRM_OTP}:
        outcome = "not_executed"
    assert refused(LOST[operation](attempt=2), outcome, operation) == "payment_moved"
    assert decided(LOST[operation](attempt=2), outcome, operation, attempt=2).operations


@pytest.mark.parametrize("operation", LOST)
@pytest.mark.parametrize("outcome", ["executed", "not_executed", "send_again"])
@pytest.mark.parametrize("state", [OperationState.READY, OperationState.SENDING, OperationState.REFUSED])
def test_what_is_not_in_doubt_is_not_decided(operation, outcome, state):
    if outcome == "send_again" and operation in {REFUND, CONFIRM_OTP}:
        outcome = "executed"
    assert refused(LOST[operation](state=state), outcome, operation, reference="PSADT5CE") == "not_in_doubt"


@pytest.mark.parametrize("operation", [CREATE, CAPTURE])
@pytest.mark.parametrize("outcome", ["executed", "not_executed", "send_again"])
def test_while_a_repeat_is_on_the_wire_nothing_is_decided(operation, outcome):
    repeat = LOST[operation](state=OperationState.SENDING, attempt=2)
    assert refused(repeat, outcome, operation, attempt=2, reference="PSADT5CE") == "not_in_doubt"


def test_a_payment_that_the_provider_works_on_was_not_told_by_a_person_alone():
    stands = {"status": Status.PROCESSING, "reason": Reason.AWAITING_PROVIDER}
    payment = created(card_intent(), provider_status="pending", **stands)
    assert refused(payment, "executed", CREATE, reference="OTHER123") == "not_in_doubt"
    assert refused(payment, "not_executed", CREATE) == "not_in_doubt"


def test_an_operation_that_is_done_or_absent_is_not_decided():
    assert refused(created(card_intent()), "executed", CREATE, reference="PSADT5CE") == "not_in_doubt"
    assert refused(lost(), "executed", CAPTURE) == "no_such_operation"
    assert refused(lost_refund(), "executed", refund_name("r-2")) == "no_such_operation"


def test_a_create_that_waits_to_be_sent_again_may_be_called_executed_or_never_executed():
    waiting = lost("payin", state=OperationState.READY, attempt=2, deadline_ms=None)
    assert decided(waiting, "executed", CREATE, reference="PSADT5CE").create.state is OperationState.DONE
    assert decided(waiting, "not_executed", CREATE, attempt=2, now_ms=NOW_MS).status is Status.FAILED
    assert refused(waiting, "send_again", CREATE, attempt=2) == "not_in_doubt"


@pytest.mark.parametrize(
    ("outcome", "operation", "code"),
    [
        ("executed", None, "not_decidable"),
        ("executed", "void", "not_decidable"),
        ("clear", CREATE, "not_decidable"),
        ("accept_amount", CREATE, "not_decidable"),
        ("forget", CREATE, "unknown_outcome"),
    ],
)
def test_a_decision_outside_of_the_table_is_refused(outcome, operation, code):
    assert refused(lost(), outcome, operation) == code


def test_what_is_in_doubt_is_found():
    assert doubted(lost()) == [CREATE]
    assert doubted(lost(state=OperationState.READY, attempt=2)) == [CREATE]
    assert doubted(capturing(created(card_intent()))) == [CAPTURE]
    assert doubted(lost_refund()) == [REFUND]
    assert doubted(created(card_intent())) == []
