"""What the provider said of a payment, in our words: the one shape that replies, webhooks and reads become."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from orchestrator.statuses import Reason, Stage, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.statuses import Review


class Source(StrEnum):
    """How we came to know; also the `observed_by` of an event."""

    INTAKE = "intake"
    REPLY = "reply"
    WEBHOOK = "webhook"
    READ = "poll"
    SCAN = "scan"
    CLOCK = "clock"
    COMMAND = "command"
    PERSON = "person"


READS = frozenset({Source.READ, Source.SCAN})


class AmountCheck(StrEnum):
    """Whether the provider speaks of the amount that was asked."""

    OK = "ok"
    MISMATCH = "mismatch"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where a provider status leads: a column of the matrix, and the status entered there."""

    column: Stage
    status: Status
    reason: Reason | None = None
    ends_action: bool = False  # money is in, though the provider still says pending: nothing is left to do


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """One observation, interpreted. `usable` is False where it tells nothing of the payment's state."""

    source: Source
    usable: bool
    asked_ms: int | None = None  # of a read: when it was asked; what it shows may be as old, however late it is heard
    operation: str | None = None  # of a reply
    attempt: int | None = None  # of a webhook: the path it came in by
    reference: str | None = None
    external_id: str | None = None
    provider_status: str | None = None
    provider_stage: str | None = None
    target: Target | None = None  # None: the status is unknown, or it leads back to where a refund began
    refund_fell_through: bool = False
    next_action: Mapping[str, Any] | None = None
    failure: Mapping[str, Any] | None = None
    amount: AmountCheck = AmountCheck.UNVERIFIABLE
    currency_differs: bool = False
    total_minor: int | None = None
    paid_minor: int | None = None
    refunded_minor: int | None = None
    expires_at_ms: int | None = None
    review: tuple[Review, ...] = field(default=())


TARGETS: dict[str, Target] = {
    "pending": Target(column=Stage.AWAIT, status=Status.PROCESSING, reason=Reason.AWAITING_PROVIDER),
    "authorised": Target(column=Stage.AUTHORISED, status=Status.REQUIRES_CAPTURE),
    "waiting": Target(column=Stage.SETTLING, status=Status.PROCESSING, reason=Reason.SETTLING),
    "received": Target(column=Stage.SUCCEEDED, status=Status.SUCCEEDED),
    "expired": Target(column=Stage.EXPIRED, status=Status.EXPIRED, reason=Reason.PROVIDER),
    "failed": Target(column=Stage.FAILED, status=Status.FAILED),
    "canceled": Target(column=Stage.CANCELED, status=Status.CANCELED),
    "return_pending": Target(column=Stage.REFUND_PENDING, status=Status.REFUND_PENDING),
    "partially_refunded": Target(column=Stage.PARTIALLY_REFUNDED, status=Status.PARTIALLY_REFUNDED),
    "return_received": Target(column=Stage.REFUNDED, status=Status.REFUNDED),
    "refunded": Target(column=Stage.REFUNDED, status=Status.REFUNDED),
    "in_dispute": Target(column=Stage.DISPUTED, status=Status.DISPUTED),
    "dispute_lost": Target(column=Stage.DISPUTE_LOST, status=Status.DISPUTE_LOST),
}
REFUND_FELL_THROUGH = frozenset({"return_rejected", "return_expired"})
SPELLINGS = {"authorized": "authorised", "cancelled": "canceled"}
REQUIRES_ACTION = Target(column=Stage.ACTION, status=Status.REQUIRES_ACTION)
AWAITING_PAY_CODE = Target(column=Stage.AWAIT, status=Status.PROCESSING, reason=Reason.AWAITING_PAY_CODE)
