"""observe(): one pure function through which everything the provider says changes a payment (architecture's idea 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.amounts import PAID, SETTLED, SUCCEEDED_ONCE, is_underpaid, received_minor, with_money, with_returned
from orchestrator.doubt import in_doubt
from orchestrator.payment import CAPTURE, CREATE, Claimed, OperationState, Payment, is_doubted, is_under_way
from orchestrator.refund_course import (
    may_be_of_an_earlier_refund,
    may_have_fallen_through_before,
    refund_fell_through,
    refund_followed,
    returned_minor,
    sent_refund,
    tells_nothing_of_one_in_doubt,
)
from orchestrator.sighting import READS, REFUND_FELL_THROUGH, TARGETS, AmountCheck, Sighting, Source, Target
from orchestrator.statuses import MATRIX, Move, Reason, Review, Stage, Status, stage_of

UNUSABLE_READS_MAX = 3
LOOKS_FOR_A_WORD = 4  # at once and after 5, 20 and 50 s: reads are behind for less
UNCONFIRMED_AFTER_MS = 60_000
_CONFIRMABLE = frozenset(
    {
        Stage.ACCEPTED,
        Stage.DOUBT,
        Stage.ACTION,
        Stage.AUTHORISED,
        Stage.AWAIT,
        Stage.CAPTURING,
        Stage.CONFIRM,
        Stage.SETTLING,
    }
)
_MAY_WANT_A_CODE = frozenset({Stage.ACTION, Stage.AWAIT})  # from all others there is no way back to them
_REFUNDABLE = frozenset({Stage.SETTLING, Stage.SUCCEEDED, Stage.PARTIALLY_REFUNDED, Stage.DISPUTED})
_NEVER_PAID = frozenset(Stage) - PAID
_UNANSWERED = frozenset({OperationState.READY, OperationState.SENDING, OperationState.IN_DOUBT})
_LATE_FROM = frozenset({Stage.FAILED, Stage.EXPIRED, Stage.CANCELED})
_WAITING_REVIEWS = (
    Review.NOT_CAPTURED,
    Review.PARKED,
    Review.PAY_CODE_OVERDUE,
    Review.STALE,
    Review.IN_DOUBT_AGED,
    Review.UNCONFIRMED,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Belief:
    """How far the provider's word is taken."""

    confirm_by_read: bool = True  # a success learned from a webhook is confirmed by one read
    has_read: bool = True
    waiting_is_success: bool = False


def observe(payment: Payment, sighting: Sighting, *, belief: Belief, now_ms: int) -> Payment:
    """The payment after this sighting: applied, merged, kept for a confirming read, or unchanged.

    Only an explicit yes is success and only an explicit no is failure (I5); what is out of order changes nothing (I4).
    """
    seen = _observed(payment, sighting, belief, now_ms)
    has_moved = (seen.status, seen.reason) != (payment.status, payment.reason)
    is_shown = sighting.source in READS and seen.awaited is not None and has_moved
    return replace(seen, look_wanted=None, awaited=None) if is_shown else seen


def _observed(payment: Payment, sighting: Sighting, belief: Belief, now_ms: int) -> Payment:
    payment = _proven_sent(payment, sighting, now_ms)
    if not sighting.usable:
        return _unusable(payment, sighting, now_ms)
    if _is_foreign(payment, sighting):
        return _unusable(payment.with_review(Review.FOREIGN_REFERENCE), sighting, now_ms)
    if sighting.source in READS:
        payment = _looked_for(payment, sighting)
    if sighting.reference and payment.reference not in {None, sighting.reference}:
        payment = _other_reference(payment, sighting)
        if payment.reference != sighting.reference:
            return _unusable(payment, sighting, now_ms)
    payment = _created(payment, sighting, now_ms)
    if sighting.refund_fell_through:
        return _refund_fell_through(payment, sighting, belief, now_ms)
    if sighting.target is None:
        wanted = 0 if sighting.source not in READS else payment.look_wanted
        return _made(replace(payment, look_wanted=wanted), now_ms).with_review(Review.UNKNOWN_STATUS)
    return _follow_matrix(payment, sighting, _judged(payment, sighting, sighting.target, belief), belief, now_ms)


def _looked_for(payment: Payment, sighting: Sighting) -> Payment:
    """A read settles what a webhook told once it shows that word, or had time to: the first ones may be behind.

    A word that nobody knows settles nothing: it may be the same in other letters.
    """
    if sighting.target is None and not sighting.refund_fell_through:
        return payment
    is_settled = payment.awaited in {None, sighting.provider_status} or (payment.look_wanted or 0) >= LOOKS_FOR_A_WORD
    return replace(payment, look_wanted=None, awaited=None) if is_settled else payment


