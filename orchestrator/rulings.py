"""What a person's word does to an operation whose outcome nobody else can tell. Pure; part of decisions."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.doubt import grace_ends_ms, once_more
from orchestrator.errors import RefusedError
from orchestrator.events import rfc3339
from orchestrator.flows import reads_of
from orchestrator.next_step import Become, next_step, starts_from
from orchestrator.payment import CAPTURE, CREATE, REFUNDABLE, Operation, OperationState, Payment, is_doubted
from orchestrator.refund_course import refund_refused, refund_taken
from orchestrator.statuses import Reason, Review, Status

if TYPE_CHECKING:
    from orchestrator.observation import DecisionSeen
    from orchestrator.policy import Policy

NOT_EXECUTED = "not_executed"
_UUID = ("uuid", re.compile(r"[A-Z0-9]{8,9}"), "8 or 9 upper-case letters and digits, such as PSADT5CE")
_INTEGER = re.compile(r"[1-9][0-9]{0,17}")
# The provider's ids by flow: our prefix, their shape, and the shape in words.
_REFERENCES = {
    "card": _UUID,
    "payin": _UUID,
    "payid": ("payid", _INTEGER, "an integer, such as 123456"),
    "gateway_link": ("gw", _INTEGER, "an integer, such as 46345"),
}


def create_executed(payment: Payment, decision: DecisionSeen, policy: Policy, now_ms: int) -> Payment:
    """The payment exists at the provider under this reference; a read tells how it stands.

    Said again it corrects an earlier word that nothing of the provider's has confirmed.
    """
    create = _operation(payment, CREATE)
    if not (_is_told_only(payment) or _is_failed_by_word(payment)):
        _check_doubted(payment, create)
    reference = _reference(payment, decision.reference)
    payment = payment.with_operation(replace(_done(create, now_ms), reference=reference, is_proven=True))
    payment = replace(
        payment,
        reference=reference,
        aliases=tuple(alias for alias in payment.aliases if alias != reference),
        look_wanted=_look(payment, policy),
    ).without_review(Review.IN_DOUBT_AGED, Review.FOREIGN_REFERENCE)
    is_unobserved = payment.status is Status.ACCEPTED
    return payment.moved(Status.PROCESSING, Reason.AWAITING_PROVIDER, now_ms=now_ms) if is_unobserved else payment


def create_not_executed(payment: Payment, decision: DecisionSeen, policy: Policy, now_ms: int) -> Payment:
    """The payment was never made and is not made any more: it failed; late truth still counts."""
    create = _operation(payment, CREATE)
    if _is_told_only(payment):
        payment = replace(payment, reference=None)
    else:
        _check_doubted(payment, create)
        _check_unproven(payment, create)
        _check_known_lost(payment, create, decision, policy, now_ms)
    words = {"code": NOT_EXECUTED, "message": "A person found that the payment was never made at the provider."}
    refused = replace(create, state=OperationState.REFUSED, at_ms=now_ms, deadline_ms=None, reference=None)
    payment = replace(payment.with_operation(refused), failure=words)
    payment = payment.without_review(Review.IN_DOUBT_AGED, Review.FOREIGN_REFERENCE)
    return payment.moved(Status.FAILED, None, now_ms=now_ms)


def create_sent_again(payment: Payment, decision: DecisionSeen, policy: Policy, now_ms: int) -> Payment:
    """One more attempt, in any flow: the only way for a card. The doubt stays until an attempt is answered."""
    create = _operation(payment, CREATE)
    if create.state is not OperationState.IN_DOUBT:
        raise _not_in_doubt(payment, create)
    _check_unproven(payment, create)
    _check_known_lost(payment, create, decision, policy, now_ms)
    again = once_more(payment, create, now_ms=now_ms).without_review(Review.IN_DOUBT_AGED)
    if isinstance(next_step(again, policy=policy, now_ms=now_ms), Become):
        raise RefusedError(
            "too_late",
            f"{payment.key} is past its time to be sent: the customer may have left. Nothing is sent after that.",
        )
    return again


def capture_executed(payment: Payment, _: DecisionSeen, policy: Policy, now_ms: int) -> Payment:
    """The capture went through; the status follows when a read shows it, and at once where it was authorised."""
    capture = _operation(payment, CAPTURE)
    _check_doubted(payment, capture)
    payment = payment.with_operation(replace(_done(capture, now_ms), is_proven=True))
    payment = replace(payment, look_wanted=_look(payment, policy)).without_review(Review.IN_DOUBT_AGED)
    return payment.moved(Status.PROCESSING, Reason.CAPTURING, now_ms=now_ms) if _is_authorised(payment) else payment


def capture_not_executed(payment: Payment, decision: DecisionSeen, policy: Policy, now_ms: int) -> Payment:
    """Nothing was captured. A manual payment may be captured by a new command, an automatic one by `send_again`."""
    capture = _operation(payment, CAPTURE)
    if not _is_capture_told_only(payment, capture):
        _check_known_lost(payment, capture, decision, policy, now_ms)
    payment = payment.without_review(Review.IN_DOUBT_AGED)
    refused = replace(capture, state=OperationState.REFUSED, at_ms=now_ms, deadline_ms=None, is_proven=False)
    if not _is_authorised(payment):
        return payment.with_operation(refused)
    if payment.terms["method"]["capture"] == "manual":
        others = {name: operation for name, operation in payment.operations.items() if name != CAPTURE}
        return replace(payment, operations=others).moved(Status.REQUIRES_CAPTURE, None, now_ms=now_ms)
    return payment.with_operation(refused).with_review(Review.NOT_CAPTURED)


def capture_sent_again(payment: Payment, decision: DecisionSeen, policy: Policy, now_ms: int) -> Payment:
    """One more capture, of a payment that was not captured before."""
    capture = _operation(payment, CAPTURE)
    if Review.NOT_CAPTURED not in payment.review or capture.state is not OperationState.REFUSED:
        if capture.state is not OperationState.IN_DOUBT:
            raise _not_in_doubt(payment, capture)
        _check_known_lost(payment, capture, decision, policy, now_ms)
    if not _is_authorised(payment):
        words = f"{payment.key} is {payment.status}: its authorisation has ended, nothing can be captured."
        raise RefusedError("payment_moved", words, field="operation")
    return once_more(payment, capture, now_ms=now_ms).without_review(Review.IN_DOUBT_AGED, Review.NOT_CAPTURED)


def refund_executed(payment: Payment, decision: DecisionSeen, _: Policy, now_ms: int) -> Payment:
    """The provider has taken the refund. No read is asked for: those made so far did not show it."""
    refund = _operation(payment, decision.operation)
    _check_doubted(payment, refund)
    payment = refund_taken(payment, refund, now_ms=now_ms).without_review(Review.IN_DOUBT_AGED)
    if (payment.status, payment.reason) not in REFUNDABLE:
        return payment
    payment = replace(payment, before_refund=(payment.status, payment.reason))
    return payment.moved(Status.REFUND_PENDING, None, now_ms=now_ms)


def refund_not_executed(payment: Payment, decision: DecisionSeen, policy: Policy, now_ms: int) -> Payment:
    """No money went back, and none will under this refund_id; who asked for it is told."""
    refund = _operation(payment, decision.operation)
    _check_known_lost(payment, refund, decision, policy, now_ms)
    words = "A person found that the refund was never made at the provider; ask again under a new refund_id."
    payment = refund_refused(payment, refund, NOT_EXECUTED, words, now_ms=now_ms)
    return payment.without_review(Review.IN_DOUBT_AGED)


def otp_executed(payment: Payment, decision: DecisionSeen, policy: Policy, now_ms: int) -> Payment:
    """The code was taken: the customer confirms on the phone."""
    otp = _operation(payment, decision.operation)
    _check_doubted(payment, otp)
    payment = payment.with_operation(_done(otp, now_ms)).without_review(Review.IN_DOUBT_AGED)
    return replace(payment, otp_code=None, next_action={"type": "stk_push"}, look_wanted=_look(payment, policy))


def otp_not_executed(payment: Payment, decision: DecisionSeen, policy: Policy, now_ms: int) -> Payment:
    """The code did not arrive: another command may bring another code."""
    otp = _operation(payment, decision.operation)
    _check_known_lost(payment, otp, decision, policy, now_ms)
    refused = replace(otp, state=OperationState.REFUSED, at_ms=now_ms, deadline_ms=None)
    words = {"code": NOT_EXECUTED, "message": "The code did not reach the provider."}
    payment = payment.with_operation(refused).without_review(Review.IN_DOUBT_AGED)
    return replace(payment, otp_code=None, next_action={"type": "otp", "refused": words})


def _operation(payment: Payment, name: str | None) -> Operation:
    operation = payment.operations.get(name or "")
    if operation is None:
        known = ", ".join(payment.operations)
        raise RefusedError("no_such_operation", f"{payment.key} has no {name}; it has {known}.", field="operation")
    return operation


def _done(operation: Operation, now_ms: int) -> Operation:
    return replace(operation, state=OperationState.DONE, at_ms=now_ms, deadline_ms=None, absent_since_ms=None)


def _look(payment: Payment, policy: Policy) -> int | None:
    """A read at once, where the flow has one."""
    return 0 if reads_of(payment.flow, policy.dialect) else None


def _is_told_only(payment: Payment) -> bool:
    """Made by the word of a person alone: nothing of the provider's confirmed it, so it may be taken back."""
    is_waiting = (payment.status, payment.reason) == (Status.PROCESSING, Reason.AWAITING_PROVIDER)
    return is_waiting and payment.create.state is OperationState.DONE and payment.provider_status is None


