"""A refund that we asked for, from the mark to the money; the provider often names no sum (T-22, T-27)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.payment import (
    Operation,
    OperationState,
    Payment,
    RefundOutcome,
    open_refund,
    public_view,
    refund_name,
)
from orchestrator.sighting import Source
from orchestrator.statuses import Status
from tests.unit.core.building import created, payin_body, payin_intent, seen

PAID = created(
    payin_intent(),
    status=Status.SUCCEEDED,
    settled=True,
    customer_paid=True,
    paid_minor=50_000,
    total_minor=50_000,
    provider_status="received",
)


def asking(payment: Payment, refund_id: str, amount_minor: int, state: OperationState) -> Payment:
    refund = Operation(name=refund_name(refund_id), state=state, amount_minor=amount_minor)
    return payment.with_operation(refund)


def word(payment: Payment, status: str, source: Source = Source.WEBHOOK) -> Payment:
    return seen(payment, payin_body(status), source)


def returned(payment: Payment, refund_id: str, amount_minor: int) -> Payment:
    taken = word(asking(payment, refund_id, amount_minor, OperationState.DONE), "return_pending")
    return word(taken, "return_received", Source.READ)


def test_t22_a_part_that_was_returned_is_known_by_what_we_asked():
    after = returned(PAID, "r1", 2_500)
    assert (after.status, after.refunded_minor, after.review) == (Status.PARTIALLY_REFUNDED, 2_500, ())
    assert after.operations["refund:r1"].outcome is RefundOutcome.RETURNED
    assert open_refund(after) is None


@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.READ])
def test_the_same_word_again_returns_nothing_again(source):
    after = returned(PAID, "r1", 2_500)
    again = word(after, "return_received", source)
    assert public_view(again) == public_view(after)


def test_the_last_part_makes_it_refunded():
    after = returned(returned(PAID, "r1", 2_500), "r2", 47_500)
    assert (after.status, after.refunded_minor, after.review) == (Status.REFUNDED, 50_000, ())


def test_i1_the_word_for_an_earlier_refund_is_no_evidence_of_one_in_doubt():
    doubtful = asking(returned(PAID, "r1", 2_500), "r2", 2_500, OperationState.IN_DOUBT)
    after = word(doubtful, "return_received", Source.READ)
    assert after.operations["refund:r2"].state is OperationState.IN_DOUBT
    assert (after.status, after.refunded_minor) == (Status.PARTIALLY_REFUNDED, 2_500)
    assert public_view(after).status is Status.REFUND_PENDING


@pytest.mark.parametrize("state", [OperationState.SENDING, OperationState.IN_DOUBT])
def test_a_refund_in_doubt_is_done_when_a_read_shows_it_running(state):
    after = word(asking(PAID, "r1", 2_500, state), "return_pending", Source.READ)
    refund = after.operations["refund:r1"]
    assert (after.status, refund.state, refund.outcome) == (Status.REFUND_PENDING, OperationState.DONE, None)


def test_a_refund_in_doubt_is_done_when_it_has_arrived_already():
    after = word(asking(PAID, "r1", 2_500, OperationState.IN_DOUBT), "return_received", Source.READ)
    assert (after.status, after.refunded_minor) == (Status.PARTIALLY_REFUNDED, 2_500)
    assert after.operations["refund:r1"].outcome is RefundOutcome.RETURNED


@pytest.mark.parametrize("end", ["return_rejected", "return_expired"])
def test_a_refund_that_falls_through_leads_back_and_another_may_follow(end):
    taken = word(asking(PAID, "r1", 2_500, OperationState.DONE), "return_pending")
    after = word(taken, end)
    assert (after.status, after.refunded_minor) == (Status.SUCCEEDED, 0)
    assert after.operations["refund:r1"].outcome is RefundOutcome.FELL_THROUGH
    assert open_refund(after) is None


def test_a_refund_in_doubt_of_which_only_the_end_is_heard_is_ended():
    after = word(asking(PAID, "r1", 2_500, OperationState.IN_DOUBT), "return_rejected")
    assert (after.status, after.operations["refund:r1"].outcome) == (Status.SUCCEEDED, RefundOutcome.FELL_THROUGH)


def test_the_end_of_an_earlier_refund_ends_no_later_one():
    first = word(word(asking(PAID, "r1", 2_500, OperationState.DONE), "return_pending"), "return_rejected")
    after = word(asking(first, "r2", 2_500, OperationState.IN_DOUBT), "return_rejected", Source.READ)
    assert after.operations["refund:r2"].state is OperationState.IN_DOUBT


def test_a_refund_cancelled_at_the_provider_is_believed_from_a_read():
    taken = word(asking(PAID, "r1", 2_500, OperationState.DONE), "return_pending")
    after = word(taken, "received", Source.READ)
    assert (after.status, after.operations["refund:r1"].outcome) == (Status.SUCCEEDED, RefundOutcome.FELL_THROUGH)


def test_a_dispute_overtakes_a_refund_and_its_arrival_is_still_counted():
    taken = word(asking(PAID, "r1", 2_500, OperationState.DONE), "return_pending")
    disputed = word(taken, "in_dispute")
    assert disputed.status is Status.DISPUTED
    after = word(disputed, "return_received")
    assert (after.refunded_minor, after.operations["refund:r1"].outcome) == (2_500, RefundOutcome.RETURNED)


@given(
    parts=st.lists(st.integers(min_value=1, max_value=20_000), min_size=1, max_size=6),
    ends=st.lists(st.sampled_from(["return_received", "return_rejected", "return_expired"]), min_size=6, max_size=6),
    seen_twice=st.booleans(),
)
def test_i7_what_was_returned_is_the_sum_of_the_refunds_that_arrived(parts, ends, seen_twice):
    payment, sum_minor = replace(PAID), 0
    for number, (part, end) in enumerate(zip(parts, ends, strict=False)):
        if sum_minor + part > 50_000:
            break
        payment = word(asking(payment, f"r{number}", part, OperationState.DONE), "return_pending")
        payment = word(payment, end, Source.READ)
        payment = word(payment, end) if seen_twice else payment
        sum_minor += part if end == "return_received" else 0
        assert payment.refunded_minor == sum_minor
    assert payment.status is (
        Status.REFUNDED if sum_minor == 50_000 else Status.PARTIALLY_REFUNDED if sum_minor else Status.SUCCEEDED
    )
