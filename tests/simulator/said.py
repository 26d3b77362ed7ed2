"""What is published of a payment against the ledger: nothing is said that did not happen there (I5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.payment import OperationState
from orchestrator.sighting import REFUND_FELL_THROUGH
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
    if is_word_only and payment.flow in _READABLE and payment.provider_status not in REFUND_FELL_THROUGH:
        return "its success was published on a webhook's word, without a read"
    return None


def is_given_up(payment: Payment) -> bool:
    """Whether a lost create may not be made again for lack of time: the interface calls that not sent as well."""
    is_doubted = payment.create.state is OperationState.IN_DOUBT or payment.create.attempt > 1
    return is_doubted and payment.flow in {"payin", "payid"}


def _told(charges: list[Charge]) -> str:
    return "; ".join(" ".join(charge.has_been) for charge in charges) or "there is none"
