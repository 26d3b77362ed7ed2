"""What comes back of a PayID."""

from __future__ import annotations

from decimal import Decimal

import pytest

from orchestrator.flows.provider_object import refunded_in
from orchestrator.money import from_major
from orchestrator.sighting import AmountCheck, Source
from orchestrator.statuses import Status
from tests.unit.core.building import (
    payable_payid,
    payid_body,
    seen,
    sighting_of,
)

# Refunds


@pytest.mark.parametrize(
    ("information", "minor"),
    [
        ({"refund_payid": "x@y.z", "refund_amount": Decimal("0.1"), "request_date": "", "reason": "r"}, 10),
        ({"refund_amount": 25}, 2500),
        ({"total_amount": "200.0", "refund_amount": "50.0", "description": "Testing refund"}, 5000),
        ({"refund_amount": None}, None),
        ({"refund_amount": "1,5"}, None),
        ({"refund_amount": Decimal("0.001")}, None),
        ({}, None),
        (None, None),
        ([], None),
        ("50", None),
    ],
)
def test_t27_both_shapes_of_refund_information_are_read_and_their_absence(information, minor):
    assert refunded_in({"refund_information": information}, read=lambda value: from_major(value, "AUD")) == minor


def returned(minor_as_major: object, word: str = "return_received", **changes):
    information = {"refund_payid": "x@y.z", "refund_amount": minor_as_major, "request_date": "2027-01-15T08:00:00Z"}
    return payid_body(word, refund_information=information | changes)


def test_t22_a_return_of_a_part_is_a_partial_refund_with_its_sum():
    after = seen(seen(payable_payid(), payid_body("received"), Source.READ), returned(25))
    assert (after.status, after.refunded_minor, after.review) == (Status.PARTIALLY_REFUNDED, 2500, ())


def test_a_returned_sum_may_only_grow_and_ends_in_a_whole_refund():
    paid = seen(payable_payid(), payid_body("received"), Source.READ)
    part = seen(paid, returned(25))
    more = seen(seen(part, returned(60, "return_pending")), returned(60))
    assert (more.status, more.refunded_minor) == (Status.PARTIALLY_REFUNDED, 6000)
    whole = seen(seen(more, returned(100, "return_pending")), returned(100))
    assert (whole.status, whole.refunded_minor, whole.review) == (Status.REFUNDED, 10000, ())


def test_a_returned_sum_that_shrinks_is_for_a_person():
    part = seen(seen(payable_payid(), payid_body("received"), Source.READ), returned(25))
    less = seen(seen(part, returned(10, "return_pending"), Source.READ), returned(10), Source.READ)
    assert (less.status, less.refunded_minor) == (Status.PARTIALLY_REFUNDED, 2500)
    assert less.review == ("refund_amount_unknown",)


def test_a_refund_that_is_only_asked_for_has_returned_nothing():
    after = seen(seen(payable_payid(), payid_body("received"), Source.READ), returned(25, "return_pending"))
    assert (after.status, after.refunded_minor) == (Status.REFUND_PENDING, 0)


def test_an_amount_of_another_payment_is_no_success():
    after = seen(payable_payid(), payid_body("received", amount="10.0", total="10.0"), Source.READ)
    assert (after.status, after.review) == (Status.PROCESSING, ("amount_mismatch",))
    assert sighting_of(payable_payid(), payid_body("received"), Source.READ).amount is AmountCheck.OK
