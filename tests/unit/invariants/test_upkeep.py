"""A payment by itself: what holds of it at every moment, and the name of what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.observation import LookSeen, encode_observation
from orchestrator.payment import CAPTURE, CREATE, Operation, OperationState, RefundOutcome
from orchestrator.statuses import Reason, Review, Status
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
from tests.unit.invariants.sound import DEADLINE_MS, alone, card_course, on_the_wire

DAY_MS = 86_400_000
PAID = card_course()[-1]
FRESH = accepted(card_intent())
READY, SENDING, DONE, REFUSED, IN_DOUBT = OperationState
SEEN = encode_observation(LookSeen(at_ms=NOW_MS, actor="ada"))


def refund(name: str, state: OperationState, amount_minor: int, outcome: RefundOutcome | None = None) -> Operation:
    return Operation(name=f"refund:{name}", state=state, amount_minor=amount_minor, outcome=outcome, deadline_ms=1)


@pytest.mark.parametrize("payment", card_course()[:-1])
def test_i2_every_unfinished_payment_comes_due(payment):
    assert alone(payment) == []
    assert [name for name, _ in alone(payment, due_at_ms=None)] == ["I2"]


def test_i2_what_is_over_comes_due_no_more():
    assert alone(PAID, due_at_ms=None) == []
    assert alone(PAID, due_at_ms=NOW_MS) == []  # a late webhook
    assert alone(PAID, due_at_ms=NOW_MS + DAY_MS) == [
        ("I2", "it is succeeded, wants nothing more, and still comes due")
    ]


@pytest.mark.parametrize(
    "unfinished",
    [
        {"look_wanted": 0},
        {"operations": {**PAID.operations, "refund:r": refund("r", READY, 100)}},
        {"operations": {**PAID.operations, "refund:r": refund("r", IN_DOUBT, 100)}},
    ],
    ids=["a look is wanted", "a refund is to be sent", "a refund is in doubt"],
)
def test_i2_a_final_status_with_something_left_to_do_comes_due(unfinished):
    payment = replace(PAID, **unfinished)
    assert alone(payment) == []
    assert [name for name, _ in alone(payment, due_at_ms=None)] == ["I2"]


def test_i2_what_waits_for_a_payment_wakes_it():
    assert alone(PAID, observations=(SEEN,)) == []
    found = alone(PAID, due_at_ms=None, observations=(SEEN,))
    assert found == [("I2", "1 observations wait for it and it never comes due: nobody will apply them")]


def test_i2_nothing_comes_due_much_later_than_it_wants():
    later_ms = NOW_MS + DAY_MS + 1
    assert alone(FRESH, due_at_ms=later_ms - 1) == []  # the provider may want to be left alone so long
    assert [name for name, _ in alone(FRESH, due_at_ms=later_ms)] == ["I2"]
    assert alone(FRESH.with_review(Review.PARKED), due_at_ms=later_ms) == []
    assert alone(FRESH, due_at_ms=later_ms, rests=1) == []


@pytest.mark.parametrize(
    ("payment", "most"),
    [
        (created(card_intent(), status=Status.PROCESSING), 1),
        (created(payin_intent(), status=Status.PROCESSING), 2),
        (created(payid_intent(), status=Status.PROCESSING), 2),
        (created(gateway_intent(), status=Status.PROCESSING), 2),
    ],
)
def test_i1_a_create_is_made_again_only_as_often_as_its_flow_allows(payment, most):
    assert alone(in_state(payment, CREATE, DONE, attempt=most)) == []
    again = in_state(payment, CREATE, DONE, attempt=most + 1)
    assert alone(again) == [("I1", f"create is at attempt {most + 1}, at most {most} may be made of it")]
    assert alone(replace(again, decisions={"d-1": ""})) == []
    refused = replace(again, decisions={"d-1": "too_early: wait"})
    assert [name for name, _ in alone(refused)] == ["I1"]


def test_i1_a_card_whose_mark_may_be_lost_with_the_stores_tail_is_looked_up_then_sent():
    held = created(card_intent(), status=Status.PROCESSING)
    assert alone(in_state(held, CREATE, DONE, attempt=2, lost_at_ms=NOW_MS)) == []
    assert [name for name, _ in alone(in_state(held, CREATE, DONE, attempt=3, lost_at_ms=NOW_MS))] == ["I1"]


def test_i1_a_capture_is_made_twice_at_most():
    held = created(card_intent(), status=Status.PROCESSING, reason=Reason.CAPTURING)
    assert alone(in_state(held, CAPTURE, IN_DOUBT, attempt=2)) == []
    assert alone(in_state(held, CAPTURE, IN_DOUBT, attempt=3)) == [
        ("I1", "capture is at attempt 3, at most 2 may be made of it")
    ]


def test_i1_a_call_on_the_wire_has_a_deadline_and_is_the_only_one():
    sent = on_the_wire(card_intent())
    assert alone(sent) == []
    unbounded = in_state(sent, CREATE, SENDING, deadline_ms=None)
    assert [name for name, _ in alone(unbounded)] == ["I1"]
    both = in_state(sent, CAPTURE, SENDING, deadline_ms=DEADLINE_MS)
    assert ("I1", "create and capture are on the wire at the same time") in alone(both)


def test_i1_a_capture_whose_money_came_is_done():
    unanswered = in_state(PAID, CAPTURE, IN_DOUBT)
    assert alone(unanswered, due_at_ms=None) == [("I1", "it is succeeded, but its capture is still in_doubt")]


def test_i1_refunds_run_one_at_a_time_and_never_return_more_than_was_paid():
    returned = refund("a", DONE, 6000, RefundOutcome.RETURNED)
    gone = refund("b", DONE, 9000, RefundOutcome.FELL_THROUGH)
    no = refund("c", REFUSED, 9000)
    running = refund("d", SENDING, 4000)
    refunds = {each.name: each for each in (returned, gone, no, running)}
    sound = replace(PAID, operations={**PAID.operations, **refunds})
    assert alone(sound) == []
    more = sound.with_operation(refund("e", READY, 1))
    assert alone(more) == [
        ("I1", "refund:d and refund:e run at the same time"),
        ("I1", "refunds of 10001 were asked for, only 10000 were paid"),
    ]


def test_i5_success_and_failure_are_somebodys_explicit_word():
    unpaid = replace(PAID, customer_paid=False)
    assert ("I5", "it succeeded, but nobody said that the customer paid") in alone(unpaid, due_at_ms=None)
    failed = created(card_intent(), status=Status.FAILED)
    assert alone(failed, due_at_ms=None) == [("I5", "it failed without the words of who refused it")]
    assert alone(replace(failed, failure={"code": "x", "message": "y"}), due_at_ms=None) == []


def test_i5_what_has_a_status_of_the_providers_was_made_there():
    unmade = in_state(PAID, CREATE, SENDING, deadline_ms=DEADLINE_MS)
    assert ("I5", "it is succeeded, but its create is sending") in alone(unmade, due_at_ms=None)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"paid_minor": 100.0}, "paid amount"),
        ({"refunded_minor": -1}, "refunded amount"),
        ({"total_minor": "100"}, "total"),
        ({"amount_minor": True}, "amount"),
    ],
)
def test_i7_amounts_are_whole_numbers_of_minor_units(changes, name):
    assert ("I7", f"its {name} is not a whole number of minor units") in alone(replace(PAID, **changes), due_at_ms=None)
