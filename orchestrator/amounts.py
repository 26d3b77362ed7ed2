"""What a sighting tells of money: paid, settled, returned, and what does not fit (D-02, D-04). Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.sighting import READS, AmountCheck
from orchestrator.statuses import Reason, Review, Stage, Status

if TYPE_CHECKING:
    from orchestrator.payment import Payment
    from orchestrator.sighting import Sighting, Target

SETTLED = "received"  # the one provider status that says the money is in the available balance
PAID = frozenset(
    {
        Stage.SETTLING,
        Stage.SUCCEEDED,
        Stage.REFUND_PENDING,
        Stage.PARTIALLY_REFUNDED,
        Stage.REFUNDED,
        Stage.DISPUTED,
        Stage.DISPUTE_LOST,
    }
)
SUCCEEDED_ONCE = PAID - {Stage.SETTLING}


def received_minor(payment: Payment, sighting: Sighting) -> int:
    """What came in, in minor units; where no paid amount was ever told, the total."""
    return payment.paid_minor or sighting.paid_minor or sighting.total_minor or payment.total_minor or 0


def is_underpaid(payment: Payment, sighting: Sighting) -> bool:
    """Whether less is told to be paid than the total; False where no paid amount is told."""
    total = sighting.total_minor if sighting.total_minor is not None else payment.total_minor
    return sighting.paid_minor is not None and total is not None and sighting.paid_minor < total


def with_money(payment: Payment, sighting: Sighting, target: Target) -> Payment:
    """The payment with the sums that the sighting tells, and reviews of those that do not fit."""
    payment = payment.with_review(*sighting.review, *_amount_reviews(payment, sighting, target))
    if sighting.amount is AmountCheck.OK and sighting.total_minor is not None:
        payment = replace(payment, total_minor=sighting.total_minor)
    if target.column in PAID:
        paid = sighting.paid_minor if sighting.amount is not AmountCheck.MISMATCH else None
        has_paid = payment.customer_paid or target.reason is not Reason.AMOUNT_REVIEW or bool(paid)
        payment = replace(payment, customer_paid=has_paid, paid_minor=paid or payment.paid_minor)
    if target.reason is Reason.AMOUNT_REVIEW and sighting.source not in READS:
        payment = replace(payment, look_wanted=0)
    if target.column in SUCCEEDED_ONCE and target.reason is None:
        payment = replace(payment, paid_minor=payment.paid_minor or payment.total_minor or 0)
    if target.status is Status.SUCCEEDED:
        payment = replace(payment, settled=payment.settled or sighting.provider_status == SETTLED)
    return payment


def with_returned(payment: Payment, target: Target, known: int | None) -> Payment:
    """The returned sum, which may only grow; one that nobody knows, or shrinks, is for a person (contract 3.5)."""
    if target.status is Status.REFUNDED:
        payment = payment if known else payment.with_review(Review.REFUND_AMOUNT_UNKNOWN)
        return replace(payment, refunded_minor=max(known or payment.paid_minor, payment.refunded_minor))
    if target.status is not Status.PARTIALLY_REFUNDED or not known:
        return payment
    if known < payment.refunded_minor:
        return payment.with_review(Review.REFUND_AMOUNT_UNKNOWN)
    return replace(payment, refunded_minor=known)


def _amount_reviews(payment: Payment, sighting: Sighting, target: Target) -> tuple[Review, ...]:
    reviews: list[Review] = []
    if sighting.amount is AmountCheck.MISMATCH:
        reviews.append(Review.AMOUNT_MISMATCH)
    if sighting.currency_differs:
        reviews.append(Review.CURRENCY_MISMATCH)
    if target.column is Stage.SUCCEEDED and not reviews:
        total = sighting.total_minor if sighting.total_minor is not None else payment.total_minor
        if is_underpaid(payment, sighting):
            reviews.append(Review.UNDERPAID)
        elif sighting.paid_minor is not None and total is not None and sighting.paid_minor > total:
            reviews.append(Review.OVERPAID)
    return tuple(reviews)
