"""A payment: what was asked, what was observed, which operations ran; and what the world sees of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
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
REFUND_PREFIX = "refund:"  # one operation for each refund_id


class OperationState(StrEnum):
    """Where a call that can create or move money stands."""

    READY = "ready"  # certainly not executed; may be sent
    SENDING = "sending"  # the mark written before the call
    DONE = "done"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"  # resolved by looking, never by blindly sending again


class RefundOutcome(StrEnum):
    """How a refund ended that the provider had taken."""

    RETURNED = "returned"
    FELL_THROUGH = "fell_through"  # rejected by the bank, or lapsed


RefusalWords = tuple[str, str]  # a stable code, a sentence


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
    absent_since_ms: int | None = None  # since when looks, made after the grace, show no trace of it
    is_proven: bool = False  # the provider spoke of it by itself: it was executed, whatever came of it
    lost_at_ms: int = 0  # the loss of the store's tail that put it in doubt, or 0
    is_unproven: bool = False  # in doubt for that loss alone: there may have been no call at all
    amount_minor: int | None = None  # of a refund: what is to be returned
    note: str | None = None  # of a refund: the reason that the provider is told
    command_id: str | None = None  # of a refund: who asked
    outcome: RefundOutcome | None = None  # of a refund that the provider took: how it ended
    untold: RefusalWords | None = None  # a refusal that its asker was not told yet


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
    decisions: Mapping[str, str] = field(default_factory=dict)  # decision_id -> why it was refused; empty: it was done
    otp_code: str | None = None  # kept until it is sent
    before_refund: tuple[Status, Reason | None] | None = None
    claimed: Claimed | None = None
    looks: int = 0  # polls since status and reason were entered
    looked_at_ms: int | None = None  # when the provider last answered usably
    look_wanted: int | None = None  # something was said that only a read can confirm; how many were made for it
    awaited: str | None = None  # the word of a webhook that reads are to show
    history: tuple[str, ...] = ()  # lines of `orchestrator.history`, for people only: nothing is decided by it

    @property
    def create(self) -> Operation:
        """The operation every payment begins with."""
        return self.operations[CREATE]

    def with_operation(self, operation: Operation) -> Payment:
        """The payment with this operation's record replaced."""
        return _copied(self, operations={**self.operations, operation.name: operation})

    def with_review(self, *reasons: Review) -> Payment:
        """The payment with more reasons for a person to look at it."""
        return _copied(self, review=tuple(sorted({*self.review, *(str(reason) for reason in reasons)})))

    def without_review(self, *reasons: Review) -> Payment:
        """The payment with reasons removed that were cleared up."""
        return _copied(self, review=tuple(name for name in self.review if name not in {str(r) for r in reasons}))

    def moved(self, status: Status, reason: Reason | None, *, now_ms: int) -> Payment:
        """The payment in this status; entering a new one starts its schedule of looks anew."""
        if (status, reason) == (self.status, self.reason):
            return self
        return _copied(self, status=status, reason=reason, since_ms=now_ms, looks=0)

    def with_history(self, history: tuple[str, ...]) -> Payment:
        """The payment with this history."""
        return _copied(self, history=history)


_NAMES = tuple(field.name for field in fields(Payment))
_values_of = attrgetter(*_NAMES)
_SETTERS = tuple(Payment.__dict__[name].__set__ for name in _NAMES)


def _copied(payment: Payment, **changes: Any) -> Payment:
    """What `replace` gives, in a third of its time: a payment has many fields and is copied at every step."""
    copy = object.__new__(Payment)
    for set_value, value in zip(_SETTERS, _values_of(payment), strict=True):
        set_value(copy, value)
    for name, value in changes.items():
        object.__setattr__(copy, name, value)
    return copy


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
    if payment.status is Status.ACCEPTED and is_doubted(payment.create):
        return Status.IN_DOUBT, None
    capture = payment.operations.get(CAPTURE)
    if payment.status is Status.REQUIRES_CAPTURE and capture is not None and is_under_way(capture):
        return Status.PROCESSING, Reason.CAPTURING
    if (payment.status, payment.reason) in REFUNDABLE and running(refunds_of(payment)):
        return Status.REFUND_PENDING, None
    return payment.status, payment.reason


# The statuses that a refund may start from; `processing`/`settling` is a card that was captured.
REFUNDABLE: frozenset[tuple[Status, Reason | None]] = frozenset(
    {
        (Status.SUCCEEDED, None),
        (Status.PARTIALLY_REFUNDED, None),
        (Status.PROCESSING, Reason.SETTLING),
    }
)


def is_doubted(operation: Operation) -> bool:
    """In doubt, or about to be sent again because an earlier attempt was: the doubt lasts until one is answered."""
    is_repeat = operation.attempt > 1 and operation.state in {OperationState.READY, OperationState.SENDING}
    return is_repeat or operation.state is OperationState.IN_DOUBT


def is_under_way(operation: Operation) -> bool:
    """Sent, as far as anybody knows, and not answered."""
    return operation.state is OperationState.SENDING or is_doubted(operation)


_RUNNING = frozenset({OperationState.SENDING, OperationState.IN_DOUBT})


def running(operations: Iterable[Operation]) -> list[Operation]:
    """Operations whose outcome is not known."""
    return [operation for operation in operations if operation.state in _RUNNING]


def refund_name(refund_id: str) -> str:
    """The name of a refund's operation."""
    return f"{REFUND_PREFIX}{refund_id}"


def refunds_of(payment: Payment) -> list[Operation]:
    """All refunds that were asked for by command, whatever came of them."""
    return [operation for name, operation in payment.operations.items() if name.startswith(REFUND_PREFIX)]


def open_refund(payment: Payment) -> Operation | None:
    """The one refund that may still move money: to be sent, on the wire, in doubt, or taken and not ended."""
    for refund in refunds_of(payment):
        is_taken = refund.state is OperationState.DONE and refund.outcome is None
        if is_taken or refund.state in _RUNNING or refund.state is OperationState.READY:
            return refund
    return None
