"""A payment: what was asked, what was observed, which operations ran; and what the world sees of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from orchestrator.dialect import DIALECT, Dialect
from orchestrator.money import with_gst
from orchestrator.statuses import Reason, Review, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.identity import PaymentKey
    from orchestrator.intent import PaymentIntent

CREATE = "create"
CAPTURE = "capture"
CONFIRM_OTP = "confirm_otp"


class OperationState(StrEnum):
    """Where a call that can create or move money stands."""

    READY = "ready"  # certainly not executed; may be sent
    SENDING = "sending"  # the mark written before the call
    DONE = "done"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"  # resolved by looking, never by blindly sending again


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """The record of one call that can create or move money."""

    name: str
    state: OperationState = OperationState.READY
    attempt: int = 1  # rises by re-creation only
    at_ms: int = 0  # when this state was entered
    deadline_ms: int | None = None  # of the call on the wire
    unauthorised: int = 0  # how often in a row the provider did not accept who asks
    not_before_ms: int = 0  # a call that was certainly not executed waits so long
    unsent: int = 0  # how often in a row it was certainly not executed
    reference: str | None = None
    looks: int = 0  # while in doubt: how often we looked


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """A success that was said but not confirmed by a read yet."""

    since_ms: int
    unusable_reads: int = 0
    looks: int = 0
    paid_minor: int | None = None
    total_minor: int | None = None
    settled: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Payment:
    """Everything known of one payment. A change means a new value."""

    key: PaymentKey
    flow: str
    terms: Mapping[str, Any]  # the intent as validated: customer, method, description, metadata
    amount_minor: int | None
    currency: str
    credentials: str  # the name of the set that created the payment; its reads must use the same (T-39)
    accepted_at_ms: int
    send_before_ms: int
    expires_at_ms: int | None = None

    status: Status = Status.ACCEPTED  # as observed, or by a move of our own
    reason: Reason | None = None
    since_ms: int = 0  # when status and reason were entered
    operations: Mapping[str, Operation] = field(default_factory=dict)

    total_minor: int | None = None
    paid_minor: int = 0
    refunded_minor: int = 0
    customer_paid: bool = False
    settled: bool = False
    next_action: Mapping[str, Any] | None = None
    failure: Mapping[str, Any] | None = None
    review: tuple[str, ...] = ()

    reference: str | None = None
    aliases: tuple[str, ...] = ()
    provider_status: str | None = None
    provider_stage: str | None = None
    commands: Mapping[str, str] = field(default_factory=dict)  # command_id -> fingerprint, of those answered
    otp_code: str | None = None  # kept until it is sent
    before_refund: tuple[Status, Reason | None] | None = None
    claimed: Claimed | None = None
    looks: int = 0  # polls since status and reason were entered
    looked_at_ms: int | None = None  # when the provider last answered usably
    look_wanted: int | None = None  # something was said that only a read can confirm; how many were made for it

    @property
    def create(self) -> Operation:
        """The operation every payment begins with."""
        return self.operations[CREATE]

    def with_operation(self, operation: Operation) -> Payment:
        """The payment with this operation's record replaced."""
        return replace(self, operations={**self.operations, operation.name: operation})

    def with_review(self, *reasons: Review) -> Payment:
        """The payment with more reasons for a person to look at it."""
        return replace(self, review=tuple(sorted({*self.review, *(str(reason) for reason in reasons)})))

    def without_review(self, *reasons: Review) -> Payment:
        """The payment with reasons removed that were cleared up."""
        return replace(self, review=tuple(name for name in self.review if name not in {str(r) for r in reasons}))

    def moved(self, status: Status, reason: Reason | None, *, now_ms: int) -> Payment:
        """The payment in this status; entering a new one starts its schedule of looks anew."""
        if (status, reason) == (self.status, self.reason):
            return self
        return replace(self, status=status, reason=reason, since_ms=now_ms, looks=0)


def new_payment(
    intent: PaymentIntent,
    *,
    credentials: str | None = None,
    emails: Sequence[str] = (),
    dialect: Dialect = DIALECT,
    now_ms: int,
) -> Payment:
    """The payment of a freshly accepted intent: stored, nothing sent; `emails` are those a PayID is sent to."""
    terms = intent.model_dump(mode="json", exclude={"intent_id", "merchant", "amount_minor", "currency", "expires_at"})
    if emails:
        terms["method"]["emails"] = list(emails)
    method = terms["method"]
    if "gst" in method:
        method["gst"] = dialect.gst_default and intent.currency == "AUD" if method["gst"] is None else method["gst"]
    if "capture" in method:
        method["capture"] = method["capture"] or ("automatic" if dialect.card_captures_itself else "manual")
    gst = bool(method.get("gst"))
    amount = intent.amount_minor
    return Payment(
        key=intent.key,
        flow=intent.flow,
        terms=terms,
        amount_minor=amount,
        currency=intent.currency,
        credentials=credentials or intent.merchant,
        accepted_at_ms=now_ms,
        since_ms=now_ms,
        send_before_ms=now_ms + intent.send_before_s * 1000,
        expires_at_ms=int(intent.expires_at.timestamp() * 1000) if intent.expires_at else None,
        operations={CREATE: Operation(name=CREATE, at_ms=now_ms)},
        total_minor=with_gst(amount) if gst and amount else amount,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicView:
    """What the world sees; an event is published exactly when it changes (interface 2)."""

    status: Status
    reason: Reason | None
    next_action: Mapping[str, Any] | None
    failure: Mapping[str, Any] | None
    review: tuple[str, ...]
    customer_paid: bool
    settled: bool
    amount_minor: int | None
    total_minor: int | None
    paid_minor: int
    refunded_minor: int
    reference: str | None
    expires_at_ms: int | None


def public_view(payment: Payment) -> PublicView:
    """The public view, derived from what was observed and from the operations."""
    status, reason = _derived_status(payment)
    return PublicView(
        status=status,
        reason=reason,
        next_action=payment.next_action if status is Status.REQUIRES_ACTION else None,
        failure=payment.failure if status is Status.FAILED else None,
        review=payment.review,
        customer_paid=payment.customer_paid,
        settled=payment.settled,
        amount_minor=payment.amount_minor,
        total_minor=payment.total_minor,
        paid_minor=payment.paid_minor,
        refunded_minor=payment.refunded_minor,
        reference=bare_reference(payment.reference),
        expires_at_ms=payment.expires_at_ms,
    )


def bare_reference(reference: str | None) -> str | None:
    """The provider's own id without our flow prefix (D-17)."""
    return reference.partition(":")[2] if reference else None


def _derived_status(payment: Payment) -> tuple[Status, Reason | None]:
    """An operation shows only while the observed status is one it may start from; a later one wins."""
    state = {name: operation.state for name, operation in payment.operations.items()}
    if payment.status is Status.ACCEPTED and state[CREATE] is OperationState.IN_DOUBT:
        return Status.IN_DOUBT, None
    if payment.status is Status.REQUIRES_CAPTURE and state.get(CAPTURE) in _RUNNING:
        return Status.PROCESSING, Reason.CAPTURING
    return payment.status, payment.reason


_RUNNING = frozenset({OperationState.SENDING, OperationState.IN_DOUBT})


def running(operations: Iterable[Operation]) -> list[Operation]:
    """Operations whose outcome is not known."""
    return [operation for operation in operations if operation.state in _RUNNING]
