"""What is published of a payment against the ledger: nothing is said that did not happen there (I5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.payment import OperationState, RefundOutcome, refunds_of
from orchestrator.statuses import Reason, Review, Status

if TYPE_CHECKING:
    from orchestrator.payment import Payment, PublicView
    from tests.simulator.charges import Charge
    from tests.simulator.world import World

# What a charge must have been once, before we may say this.
_PROOFS: dict[Status, frozenset[str]] = {
    Status.SUCCEEDED: frozenset({"received"}),
    Status.FAILED: frozenset({"failed"}),
    Status.REQUIRES_CAPTURE: frozenset({"authorised"}),
    Status.REFUNDED: frozenset({"return_received", "partially_refunded"}),
    Status.PARTIALLY_REFUNDED: frozenset({"return_received", "partially_refunded"}),
    Status.DISPUTED: frozenset({"in_dispute"}),
    Status.DISPUTE_LOST: frozenset({"dispute_lost"}),
}
_ENDS = {RefundOutcome.RETURNED: "returned", RefundOutcome.FELL_THROUGH: "fell through"}
_RETURNED = frozenset({Status.PARTIALLY_REFUNDED, Status.REFUNDED})
_UNPAID = frozenset({Status.FAILED, Status.EXPIRED, Status.CANCELED})
_READABLE = frozenset({"card", "payin", "payid"})


def untrue(world: World, payment: Payment, view: PublicView, observed_by: str) -> str | None:
    """Why this may not be published, as a sentence; None where it is true."""
    intent = str(payment.key)
    charges = [charge for charge in world.provider.charges if charge.intent == intent]
    if view.reason is Reason.NOT_SENT and is_given_up(payment):
        return None
    if view.status is Status.CANCELED or view.reason is Reason.NOT_SENT:
        return f"it is {view.status}, and was created" if charges else None
    if view.status is Status.FAILED and intent in world.provider.refused_creates:
        return None
    proofs = _PROOFS.get(view.status)
    if proofs is not None and not any(proofs & set(charge.has_been) for charge in charges):
        return f"it is {view.status}, which no charge has ever been: {_told(charges)}"
    is_word_only = (
        view.status is Status.SUCCEEDED and observed_by == "webhook" and Review.UNCONFIRMED not in view.review
    )
    has_refunds = any(charge.refunds for charge in charges)  # a rejection by webhook leads back to the success
    if is_word_only and payment.flow in _READABLE and not has_refunds:
        return "its success was published on a webhook's word, without a read"
    return None


def untrue_end(world: World, before: Payment, after: Payment) -> str | None:
    """Why a payment, a refund or a dispute may not be told to have ended so, or begun again; None where it did."""
    charges = [charge for charge in world.provider.charges if charge.intent == str(after.key)]
    if before.claimed is not None and after.status in _UNPAID and any(charge.paid for charge in charges):
        return f"its success was told, and true, and it is {after.status}"
    if world.tail.lost_s is not None:
        return None  # an end may have been lost, and what comes next be taken for it
    refunds = [refund for charge in charges for refund in charge.refunds]
    for refund in refunds_of(after):
        was = before.operations.get(refund.name)
        if refund.outcome is None or (was is not None and was.outcome is refund.outcome):
            continue
        states = {each.state for each in refunds if each.note == refund.note}
        if _ENDS[refund.outcome] not in states:
            return f"{refund.name} is told to be {refund.outcome}, at the provider it is {states or 'unknown'}"
    if before.status is Status.DISPUTED and after.status is Status.SUCCEEDED:
        return _unless(all(charge.status != "in_dispute" for charge in charges), "its dispute is not over")
    if before.status in _RETURNED and after.status is Status.REFUND_PENDING:
        is_running = any(refund.state == "running" for refund in refunds)
        is_more = sum(refund.amount for refund in refunds if refund.state == "returned") > before.refunded_minor
        return _unless(is_running or is_more or "fell through" in {r.state for r in refunds}, "no refund runs")
    return None


def _unless(holds: bool, sentence: str) -> str | None:
    return None if holds else sentence


def is_given_up(payment: Payment) -> bool:
    """Whether a lost create may not be made again for lack of time: the interface calls that not sent as well."""
    is_doubted = payment.create.state is OperationState.IN_DOUBT or payment.create.attempt > 1
    return is_doubted and payment.flow in {"payin", "payid"}


def _told(charges: list[Charge]) -> str:
    return "; ".join(" ".join(charge.has_been) for charge in charges) or "there is none"
