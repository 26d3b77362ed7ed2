"""What a reply means for the operation that was sent: the table of contract 5, as data."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrator.doubt import in_doubt
from orchestrator.flows import FLOWS
from orchestrator.observe import Belief, observe
from orchestrator.payment import CONFIRM_OTP, CREATE, REFUND_PREFIX, Operation, OperationState, Payment, running
from orchestrator.provider_error import parse_error
from orchestrator.refund_course import refund_refused, refund_taken
from orchestrator.statuses import Status

if TYPE_CHECKING:
    from orchestrator.policy import Policy
    from orchestrator.ports import Reply
    from orchestrator.sighting import Sighting


class Verdict(StrEnum):
    """What happened to the operation at the provider."""

    ANSWERED = "answered"  # 2xx: the body decides
    NOT_EXECUTED = "not_executed"  # certainly not: may be sent again
    UNAUTHORISED = "unauthorised"  # certainly not, and no other call of this merchant will be either
    REFUSED = "refused"  # an explicit no
    IN_DOUBT = "in_doubt"


_BY_STATUS: dict[int, Verdict] = {
    401: Verdict.UNAUTHORISED,
    408: Verdict.IN_DOUBT,
    425: Verdict.NOT_EXECUTED,
    429: Verdict.NOT_EXECUTED,
}
_BY_CLASS: dict[int, Verdict] = {2: Verdict.ANSWERED, 4: Verdict.REFUSED}  # all others: in doubt
# The call was taken for lost, and its code forgotten, before it was known that it had not been executed.
_CODE_NOT_SENT = ("code_not_sent", "The code did not reach the provider; it has to be entered again.")
MISCONFIGURED = frozenset({301, 302, 303, 307, 308, 403, 404, 405})


def verdict_of(reply: Reply) -> Verdict:
    """Sort a reply; only the wire witness says that nothing was sent."""
    if not reply.sent:
        return Verdict.NOT_EXECUTED
    if reply.http_status is None:
        return Verdict.IN_DOUBT
    return _BY_STATUS.get(reply.http_status) or _BY_CLASS.get(reply.http_status // 100, Verdict.IN_DOUBT)


def after_reply(
    payment: Payment,
    operation_name: str,
    reply: Reply,
    sighting: Sighting,
    *,
    deadline_ms: int | None,
    belief: Belief,
    policy: Policy,
    now_ms: int,
) -> Payment:
    """The payment after the reply to an operation's call; `sighting` is the interpreted body.

    `deadline_ms` is the one of the mark whose call was answered. It tells this sending from any other: a reply that
    comes after its operation was given up for lost still settles it, one to an earlier sending says only what its
    body shows.
    """
    verdict = verdict_of(reply)
    if verdict is Verdict.ANSWERED and sighting.usable and not _has_ended(payment, operation_name):
        payment = _taken(payment, operation_name, sighting, now_ms=now_ms)
        payment = observe(payment, sighting, belief=belief, now_ms=now_ms)
    operation = payment.operations.get(operation_name)
    is_this_sending = operation is not None and deadline_ms is not None and operation.deadline_ms == deadline_ms
    if operation is None or not is_this_sending or not running([operation]):
        return payment
    if verdict is Verdict.REFUSED and reply.http_status in FLOWS[payment.flow].refusals_kept and operation.attempt == 1:
        verdict = Verdict.NOT_EXECUTED
    if verdict in {Verdict.NOT_EXECUTED, Verdict.UNAUTHORISED} and not operation.is_proven:
        return _not_executed(payment, operation, reply, verdict, policy=policy, now_ms=now_ms)
    if operation_name == CONFIRM_OTP and verdict in {Verdict.ANSWERED, Verdict.REFUSED}:
        return _otp_answered(payment, operation, reply, verdict, now_ms=now_ms)
    if verdict is Verdict.REFUSED and operation_name == CREATE and operation.attempt == 1 and not operation.is_proven:
        return _refused(payment, operation, reply, now_ms=now_ms)
    if verdict is Verdict.REFUSED and operation_name.startswith(REFUND_PREFIX):
        code, message = _words(reply)
        return refund_refused(payment, operation, code, message, now_ms=now_ms)
    # A 4xx on a repeat is no failure (T-12), and one on a capture is read: it may have been captured before (T-37).
    return in_doubt(payment, operation, now_ms=now_ms) if operation.state is OperationState.SENDING else payment


def _not_executed(
    payment: Payment, operation: Operation, reply: Reply, verdict: Verdict, *, policy: Policy, now_ms: int
) -> Payment:
    if operation.name == CONFIRM_OTP and payment.otp_code is None:
        return _otp_refused(payment, operation, *_CODE_NOT_SENT, now_ms=now_ms)
    pause_ms = _pause_ms(payment, operation, verdict, policy)
    return payment.with_operation(_ready_again(operation, reply, verdict, pause_ms=pause_ms, now_ms=now_ms))


def _has_ended(payment: Payment, operation_name: str) -> bool:
    """Whether it is known how a refund ended: that it was taken is no news then."""
    operation = payment.operations.get(operation_name)
    return operation is not None and operation.outcome is not None


def _taken(payment: Payment, operation_name: str, sighting: Sighting, *, now_ms: int) -> Payment:
    """The provider's own object in the reply to a refund says that it took the refund."""
    refund = payment.operations.get(operation_name)
    if refund is None or not operation_name.startswith(REFUND_PREFIX) or sighting.reference != payment.reference:
        return payment
    return refund_taken(payment, refund, now_ms=now_ms)


