"""A person's words on the command line, as a decision on each payment that is meant."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.decisions import Outcome, decide, doubted
from orchestrator.errors import PayorchError, RefusedError
from orchestrator.observation import DecisionSeen
from workers.cli.standing import standing_of
from workers.cli.views import status_word

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey
    from orchestrator.payment import Payment
    from orchestrator.policy import Policy
    from orchestrator.ports import Record

ON_OPERATIONS = frozenset({Outcome.EXECUTED, Outcome.NOT_EXECUTED, Outcome.SEND_AGAIN})


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What the person said on the command line, for every payment alike."""

    outcome: Outcome
    operation: str | None
    actor: str
    login: str  # who ran the command, whoever answers for it
    reason: str
    evidence: str
    reference: str | None = None
    paid_minor: int | None = None
    reviews: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One payment that is decided: how it stands, what was decided, what came of it."""

    key: PaymentKey
    version: int = 0
    now: str = ""
    operation: str | None = None
    decision: DecisionSeen | None = None
    then: str = ""  # how it stands afterwards, or would
    result: str = "ready"  # ready | applied | refused | not_found | unreadable | timed_out | not_sent
    code: str = ""
    message: str = ""

    @property
    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "merchant": self.key.merchant,
            "intent_id": self.key.intent_id,
            "outcome": str(self.decision.outcome) if self.decision else None,
            "operation": self.operation,
            "decision_id": self.decision.decision_id if self.decision else None,
            "result": self.result,
            "status_before": self.now or None,
            "status": self.then or None,
            "code": self.code or None,
            "message": self.message or None,
        }


def case_of(key: PaymentKey, record: Record | None, words: Words, *, policy: Policy, now_ms: int) -> Case:
    """What would come of the decision if the payment's owner applied it now; nothing is changed."""
    if record is None:
        return Case(key=key, result="not_found", message="no such payment is stored")
    try:
        payment = standing_of(record, policy=policy, now_ms=now_ms).payment
    except PayorchError as error:
        return Case(key=key, result="unreadable", message=str(error))
    case = Case(key=key, version=record.version, now=status_word(payment), operation=words.operation)
    try:
        operation = _operation(payment, words)
        decision = _decision(payment, words, operation, now_ms=now_ms)
        case = replace(case, operation=operation, decision=decision)
        after = decide(payment, decision, policy=policy, now_ms=now_ms)
    except RefusedError as error:
        return replace(case, result="refused", code=error.code, message=error.message)
    return replace(case, then=status_word(after))


def sample(words: Words) -> DecisionSeen:
    """The decision without a payment, to check its words."""
    return DecisionSeen(
        decision_id="",
        at_ms=0,
        actor=words.actor,
        reason=words.reason,
        evidence=words.evidence,
        outcome=words.outcome,
    )


def _operation(payment: Payment, words: Words) -> str | None:
    """The operation that was named, or the one that is in doubt."""
    if words.operation is not None or words.outcome not in ON_OPERATIONS:
        return words.operation
    names = doubted(payment)
    if len(names) == 1:
        return names[0]
    if not names:
        raise RefusedError("not_in_doubt", f"Nothing of {payment.key} is in doubt.")
    known = ", ".join(names)
    raise RefusedError("which_operation", f"{known} of {payment.key} are in doubt; name one with --operation.")


def _decision(payment: Payment, words: Words, operation: str | None, *, now_ms: int) -> DecisionSeen:
    known = payment.operations.get(operation or "")
    claimed_minor = payment.claimed.paid_minor if payment.claimed else None
    seen_minor = (payment.paid_minor or claimed_minor or None) if words.outcome is Outcome.ACCEPT_AMOUNT else None
    return replace(
        sample(words),
        decision_id=f"d-{uuid.uuid4().hex}",
        at_ms=now_ms,
        operation=operation,
        attempt=known.attempt if known else 1,
        reference=words.reference,
        paid_minor=words.paid_minor if words.paid_minor is not None else seen_minor,
        reviews=words.reviews,
    )
