"""What a payment waits for, in plain words for who is on call: derived from its state and its next step. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.doubt import ATTEMPTS_MAX, UNMOVED_FOR_MS, grace_ends_ms
from orchestrator.events import rfc3339
from orchestrator.flows import FLOWS
from orchestrator.judgement import changes
from orchestrator.looks import why_not_asked
from orchestrator.next_step import Become, Read, ScanList, Send, Tell, Wait, next_step
from orchestrator.payment import CAPTURE, CREATE, Operation, OperationState, Payment, open_refund, public_view
from orchestrator.statuses import FINAL, Reason, Status

if TYPE_CHECKING:
    from orchestrator.next_step import Step
    from orchestrator.policy import Policy

_ACTIONS = {
    "redirect": "the customer, to finish on the page of the bank or the provider",
    "show_qr": "the customer, to pay by the QR code",
    "show_bank_details": "the customer, to transfer the money to the account shown",
    "show_payid": "the customer, to pay to the PayID shown",
    "payid": "the customer, to pay to the PayID",
    "otp": "the command confirm_otp with the code that the customer was sent",
    "stk_push": "the customer, to confirm on the phone",
}
_STATUSES: dict[tuple[Status, Reason | None], str] = {
    (Status.REQUIRES_CAPTURE, None): "the command capture: the card is authorised, nobody has asked for the money yet",
    (Status.PROCESSING, Reason.AWAITING_PAY_CODE): "the provider, to say what the customer needs to pay",
    (Status.PROCESSING, Reason.AWAITING_PROVIDER): "the provider, to say what became of it",
    (Status.PROCESSING, Reason.CAPTURING): "the provider, to show that the money was taken",
    (Status.PROCESSING, Reason.SETTLING): "the provider, to say that the money is settled; it is paid",
    (Status.PROCESSING, Reason.CONFIRMING): "a read that confirms the success which a webhook told",
    (Status.PROCESSING, Reason.AMOUNT_REVIEW): "a person: another amount came than was asked (payorch resolve)",
    (Status.REFUND_PENDING, None): "the provider, to say that the refund arrived or fell through",
    (Status.DISPUTED, None): "the end of the dispute",
}
_UNPAID = frozenset({Status.FAILED, Status.EXPIRED, Status.CANCELED})
_OVER_UNPAID = "nothing: it is over, though money that came after all would count"
_OVER = "nothing: it is over, though a refund or a dispute would still be followed"


def waiting_for(payment: Payment, *, policy: Policy, now_ms: int) -> tuple[str, ...]:
    """Sentences without a full stop, the most pressing first; never empty."""
    doubted = [_operation(payment, operation, policy, now_ms) for operation in payment.operations.values()]
    sentences = [sentence for sentence in doubted if sentence]
    view = public_view(payment)
    status = _STATUSES.get((view.status, view.reason))
    if view.status is Status.REQUIRES_ACTION:
        status = _ACTIONS.get(str((payment.next_action or {}).get("type")), "the customer, to do what was shown")
    if status is not None and not (sentences and view.reason is Reason.CAPTURING):
        sentences.append(status)
    if payment.look_wanted is not None and payment.claimed is None:
        sentences.append("a read that was asked for: something was said that only a read can confirm")
    if view.status in FINAL and not sentences and open_refund(payment) is None:
        sentences.append(_OVER_UNPAID if view.status in _UNPAID else _OVER)
    return tuple(sentences) or ("a worker to take it",)


def next_move(payment: Payment, *, policy: Policy, now_ms: int) -> str:
    """What a worker that took the payment then would do."""
    return _move(payment, next_step(payment, policy=policy, now_ms=now_ms), policy)


def operation_words(name: str, attempt: int) -> str:
    """`capture, attempt 2`."""
    return f"{name}, attempt {attempt}"


def _operation(payment: Payment, operation: Operation, policy: Policy, now_ms: int) -> str | None:
    words = operation_words(operation.name, operation.attempt)
    if operation.state is OperationState.SENDING:
        deadline = f" until {rfc3339(operation.deadline_ms)}" if operation.deadline_ms else ""
        return f"the reply to {words}: its call is on the wire since {rfc3339(operation.at_ms)}, at most{deadline}"
    if operation.state is OperationState.IN_DOUBT:
        return f"certainty about {words}: {_doubt(payment, operation, policy)}"
    is_to_be_sent = operation.name != CREATE or payment.status is Status.ACCEPTED
    if operation.state is OperationState.READY and is_to_be_sent:
        return f"a worker to send {words}{_held_up(operation, now_ms)}"
    return None


def _held_up(operation: Operation, now_ms: int) -> str:
    if not operation.unsent:
        return ""
    again = f", not before {rfc3339(operation.not_before_ms)}" if operation.not_before_ms > now_ms else ""
    why = "; the provider does not accept our credentials" if operation.unauthorised else ""
    return f"{again}; tries that were certainly not executed: {operation.unsent}{why}"


def _doubt(payment: Payment, operation: Operation, policy: Policy) -> str:
    """What is known of a call whose outcome nobody knows, and what may come of it."""
    parts = [f"since {rfc3339(operation.at_ms)} nobody knows whether it was executed; looks so far: {operation.looks}"]
    if operation.absent_since_ms is not None:
        parts.append(f"no trace of it since {rfc3339(operation.absent_since_ms)}")
    if operation.name == CREATE:
        why_not = why_not_asked(payment, dialect=policy.dialect)
        parts.append(why_not or "it is looked for in the provider's list")
    parts.append(_what_then(payment, operation, policy))
    return "; ".join(parts)


def _what_then(payment: Payment, operation: Operation, policy: Policy) -> str:
    if operation.attempt < ATTEMPTS_MAX and not operation.is_proven and _may_repeat(payment, operation, policy):
        earliest = rfc3339(_repeated_from_ms(operation, policy))
        return f"sent once more, at the earliest after {earliest}, if it was not executed"
    return "never sent again by itself: who knows more decides with payorch resolve"


def _repeated_from_ms(operation: Operation, policy: Policy) -> int:
    """When the grace is over; a capture is repeated only after two reads so far apart."""
    grace_ms = grace_ends_ms(operation, policy)
    if operation.name != CAPTURE:
        return grace_ms
    return (operation.absent_since_ms or grace_ms) + UNMOVED_FOR_MS


def _may_repeat(payment: Payment, operation: Operation, policy: Policy) -> bool:
    if operation.name == CREATE:
        if operation.is_unproven and FLOWS[payment.flow].scan:
            return True
        return payment.flow in policy.recreated_flows and FLOWS[payment.flow].recreates(payment, policy)
    return operation.name == CAPTURE


def _move(payment: Payment, step: Step, policy: Policy) -> str:
    match step:
        case Send(operation=name):
            operation = payment.operations.get(name, Operation(name=name))
            words = f"send {operation_words(name, operation.attempt)}"
        case Read():
            words = "ask the provider how the payment stands"
        case ScanList():
            words = "look for the payment in the provider's list"
        case Tell(operation=name):
            words = f"tell who asked for {name} that it was refused"
        case Become(payment=after):
            words = f"change it by our own clock: {changes(payment, after)}"
        case Wait():
            why_not = why_not_asked(payment, dialect=policy.dialect) if payment.status not in FINAL else None
            words = f"wait; {why_not}" if why_not else "wait"
    return words