def _pause_ms(payment: Payment, operation: Operation, verdict: Verdict, policy: Policy) -> int:
    """How long a call that was not executed waits; the first 401 with a token is tried again with another."""
    if verdict is Verdict.UNAUTHORISED:
        has_token = FLOWS[payment.flow].with_access_token and operation.name == CREATE
        return 0 if has_token and not operation.unauthorised else policy.unauthorised_pause_ms
    return policy.unsent_backoff_ms[min(operation.unsent, len(policy.unsent_backoff_ms) - 1)]


def _ready_again(operation: Operation, reply: Reply, verdict: Verdict, *, pause_ms: int, now_ms: int) -> Operation:
    if reply.retry_after_s is not None:
        pause_ms = max(pause_ms, reply.retry_after_s * 1000)
    return replace(
        operation,
        state=OperationState.READY,
        at_ms=now_ms,
        deadline_ms=None,
        not_before_ms=now_ms + pause_ms,
        unsent=operation.unsent + 1,
        unauthorised=operation.unauthorised + 1 if verdict is Verdict.UNAUTHORISED else 0,
    )


def _refused(payment: Payment, operation: Operation, reply: Reply, *, now_ms: int) -> Payment:
    """An explicit no to the first attempt: the payment failed, with the provider's words."""
    code, message = _words(reply)
    payment = payment.with_operation(replace(operation, state=OperationState.REFUSED, at_ms=now_ms, deadline_ms=None))
    return replace(payment, failure={"code": code, "message": message}).moved(Status.FAILED, None, now_ms=now_ms)


def _otp_answered(payment: Payment, operation: Operation, reply: Reply, verdict: Verdict, *, now_ms: int) -> Payment:
    """`{"status": "Ok"}`: the customer confirms on the phone; an explicit no: another code may be tried."""
    if verdict is Verdict.REFUSED:
        return _otp_refused(payment, operation, *_words(reply), now_ms=now_ms)
    word = reply.body.get("status") if isinstance(reply.body, dict) else None
    if not isinstance(word, str) or word.lower() != "ok":
        return replace(in_doubt(payment, operation, now_ms=now_ms), look_wanted=0)
    done = replace(operation, state=OperationState.DONE, at_ms=now_ms, deadline_ms=None)
    return replace(payment, otp_code=None, next_action={"type": "stk_push"}).with_operation(done)


def _otp_refused(payment: Payment, operation: Operation, code: str, message: str, *, now_ms: int) -> Payment:
    """The customer is asked for a code again, and told why."""
    action = {"type": "otp", "refused": {"code": code, "message": message}}
    refused = replace(operation, state=OperationState.REFUSED, at_ms=now_ms, deadline_ms=None)
    return replace(payment, otp_code=None, next_action=action).with_operation(refused)


def _words(reply: Reply) -> tuple[str, str]:
    error = parse_error(reply.http_status or 0, reply.body)
    return error.code or f"http_{error.http_status}", error.message
