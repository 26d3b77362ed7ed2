"""Decisions of a person on a payment: a table of outcomes, within the invariants (I1, I5). Pure.

A decision waits beside the payment like everything else that is said of it, and the payment's owner applies it:
between what the person saw and that moment the payment may have gone on, and then the decision is refused.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrator import rulings
from orchestrator.amounts import SETTLED
from orchestrator.card_numbers import mask_text
from orchestrator.errors import RefusedError
from orchestrator.money import AMOUNT_MAX
from orchestrator.payment import CAPTURE, CONFIRM_OTP, CREATE, REFUND_PREFIX, Payment, is_doubted
from orchestrator.sighting import TARGETS
from orchestrator.statuses import FINAL, Reason, Review, Stage, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.observation import DecisionSeen
    from orchestrator.policy import Policy

REASON_LENGTH_MIN = 5
WORDS_LENGTH_MAX = 500
REMEMBERED_MAX = 20  # decisions of one payment
REFUND = "refund"
_ACTOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")
_SECRET = re.compile(r"tok_\w|po1\.[0-9a-f]{8}\.|eyJ[\w-]+\.|(?i:\b(?:bearer|basic)\s+\S{6})")
_PAID = frozenset({Stage.SUCCEEDED, Stage.SETTLING})
# Time alone gives these and gives them again; they go when the payment goes on.
_STANDING = frozenset({Review.STALE, Review.IN_DOUBT_AGED, Review.PAY_CODE_OVERDUE, Review.NOT_CAPTURED})


class Outcome(StrEnum):
    """What a person can decide."""

    EXECUTED = "executed"  # the operation was executed
    NOT_EXECUTED = "not_executed"  # it certainly was not, and is not sent any more
    SEND_AGAIN = "send_again"  # it certainly was not, and is sent once more
    ACCEPT_AMOUNT = "accept_amount"  # what was paid is enough
    CLEAR = "clear"  # a person has looked at these reviews


def decide(payment: Payment, decision: DecisionSeen, *, policy: Policy, now_ms: int) -> Payment:
    """The payment after a person's decision; unchanged where it was decided before under the same decision_id.

    Raises RefusedError: invalid_words, card_number_refused, secret_refused, unknown_outcome, no_such_operation,
    not_decidable, not_in_doubt, payment_moved, too_early, too_late, proven_executed, invalid_reference,
    nothing_to_accept, nothing_paid, invalid_amount, unknown_review, review_stands.
    """
    if decision.decision_id in payment.decisions:
        return payment
    check_words(decision)
    ruling = _RULINGS.get((decision.outcome, _kind(decision.operation)))
    if ruling is None:
        raise _undecidable(decision)
    return _remembered(ruling(payment, decision, policy, now_ms), decision, "")


def remember_refusal(payment: Payment, decision: DecisionSeen, error: RefusedError) -> Payment:
    """The payment that remembers why a decision was refused: who decided reads it there."""
    return _remembered(payment, decision, f"{error.code}: {error.message}")


def check_words(decision: DecisionSeen) -> None:
    """Somebody answers for it and says why; nothing secret is among the words.

    Raises RefusedError: invalid_words, card_number_refused, secret_refused.
    """
    if not _ACTOR.fullmatch(decision.actor):
        raise RefusedError("invalid_words", "The actor is a name without spaces, at most 64 characters.", field="actor")
    for field, words, shortest in (
        ("reason", decision.reason, REASON_LENGTH_MIN),
        ("evidence", decision.evidence, 1),
    ):
        if not shortest <= len(words.strip()) <= WORDS_LENGTH_MAX:
            text = f"The {field} is a text of {shortest} to {WORDS_LENGTH_MAX} characters."
            raise RefusedError("invalid_words", text, field=field)
        if any(unicodedata.category(char) in {"Cc", "Cs"} for char in words):
            raise RefusedError("invalid_words", f"The {field} holds a control character.", field=field)
    for field, words in (("actor", decision.actor), ("reason", decision.reason), ("evidence", decision.evidence)):
        if mask_text(words) != words:
            raise RefusedError("card_number_refused", f"The {field} holds a card number.", field=field)
        if _SECRET.search(words):
            raise RefusedError("secret_refused", f"The {field} holds a token or an authorization.", field=field)


def doubted(payment: Payment) -> list[str]:
    """The operations of which a person may know more than we do."""
    return [name for name, operation in payment.operations.items() if is_doubted(operation)]


def _accept_amount(payment: Payment, decision: DecisionSeen, _: Policy, now_ms: int) -> Payment:
    """What the provider says was paid counts as success, whatever was asked; the reviews stay for the books."""
    known_minor, is_settled = _received(payment)
    if known_minor and decision.paid_minor not in {None, known_minor}:
        words = f"{payment.key} went on meanwhile: {known_minor} minor units of {payment.currency} were paid."
        raise RefusedError("payment_moved", words, field="paid_minor")
    paid_minor = known_minor or decision.paid_minor
    if not paid_minor:
        words = f"The provider did not say how much was paid for {payment.key}; say it with --paid-minor."
        raise RefusedError("nothing_paid", words, field="paid_minor")
    if not 0 < paid_minor <= AMOUNT_MAX:
        raise RefusedError("invalid_amount", "The amount is a positive integer of minor units.", field="paid_minor")
    payment = replace(payment, claimed=None, look_wanted=None, customer_paid=True, paid_minor=paid_minor)
    payment = replace(payment, settled=payment.settled or is_settled).without_review(Review.UNCONFIRMED)
    return payment.moved(Status.SUCCEEDED, None, now_ms=now_ms)


def _received(payment: Payment) -> tuple[int, bool]:
    """What was paid as far as is known, and whether it has settled; raises where the provider did not say paid."""
    claimed, reason = payment.claimed, payment.reason
    if payment.status is Status.PROCESSING and reason is Reason.CONFIRMING and claimed is not None:
        return claimed.paid_minor or 0, claimed.settled
    if payment.status is not Status.PROCESSING or reason is not Reason.AMOUNT_REVIEW:
        words = f"{payment.key} does not wait for a person's word on its amount."
        raise RefusedError("nothing_to_accept", words, field="outcome")
    target = TARGETS.get(payment.provider_status or "")
    if target is None or target.column not in _PAID:
        words = f"The provider says {payment.provider_status} of {payment.key}: nothing was paid."
        raise RefusedError("nothing_paid", words, field="outcome")
    return payment.paid_minor, payment.provider_status == SETTLED


def _clear(payment: Payment, decision: DecisionSeen, _: Policy, __: int) -> Payment:
    """The reviews that a person has looked at are gone; what gave them may give them again."""
    shown = ", ".join(payment.review) or "none"
    unknown = [name for name in decision.reviews if name not in payment.review]
    if unknown or not decision.reviews:
        words = f"{payment.key} has not the review {', '.join(unknown) or '(none named)'}; it has {shown}."
        raise RefusedError("unknown_review", words, field="reviews")
    standing = [name for name in decision.reviews if _stands(payment, name)]
    if standing:
        words = f"{', '.join(standing)} of {payment.key} goes by itself when the payment goes on."
        raise RefusedError("review_stands", words, field="reviews")
    return replace(payment, review=tuple(name for name in payment.review if name not in decision.reviews))


def _stands(payment: Payment, name: str) -> bool:
    if name == Review.AUTHORISATION_AGED:
        return payment.status is Status.REQUIRES_CAPTURE
    return name in _STANDING and payment.status not in FINAL


def _kind(operation: str | None) -> str | None:
    return REFUND if operation is not None and operation.startswith(REFUND_PREFIX) else operation


def _undecidable(decision: DecisionSeen) -> RefusedError:
    operations = [str(kind) for outcome, kind in _RULINGS if outcome == decision.outcome and kind]
    if operations:
        words = f"{decision.outcome} is for {', '.join(operations)}, not for {decision.operation or 'nothing'}."
        return RefusedError("not_decidable", words, field="operation")
    if decision.outcome in set(Outcome):
        return RefusedError("not_decidable", f"{decision.outcome} is for no operation.", field="operation")
    return RefusedError("unknown_outcome", f"An outcome is one of {', '.join(Outcome)}.", field="outcome")


def _remembered(payment: Payment, decision: DecisionSeen, why_refused: str) -> Payment:
    decisions = {**payment.decisions, decision.decision_id: why_refused}
    return replace(payment, decisions=dict(list(decisions.items())[-REMEMBERED_MAX:]))


_RULINGS: dict[tuple[str, str | None], Callable[[Payment, DecisionSeen, Policy, int], Payment]] = {
    (Outcome.EXECUTED, CREATE): rulings.create_executed,
    (Outcome.EXECUTED, CAPTURE): rulings.capture_executed,
    (Outcome.EXECUTED, CONFIRM_OTP): rulings.otp_executed,
    (Outcome.EXECUTED, REFUND): rulings.refund_executed,
    (Outcome.NOT_EXECUTED, CREATE): rulings.create_not_executed,
    (Outcome.NOT_EXECUTED, CAPTURE): rulings.capture_not_executed,
    (Outcome.NOT_EXECUTED, CONFIRM_OTP): rulings.otp_not_executed,
    (Outcome.NOT_EXECUTED, REFUND): rulings.refund_not_executed,
    (Outcome.SEND_AGAIN, CREATE): rulings.create_sent_again,
    (Outcome.SEND_AGAIN, CAPTURE): rulings.capture_sent_again,
    (Outcome.ACCEPT_AMOUNT, None): _accept_amount,
    (Outcome.CLEAR, None): _clear,
}