def _to_be_shown(payment: Payment, sighting: Sighting) -> Payment:
    """The payment unchanged, but for reads that are to show what a webhook told."""
    return replace(payment, look_wanted=0, awaited=sighting.provider_status)


def _proven_sent(payment: Payment, sighting: Sighting, now_ms: int) -> Payment:
    """A webhook proves that a create was executed: it is never sent again, whatever else the webhook tells.

    For one that we never marked as sent it proves that a mark was lost.
    """
    create = payment.create
    if sighting.source is not Source.WEBHOOK or create.state not in _UNANSWERED:
        return payment
    if create.state is OperationState.READY:
        payment = in_doubt(payment, create, now_ms=now_ms)
        payment = payment.with_review(Review.UNEXPECTED_OBSERVATION) if create.attempt == 1 else payment
    return payment.with_operation(replace(payment.create, is_proven=True))


def _is_foreign(payment: Payment, sighting: Sighting) -> bool:
    """Whether it speaks of somebody else's payment: by our id, or where we asked for one reference and got another."""
    if sighting.external_id is not None:
        return sighting.external_id != payment.key.intent_id
    is_asked_for = sighting.source is Source.READ or sighting.operation not in {None, CREATE}
    return is_asked_for and sighting.reference not in {None, payment.reference}


def _unusable(payment: Payment, sighting: Sighting, now_ms: int) -> Payment:
    claimed = payment.claimed
    if sighting.source not in READS or claimed is None:
        return payment
    claimed = replace(claimed, unusable_reads=claimed.unusable_reads + 1)
    if claimed.unusable_reads < UNUSABLE_READS_MAX:
        return replace(payment, claimed=claimed)
    return _succeeded(payment, claimed, now_ms).with_review(Review.UNCONFIRMED)


def _succeeded(payment: Payment, claimed: Claimed, now_ms: int) -> Payment:
    total = claimed.total_minor if claimed.total_minor is not None else payment.total_minor
    payment = replace(
        payment.moved(Status.SUCCEEDED, None, now_ms=now_ms),
        claimed=None,
        customer_paid=True,
        settled=claimed.settled,
        total_minor=total,
        paid_minor=claimed.paid_minor or total or 0,
    )
    return _operations_done(payment, now_ms)


def _other_reference(payment: Payment, sighting: Sighting) -> Payment:
    """Another payment of the provider's under our id: an alias. The one that is paid is the payment.

    Two that are paid need a person, and so do two that a list shows where we looked for one.
    """
    aliases = tuple(sorted({*payment.aliases, sighting.reference or ""}))
    column = sighting.target.column if sighting.target else None
    is_paid = payment.customer_paid or payment.claimed is not None or row_of(payment) in PAID
    if column in PAID and not is_paid:
        rest = tuple(sorted({*aliases, payment.reference or ""} - {sighting.reference}))
        return replace(payment, aliases=rest, reference=sighting.reference)
    is_alarming = column in PAID or (sighting.source is Source.SCAN and column is not Stage.FAILED)
    payment = replace(payment, aliases=aliases)
    return payment.with_review(Review.DUPLICATE_EXTERNAL_ID) if is_alarming else payment


def _created(payment: Payment, sighting: Sighting, now_ms: int) -> Payment:
    """Whoever speaks of the payment with its reference shows that the create was executed."""
    create = payment.create
    payment = replace(payment, reference=payment.reference or sighting.reference)
    if create.state is not OperationState.DONE:
        done = replace(create, state=OperationState.DONE, at_ms=now_ms, deadline_ms=None, reference=payment.reference)
        payment = payment.with_operation(done).without_review(Review.IN_DOUBT_AGED)
    expires = payment.expires_at_ms if payment.expires_at_ms is not None else sighting.expires_at_ms
    return replace(payment, expires_at_ms=expires)


def _made(payment: Payment, now_ms: int) -> Payment:
    """A payment of which no more is known than that the provider has it."""
    is_unobserved = payment.status is Status.ACCEPTED
    return payment.moved(Status.PROCESSING, Reason.AWAITING_PROVIDER, now_ms=now_ms) if is_unobserved else payment


def _judged(payment: Payment, sighting: Sighting, target: Target, belief: Belief) -> Target:
    """Withhold success and capture where the amounts are not those that were asked (D-02, D-04)."""
    short = is_underpaid(payment, sighting)
    wrong = sighting.amount is AmountCheck.MISMATCH or sighting.currency_differs
    if target.column is Stage.SETTLING and belief.waiting_is_success and not wrong:
        target = Target(column=Stage.SUCCEEDED, status=Status.SUCCEEDED)
    returned = returned_minor(payment, sighting) or 0
    if target.column is Stage.REFUNDED and 0 < returned < received_minor(payment, sighting):
        return Target(column=Stage.PARTIALLY_REFUNDED, status=Status.PARTIALLY_REFUNDED)
    is_withheld = (wrong or short) and not _has_succeeded(payment)
    if (target.column is Stage.SUCCEEDED and is_withheld) or (target.column is Stage.AUTHORISED and wrong):
        return Target(column=target.column, status=Status.PROCESSING, reason=Reason.AMOUNT_REVIEW)
    return target


