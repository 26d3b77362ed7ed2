"""How a refund goes on once it may have been sent: taken by the provider, returned, fallen through. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.payment import Operation, OperationState, Payment, RefundOutcome, open_refund, refunds_of, running
from orchestrator.sighting import REFUND_FELL_THROUGH, Source
from orchestrator.statuses import Stage, Status

if TYPE_CHECKING:
    from orchestrator.sighting import Sighting

_RETURNED = frozenset({Status.PARTIALLY_REFUNDED, Status.REFUNDED})
RETURNED_STAGES = frozenset({Stage.PARTIALLY_REFUNDED, Stage.REFUNDED})
_BEFORE_REFUNDS = frozenset({Stage.SETTLING, Stage.SUCCEEDED, Stage.PARTIALLY_REFUNDED})


def sent_refund(payment: Payment) -> Operation | None:
    """The open refund, if a call for it may have been made."""
    refund = open_refund(payment)
    return refund if refund is not None and refund.state is not OperationState.READY else None


def returned_minor(payment: Payment, sighting: Sighting) -> int | None:
    """The sum returned by now if the sighting says that a refund arrived; None where nobody can tell.

    Replies and webhooks often name no sum (T-22, T-27): then the refund that we asked for is what arrived. The
    provider's figure is the sum of all refunds or of the last one, nobody says which; what agrees with ours is ours.
    """
    told = sighting.refunded_minor or None
    if says_nothing_new(payment, sighting):
        return payment.refunded_minor or None
    refund = sent_refund(payment)
    if refund is not None and refund.amount_minor is not None:
        ours = payment.refunded_minor + refund.amount_minor
        if told in {None, refund.amount_minor, ours}:
            return ours
    return told


def says_nothing_new(payment: Payment, sighting: Sighting) -> bool:
    """The word that was applied before, with no greater sum: it tells nothing of a refund asked for since."""
    is_same_word = payment.status in _RETURNED and payment.provider_status == sighting.provider_status
    return is_same_word and (sighting.refunded_minor or 0) <= payment.refunded_minor


def may_be_of_an_earlier_refund(payment: Payment, sighting: Sighting, *, row: Stage, column: Stage) -> bool:
    """Whether a webhook may speak of a refund that is over already: they come in any order, and more than once.

    A payin's tells no sum: taken for another refund, a late one would return money that nobody returned. A greater
    sum is another refund, but that of a notice may be of one that fell through; the notice of one of ours that was
    taken is its own.
    """
    if sighting.source is not Source.WEBHOOK:
        return False
    is_more = (sighting.refunded_minor or 0) > payment.refunded_minor
    if column is Stage.REFUND_PENDING:
        if _is_taken(sent_refund(payment)):
            return False
        is_part_over = row is Stage.PARTIALLY_REFUNDED and not is_more
        return is_part_over or (row in _BEFORE_REFUNDS and one_fell_through(payment))
    if column not in RETURNED_STAGES or is_more:
        return False
    if row is Stage.REFUND_PENDING:
        return bool(payment.refunded_minor)
    return row is Stage.PARTIALLY_REFUNDED and payment.provider_status in REFUND_FELL_THROUGH


def one_fell_through(payment: Payment) -> bool:
    """Whether a refund of ours was rejected, lapsed or was called off: its words may come again."""
    return any(refund.outcome is RefundOutcome.FELL_THROUGH for refund in refunds_of(payment))


def tells_nothing_of_one_in_doubt(payment: Payment, sighting: Sighting) -> bool:
    """Whether a rejection may be that of an earlier refund, while it is not known whether a later one was taken."""
    is_in_doubt = not _is_taken(sent_refund(payment))
    return payment.provider_status == sighting.provider_status or (one_fell_through(payment) and is_in_doubt)


def may_have_fallen_through_before(payment: Payment, sighting: Sighting) -> bool:
    """Whether a webhook may speak of another refund of ours, which fell through, than of the one that is open."""
    return one_fell_through(payment) and sighting.source is Source.WEBHOOK and sent_refund(payment) is not None


def refund_followed(before: Payment, after: Payment, *, now_ms: int) -> Payment:
    """The payment with its open refund where an applied observation has taken it."""
    refund = sent_refund(after)
    if refund is None:
        return after
    if after.status in _RETURNED and (
        before.status is Status.REFUND_PENDING or after.refunded_minor > before.refunded_minor
    ):
        return after.with_operation(_done(refund, now_ms, RefundOutcome.RETURNED))
    if after.status is Status.REFUND_PENDING and refund.state is not OperationState.DONE:
        return after.with_operation(_done(refund, now_ms, None))
    if before.status is Status.REFUND_PENDING and after.status is Status.SUCCEEDED:
        return after.with_operation(_done(refund, now_ms, RefundOutcome.FELL_THROUGH))
    return after


def refund_fell_through(payment: Payment, *, now_ms: int) -> Payment:
    """The payment whose open refund was rejected by the bank or lapsed, if one is open."""
    refund = sent_refund(payment)
    return payment.with_operation(_done(refund, now_ms, RefundOutcome.FELL_THROUGH)) if refund else payment


def refund_taken(payment: Payment, refund: Operation, *, now_ms: int) -> Payment:
    """The payment whose refund the provider has taken; unchanged where that was known before."""
    return payment.with_operation(_done(refund, now_ms, None)) if refund in running([refund]) else payment


def refund_refused(payment: Payment, refund: Operation, code: str, message: str, *, now_ms: int) -> Payment:
    """The payment with this refund refused: no money moves, its asker is told."""
    refused = replace(
        refund, state=OperationState.REFUSED, at_ms=now_ms, deadline_ms=None, untold=(code, message), looks=0
    )
    return payment.with_operation(refused)


def _is_taken(refund: Operation | None) -> bool:
    return refund is not None and refund.state is OperationState.DONE


def _done(refund: Operation, now_ms: int, outcome: RefundOutcome | None) -> Operation:
    return replace(
        refund, state=OperationState.DONE, at_ms=now_ms, deadline_ms=None, outcome=outcome, absent_since_ms=None
    )
