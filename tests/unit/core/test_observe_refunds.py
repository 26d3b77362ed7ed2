from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.observe import Belief
from orchestrator.payment import CREATE, OperationState
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Review, Status
from tests.unit.core.building import (
    accepted,
    card_body,
    card_intent,
    created,
    in_state,
    payid_body,
    payid_intent,
    seen,
    view,
)

ACTION = created(card_intent(), status=Status.REQUIRES_ACTION, next_action={"type": "redirect", "url": "https://x"})
SUCCEEDED = created(card_intent(), status=Status.SUCCEEDED, settled=True, customer_paid=True, paid_minor=10000)


# Refunds and disputes


@pytest.mark.parametrize("word", ["return_rejected", "return_expired"])
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.SUCCEEDED, None),
        (Status.PROCESSING, Reason.SETTLING),
        (Status.PARTIALLY_REFUNDED, None),
    ],
)
def test_a_refund_that_fell_through_leads_back_to_where_it_began(status, reason, word):
    payment = replace(SUCCEEDED, status=status, reason=reason)
    after = seen(seen(payment, card_body("return_pending")), card_body(word))
    assert view(after) == (status, reason)


@pytest.mark.parametrize("status", [Status.REQUIRES_ACTION, Status.IN_DOUBT, Status.EXPIRED])
def test_a_refund_that_fell_through_never_leads_back_to_an_unpaid_status(status):
    payment = created(card_intent(), status=status)
    if status is Status.IN_DOUBT:
        payment = in_state(accepted(card_intent()), CREATE, OperationState.IN_DOUBT)
    running = seen(payment, card_body("return_pending"), Source.READ)
    assert running.status is Status.REFUND_PENDING
    after = seen(running, card_body("return_rejected"))
    assert (after.status, after.look_wanted) == (Status.SUCCEEDED, 0)
    after = seen(after, card_body("received"), Source.READ)
    assert (after.status, after.settled, after.paid_minor) == (Status.SUCCEEDED, True, 10000)


@pytest.mark.parametrize("word", ["return_received", "refunded"])
def test_i4_what_was_returned_never_shrinks_though_nobody_told_what_was_paid(word):
    payment = created(payid_intent(), status=Status.REQUIRES_ACTION)
    refunded = seen(payment, payid_body(word), Source.READ)
    assert (refunded.status, refunded.paid_minor, refunded.refunded_minor) == (Status.REFUNDED, 10000, 10000)
    again = seen(refunded, payid_body("return_received"))
    assert (again.paid_minor, again.refunded_minor) == (10000, 10000)


NEVER_SEEN_PAID = [
    created(card_intent(), status=Status.REQUIRES_ACTION),
    created(card_intent(), status=Status.PROCESSING, reason=Reason.CAPTURING),
    created(card_intent(), status=Status.EXPIRED, reason=Reason.PROVIDER),
    in_state(accepted(card_intent()), CREATE, OperationState.IN_DOUBT),
    seen(ACTION, card_body("received")),
]


@pytest.mark.parametrize("word", ["return_rejected", "return_expired"])
@pytest.mark.parametrize("payment", NEVER_SEEN_PAID, ids=lambda payment: str(payment.reason or payment.status))
def test_the_end_of_a_refund_that_was_never_heard_of_shows_that_it_was_paid(payment, word):
    read = seen(payment, card_body(word), Source.READ)
    assert (read.status, read.customer_paid, read.paid_minor) == (Status.SUCCEEDED, True, 10000)
    assert (read.claimed, read.look_wanted) == (None, None)
    told = seen(payment, card_body(word))
    assert told.status is not Status.SUCCEEDED
    assert told.claimed is not None or told.look_wanted == 0
    assert seen(told, card_body(word), Source.READ).status is Status.SUCCEEDED


def test_a_bare_received_while_a_refund_runs_is_believed_only_from_a_read():
    running = seen(SUCCEEDED, card_body("return_pending"))
    told = seen(running, card_body("received"))
    assert (told.status, told.look_wanted) == (Status.REFUND_PENDING, 0)
    assert seen(told, card_body("return_pending"), Source.READ).status is Status.REFUND_PENDING
    assert seen(told, card_body("received"), Source.READ).status is Status.SUCCEEDED


def test_t22_a_return_without_its_sum_is_a_refund_with_a_review():
    after = seen(seen(SUCCEEDED, card_body("return_pending")), card_body("return_received"))
    assert (after.status, after.refunded_minor) == (Status.REFUNDED, 10000)
    assert after.review == (Review.REFUND_AMOUNT_UNKNOWN,)


def test_t41_a_dispute_that_was_won_counts_the_money_once():
    disputed = seen(SUCCEEDED, card_body("in_dispute"))
    won = seen(disputed, card_body("received"), Source.READ)
    assert (won.status, won.paid_minor) == (Status.SUCCEEDED, 10000)


def test_vector_1_from_authorised_to_a_lost_dispute():
    payment = seen(ACTION, card_body("authorised"))
    assert view(payment) == (Status.PROCESSING, Reason.CAPTURING)
    steps = [
        ("waiting", Source.REPLY, (Status.PROCESSING, Reason.SETTLING)),
        ("received", Source.READ, (Status.SUCCEEDED, None)),
        ("waiting", Source.WEBHOOK, (Status.SUCCEEDED, None)),
        ("return_pending", Source.WEBHOOK, (Status.REFUND_PENDING, None)),
        ("return_rejected", Source.WEBHOOK, (Status.SUCCEEDED, None)),
        ("return_pending", Source.WEBHOOK, (Status.REFUND_PENDING, None)),
        ("partially_refunded", Source.WEBHOOK, (Status.PARTIALLY_REFUNDED, None)),
        ("in_dispute", Source.WEBHOOK, (Status.DISPUTED, None)),
        ("received", Source.READ, (Status.SUCCEEDED, None)),
        ("in_dispute", Source.WEBHOOK, (Status.DISPUTED, None)),
        ("dispute_lost", Source.WEBHOOK, (Status.DISPUTE_LOST, None)),
        ("received", Source.READ, (Status.DISPUTE_LOST, None)),
    ]
    for word, source, expected in steps:
        payment = seen(payment, card_body(word), source)
        assert (word, *view(payment)) == (word, *expected)


def test_i7_a_customer_has_paid_nothing_while_the_provider_says_so():
    payment = seen(ACTION, card_body("received", paid_amount="0.0"), Source.READ)
    assert (payment.customer_paid, payment.paid_minor) == (False, 0)


def test_d01_waiting_is_processing_unless_the_setting_says_success():
    settling = seen(ACTION, card_body("waiting"), Source.READ)
    assert view(settling) == (Status.PROCESSING, Reason.SETTLING)
    assert (settling.customer_paid, settling.settled) == (True, False)
    eager = seen(ACTION, card_body("waiting"), Source.READ, belief=Belief(waiting_is_success=True))
    assert (eager.status, eager.settled) == (Status.SUCCEEDED, False)
    assert seen(eager, card_body("received"), Source.READ).settled
