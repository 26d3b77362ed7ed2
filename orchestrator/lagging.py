"""Reads that are behind: words that come round again, and tell of the last change only once reads show it. Pure.

Most words come once in a payment's life, and the matrix knows which is later. Refunds and disputes go round: `received`
is said before a refund and after one that was called off, `return_received` after each part. So soon after a change
a read may still show what stood before it, and believed it would tell that a refund fell through while it runs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.payment import refunds_of
from orchestrator.refund_course import RETURNED_STAGES, one_fell_through
from orchestrator.sighting import REFUND_FELL_THROUGH
from orchestrator.statuses import Stage, Status

if TYPE_CHECKING:
    from orchestrator.payment import Payment
    from orchestrator.sighting import Sighting

BEHIND_MS = 5_000  # so long after a change what a read shows may be older
_LOOK_AFTER_A_GAP = 1  # the place in the schedule of confirming reads: not at once
_MAY_HAVE_STOOD_BEFORE: dict[Status, frozenset[Stage]] = {
    Status.REFUND_PENDING: frozenset({Stage.SUCCEEDED, *RETURNED_STAGES}),
    Status.PARTIALLY_REFUNDED: frozenset({Stage.REFUND_PENDING}),
    Status.REFUNDED: frozenset({Stage.REFUND_PENDING}),
    Status.SUCCEEDED: frozenset({Stage.REFUND_PENDING}),
    Status.DISPUTED: frozenset({Stage.SUCCEEDED, *RETURNED_STAGES}),
}


def may_be_behind(payment: Payment, sighting: Sighting) -> bool:
    """Whether a read may show how the payment stood before its last change.

    Where money went back, a sum that is greater than the known one is news whenever it is told.
    """
    changed_ms = max([payment.since_ms, *(refund.at_ms for refund in refunds_of(payment))])
    if sighting.asked_ms is None or sighting.asked_ms - changed_ms >= BEHIND_MS:
        return False
    if sighting.refund_fell_through:
        return payment.status is Status.REFUND_PENDING and one_fell_through(payment)
    column = sighting.target.column if sighting.target is not None else None
    if column not in _MAY_HAVE_STOOD_BEFORE.get(payment.status, ()):
        return False
    if column in RETURNED_STAGES:
        return 0 < payment.refunded_minor >= (sighting.refunded_minor or 0)
    return payment.status is not Status.SUCCEEDED or payment.provider_status in REFUND_FELL_THROUGH


def looked_at_again(payment: Payment) -> Payment:
    """The payment unchanged but for another read of it in a few seconds."""
    return replace(payment, look_wanted=_LOOK_AFTER_A_GAP)