def _is_failed_by_word(payment: Payment) -> bool:
    """Called never made by a person alone: found after all, a read brings the late truth."""
    return payment.status is Status.FAILED and (payment.failure or {}).get("code") == NOT_EXECUTED


def _is_authorised(payment: Payment) -> bool:
    """Whether nothing was heard of it since it was authorised: only then a word on its capture moves it."""
    return (payment.status, payment.reason) in starts_from(CAPTURE)


def _is_capture_told_only(payment: Payment, capture: Operation) -> bool:
    return capture.state is OperationState.DONE and payment.reason is Reason.CAPTURING


def _check_doubted(payment: Payment, operation: Operation) -> None:
    """In doubt, or waiting to be sent again because it was; never while its call may be on the wire."""
    if operation.state is OperationState.SENDING or not is_doubted(operation):
        raise _not_in_doubt(payment, operation)


def _check_known_lost(
    payment: Payment, operation: Operation, decision: DecisionSeen, policy: Policy, now_ms: int
) -> None:
    """Only of a call that cannot arrive any more can anybody know that it was not executed."""
    _check_doubted(payment, operation)
    if decision.attempt != operation.attempt:
        raise RefusedError(
            "payment_moved",
            f"{payment.key} went on meanwhile: {operation.name} is at attempt {operation.attempt}, "
            f"not {decision.attempt}. Look again, then decide.",
            field="attempt",
        )
    ends_ms = grace_ends_ms(operation, policy)
    if operation.state is OperationState.IN_DOUBT and now_ms < ends_ms:
        raise RefusedError(
            "too_early",
            f"The lost call of {payment.key} may still arrive; decide after {rfc3339(ends_ms)}.",
            field="operation",
        )


def _check_unproven(payment: Payment, create: Operation) -> None:
    if create.is_proven or payment.reference or payment.aliases or payment.status is not Status.ACCEPTED:
        raise RefusedError(
            "proven_executed",
            f"The provider has spoken of {payment.key}: it was made there. `payorch poll` asks how it stands.",
            field="outcome",
        )


def _not_in_doubt(payment: Payment, operation: Operation) -> RefusedError:
    words = "on the wire" if operation.state is OperationState.SENDING else str(operation.state)
    return RefusedError(
        "not_in_doubt",
        f"{operation.name} of {payment.key} is {words}: there is nothing to decide.",
        field="operation",
    )


def _reference(payment: Payment, given: str | None) -> str:
    prefix, shape, words = _REFERENCES[payment.flow]
    bare = (given or "").removeprefix(f"{prefix}:")
    if not shape.fullmatch(bare):
        raise RefusedError(
            "invalid_reference",
            f"Give the provider's id of the {payment.flow} payment with --reference: {words}.",
            field="reference",
        )
    return f"{prefix}:{bare}"