def _has_succeeded(payment: Payment) -> bool:
    """Whether success was told before: an amount that is said again, perhaps one that a person accepted, ends none."""
    row = row_of(payment)
    if row is not Stage.REFUND_PENDING:
        return row in SUCCEEDED_ONCE
    return payment.before_refund is not None and stage_of(*payment.before_refund) in SUCCEEDED_ONCE


def _follow_matrix(payment: Payment, sighting: Sighting, target: Target, belief: Belief, now_ms: int) -> Payment:
    row = row_of(payment)
    move = MATRIX[row][target.column]
    if row is Stage.ACTION and target.ends_action:
        move = Move.APPLY
    if row is Stage.REFUND_PENDING and target.column is Stage.SUCCEEDED and sighting.source not in READS:
        move = Move.CONFIRM
    if belief.has_read and may_be_of_an_earlier_refund(payment, sighting, row=row, column=target.column):
        move = Move.CONFIRM
    if is_of_an_earlier_attempt(payment, sighting):
        return payment
    is_over = row is Stage.REFUNDED and not _may_leave_refunded(payment, target)
    if move is Move.STALE or is_over or _is_early_no(payment, sighting, move, now_ms):
        return _contradicted(payment, sighting, now_ms)
    is_word_only = move is Move.CONFIRM and sighting.source not in READS
    if is_word_only and belief.has_read:
        return _to_be_shown(payment, sighting)
    if move is not Move.MERGE and _needs_confirming(sighting, target, belief):
        return _claim(payment, sighting, row, now_ms)
    if move is Move.CONFIRM and row in _LATE_FROM and target.column in PAID:
        payment = payment.with_review(Review.LATE_PAYMENT)
    if row is Stage.REFUNDED and target.column is Stage.SUCCEEDED:
        payment = payment.with_review(Review.REGRESSION_OBSERVED)
    applied = _applied(payment, sighting, target, now_ms)
    return applied.with_review(Review.UNCONFIRMED) if is_word_only else applied


def is_of_an_earlier_attempt(payment: Payment, sighting: Sighting) -> bool:
    """Whether it tells how another attempt's payment stands, unpaid: it names no reference, its path tells which."""
    is_earlier = sighting.attempt is not None and sighting.attempt < payment.create.attempt
    is_told_apart = sighting.reference is None and payment.reference is not None
    return is_earlier and is_told_apart and sighting.target is not None and sighting.target.column not in PAID


def _may_leave_refunded(payment: Payment, target: Target) -> bool:
    """A bounced refund says so itself; another refund can follow only where this one may have been a part."""
    if target.column is Stage.SUCCEEDED:
        return payment.provider_status in REFUND_FELL_THROUGH
    is_refund = target.column in {Stage.REFUND_PENDING, Stage.PARTIALLY_REFUNDED}
    return not is_refund or Review.REFUND_AMOUNT_UNKNOWN in payment.review


def row_of(payment: Payment) -> Stage:
    """The row of the matrix a payment stands in, its running operations taken into account."""
    row = stage_of(payment.status, payment.reason)
    if row is Stage.ACCEPTED and (payment.create.state is not OperationState.READY or is_doubted(payment.create)):
        return Stage.DOUBT
    capture = payment.operations.get(CAPTURE)
    if row is Stage.AUTHORISED and capture is not None and is_under_way(capture):
        return Stage.CAPTURING
    return row


def _is_early_no(payment: Payment, sighting: Sighting, move: Move, now_ms: int) -> bool:
    """Whether a read says no where a success was just told: it may be behind, and is repeated before it counts."""
    claimed = payment.claimed
    is_read = sighting.source in READS and move is Move.CONFIRM
    return is_read and claimed is not None and _is_early(sighting, claimed, now_ms)


def _is_early(sighting: Sighting, claimed: Claimed, now_ms: int) -> bool:
    asked_ms = sighting.asked_ms if sighting.asked_ms is not None else now_ms
    return asked_ms - claimed.since_ms < UNCONFIRMED_AFTER_MS


def _contradicted(payment: Payment, sighting: Sighting, now_ms: int) -> Payment:
    """A stale word changes nothing; a read that contradicts a claimed success is repeated, and told after a minute."""
    claimed = payment.claimed
    if claimed is None or sighting.source not in READS or _is_early(sighting, claimed, now_ms):
        return payment
    return payment.with_review(Review.UNCONFIRMED)


