"""How long a payment is kept after it is over. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.payment import running
from orchestrator.statuses import FINAL

if TYPE_CHECKING:
    from orchestrator.payment import Payment


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """A payment is kept so long after its final status, its id so long after that."""

    payment_ms: int
    id_ms: int

    def has_ended(self, payment: Payment, *, now_ms: int) -> bool:
        """Whether nothing of the payment is needed any more but its id."""
        return is_over(payment) and payment.since_ms + self.payment_ms <= now_ms


def is_over(payment: Payment) -> bool:
    """Whether the payment has come to its end: nothing is under way, and nobody waits to be told anything."""
    operations = list(payment.operations.values())
    is_told = all(operation.untold is None for operation in operations)
    return payment.status in FINAL and is_told and not running(operations)
