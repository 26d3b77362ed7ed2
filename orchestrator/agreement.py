"""A payment against what the provider says of it: no second charge, and agreement within the schedule. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.course import PAID
from orchestrator.next_step import Wait, next_step
from orchestrator.observe import row_of
from orchestrator.statuses import FINAL, MATRIX, Move, Review, Stage, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.payment import Payment
    from orchestrator.policy import Policy
    from orchestrator.trail import Finding

LOOK_WITHIN_MS = 120_000  # a look that is due is made within so long, the limit of the merchant left aside
_CHARGED = PAID | {Stage.SETTLING}
_AMOUNT_REVIEWS = frozenset(
    {
        Review.AMOUNT_MISMATCH,
        Review.CURRENCY_MISMATCH,
        Review.OVERPAID,
        Review.REFUND_AMOUNT_UNKNOWN,
        Review.UNDERPAID,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderFact:
    """One payment of the provider's under our id, as the provider holds it now."""

    reference: str  # with our flow prefix, as `Payment.reference`
    stage: Stage  # the column of the matrix its status leads to
    paid_minor: int | None = None
    refunded_minor: int | None = None
    since_ms: int | None = None  # when it became so; None: not known


@dataclass(frozen=True, kw_only=True, slots=True)
class _Moment:
    """When a payment is compared, and by which schedule."""

    policy: Policy
    now_ms: int
    due_at_ms: int | None

    def may_still_come(self, payment: Payment, fact: ProviderFact) -> bool:
        """Whether a look that the schedule has ahead will show it; one that is overdue excuses nothing."""
        step = next_step(payment, policy=self.policy, now_ms=self.now_ms)
        if not isinstance(step, Wait):
            known_ms = (fact.since_ms, self.due_at_ms, self.now_ms)
            due_ms = next(at for at in known_ms if at is not None)
            return self.now_ms - due_ms <= LOOK_WITHIN_MS
        looks = self.policy.polling or payment.look_wanted is not None or payment.claimed is not None
        return looks and step.due_at_ms is not None


def broken_agreement(
    payment: Payment,
    facts: Sequence[ProviderFact],
    *,
    due_at_ms: int | None = None,
    policy: Policy,
    now_ms: int,
) -> Iterator[Finding]:
    """What the provider holds beside what we hold; without facts there is nothing to compare.

    `due_at_ms`, when the payment came due, stands for the time since when a fact holds that does not tell it.
    """
    moment = _Moment(policy=policy, now_ms=now_ms, due_at_ms=due_at_ms)
    yield from _charges(payment, facts)
    ours = next((fact for fact in facts if fact.reference == payment.reference), None)
    if ours is None:
        yield from _unknown(payment, facts, moment)
        return
    yield from _statuses(payment, ours, moment)
    yield from _sums(payment, ours, moment)


def _charges(payment: Payment, facts: Sequence[ProviderFact]) -> Iterator[Finding]:
    made = {fact.reference for fact in facts}
    charged = {fact.reference for fact in facts if fact.stage in _CHARGED}
    if len(made) > payment.create.attempt:
        yield "I1", f"the provider holds {len(made)} payments for it, {payment.create.attempt} may have been made"
    if len(charged) > 1 and Review.DUPLICATE_EXTERNAL_ID not in payment.review:
        yield "I1", f"the customer was charged {len(charged)} times for it"


def _unknown(payment: Payment, facts: Sequence[ProviderFact], moment: _Moment) -> Iterator[Finding]:
    """The provider holds something under our id, and we do not know its reference."""
    charged = [fact for fact in facts if fact.stage in _CHARGED]
    if charged and payment.reference is None and not moment.may_still_come(payment, charged[0]):
        yield "I6", f"the provider says {charged[0].stage}, but we say {payment.status} and do not know its reference"


def _statuses(payment: Payment, fact: ProviderFact, moment: _Moment) -> Iterator[Finding]:
    if payment.status is Status.SUCCEEDED and fact.stage not in _CHARGED:
        yield "I5", f"it succeeded, but the provider says {fact.stage}"
        return
    would_move = MATRIX[row_of(payment)][fact.stage] in {Move.APPLY, Move.CONFIRM} and not _is_that_part(payment, fact)
    if would_move and not moment.may_still_come(payment, fact):
        yield "I6", f"the provider says {fact.stage}, but we say {_said(payment)}"


def _is_that_part(payment: Payment, fact: ProviderFact) -> bool:
    """Whether the word for a whole refund may stand for the part that we know of (T-22)."""
    is_part = payment.status is Status.PARTIALLY_REFUNDED and fact.stage is Stage.REFUNDED
    return is_part and (fact.refunded_minor or 0) <= payment.refunded_minor


def _said(payment: Payment) -> str:
    return f"{payment.status}/{payment.reason}" if payment.reason else str(payment.status)


def _sums(payment: Payment, fact: ProviderFact, moment: _Moment) -> Iterator[Finding]:
    """I7: where we agree on the status we agree on the sums, or a person was told."""
    if payment.status not in FINAL or _AMOUNT_REVIEWS & {*payment.review}:
        return
    if moment.may_still_come(payment, fact):
        return
    for name, theirs, ours in (
        ("paid", fact.paid_minor, payment.paid_minor),
        ("refunded", fact.refunded_minor, payment.refunded_minor),
    ):
        if theirs is not None and theirs != ours:
            yield "I7", f"the provider says that {theirs} was {name}, we say {ours}"