def _needs_confirming(sighting: Sighting, target: Target, belief: Belief) -> bool:
    is_word_only = sighting.source is Source.WEBHOOK and target.status is Status.SUCCEEDED
    return is_word_only and belief.confirm_by_read and belief.has_read


def _claim(payment: Payment, sighting: Sighting, row: Stage, now_ms: int) -> Payment:
    """A success that only a webhook told: one confirming read before it is published."""
    if row not in _CONFIRMABLE:
        return _to_be_shown(payment, sighting)
    claimed = payment.claimed or Claimed(
        since_ms=now_ms,
        paid_minor=sighting.paid_minor,
        total_minor=sighting.total_minor,
        settled=sighting.provider_status == SETTLED,
    )
    payment = replace(payment, claimed=claimed)
    return payment.moved(Status.PROCESSING, Reason.CONFIRMING, now_ms=now_ms)


def _applied(payment: Payment, sighting: Sighting, target: Target, now_ms: int) -> Payment:
    old = payment
    if target.column is Stage.REFUND_PENDING and payment.status is not Status.REFUND_PENDING:
        before = (payment.status, payment.reason) if row_of(payment) in _REFUNDABLE else None
        payment = replace(payment, before_refund=before)
    payment = payment.moved(target.status, target.reason, now_ms=now_ms)
    payment = replace(
        payment,
        claimed=None,
        provider_status=sighting.provider_status,
        provider_stage=sighting.provider_stage or payment.provider_stage,
        next_action=sighting.next_action or payment.next_action,
        failure=sighting.failure or payment.failure,
        otp_code=payment.otp_code if target.column in _MAY_WANT_A_CODE else None,
    )
    if target.status is Status.FAILED and payment.failure is None:
        payment = replace(payment, failure={"code": "failed", "message": "The provider gave no reason."})
    if (old.status, old.reason) != (payment.status, payment.reason):
        payment = payment.without_review(*_WAITING_REVIEWS)
    payment = with_returned(with_money(payment, sighting, target), target, returned_minor(old, sighting))
    payment = refund_followed(old, payment, now_ms=now_ms)
    return _operations_done(payment, now_ms) if target.column in PAID else payment


def _operations_done(payment: Payment, now_ms: int) -> Payment:
    """Money that moved shows that the capture which could move it was executed, whatever its reply was."""
    capture = payment.operations.get(CAPTURE)
    if capture is None or capture.state is OperationState.DONE:
        return payment
    return payment.with_operation(replace(capture, state=OperationState.DONE, at_ms=now_ms, deadline_ms=None))


def _refund_fell_through(payment: Payment, sighting: Sighting, belief: Belief, now_ms: int) -> Payment:
    """`return_rejected` and `return_expired` are explicit: back to where the refund began (contract 3.3)."""
    if belief.has_read and may_have_fallen_through_before(payment, sighting):
        return _to_be_shown(payment, sighting)
    if payment.status is Status.REFUNDED:
        return _refund_bounced(payment, sighting, belief, now_ms)
    if row_of(payment) in _NEVER_PAID:  # of a refund that we never heard of: the money came, and is still there
        paid = _judged(payment, sighting, TARGETS[SETTLED], belief)
        return _follow_matrix(payment, sighting, paid, belief, now_ms)
    if payment.status is not Status.REFUND_PENDING:
        if sent_refund(payment) is None or tells_nothing_of_one_in_doubt(payment, sighting):
            return payment
        payment = replace(payment, provider_status=sighting.provider_status)
        return refund_fell_through(payment, now_ms=now_ms)
    status, reason = payment.before_refund or (Status.SUCCEEDED, None)
    wanted = payment.look_wanted if payment.before_refund else 0  # never seen paid: a read tells how it stands
    payment = replace(payment, before_refund=None, provider_status=sighting.provider_status, look_wanted=wanted)
    return refund_fell_through(payment, now_ms=now_ms).moved(status, reason, now_ms=now_ms)


def _refund_bounced(payment: Payment, sighting: Sighting, belief: Belief, now_ms: int) -> Payment:
    """The bank sent back what had been returned: a read must say so too, or that the money is here again."""
    payment = replace(payment, provider_status=sighting.provider_status)
    is_word_only = sighting.source not in READS
    if is_word_only and belief.has_read:
        return _to_be_shown(payment, sighting)
    status, reason = payment.before_refund or (Status.SUCCEEDED, None)
    payment = payment.with_review(Review.REGRESSION_OBSERVED, *([Review.UNCONFIRMED] if is_word_only else []))
    return payment.moved(status, reason, now_ms=now_ms)
