"""What holds of a payment by itself, at every moment: due while unfinished, operations and amounts sound. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.course import PAID
from orchestrator.doubt import ATTEMPTS_MAX
from orchestrator.flows import FLOWS
from orchestrator.next_step import Wait, next_step
from orchestrator.payment import CAPTURE, CREATE, Operation, OperationState, Payment, RefundOutcome, refunds_of
from orchestrator.policy import DAY_S, Policy
from orchestrator.statuses import Status, stage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.trail import Finding

LATER_MAX_MS = DAY_S * 1000  # told by the provider to wait it comes due so much later than it wants, at most
SOON_MS = 120_000  # what is over may be claimed, or handed back, once more
_BY_SETTINGS = frozenset({"payid"})  # whether one is made again is said by settings, which may have changed since
_BEFORE_CREATED = frozenset({Status.ACCEPTED, Status.EXPIRED, Status.CANCELED, Status.FAILED})


def is_unfinished(payment: Payment, *, policy: Policy, now_ms: int) -> bool:
    """Whether something is still to be done or to be waited for; the slow looks after the end are not counted."""
    step = next_step(payment, policy=replace(policy, polling=False), now_ms=now_ms)
    return not (isinstance(step, Wait) and step.due_at_ms is None)


def broken_due(
    payment: Payment, due_at_ms: int | None, *, rests: bool = False, policy: Policy, now_ms: int
) -> Iterator[Finding]:
    """I2: what is unfinished comes due by itself, not much later than it wants; what is over does not.

    `rests`: it was put aside, so that it comes due later than it wants.
    """
    step = next_step(payment, policy=policy, now_ms=now_ms)
    wanted_ms = step.due_at_ms if isinstance(step, Wait) else now_ms
    if due_at_ms is None:
        if is_unfinished(payment, policy=policy, now_ms=now_ms):
            yield "I2", f"it is {payment.status} and never comes due: nobody will look at it again"
    elif rests:
        return
    elif wanted_ms is None:
        may_tail = payment.status is Status.EXPIRED  # it may have a last look before it by an earlier setting
        if not may_tail and due_at_ms > now_ms + SOON_MS:
            yield "I2", f"it is {payment.status}, wants nothing more, and still comes due"
    elif due_at_ms > max(wanted_ms, now_ms) + LATER_MAX_MS:
        late_s = (due_at_ms - wanted_ms) // 1000
        yield "I2", f"it comes due {late_s} s later than it wants: nobody will look at it until then"


def broken_operations(payment: Payment, *, policy: Policy) -> Iterator[Finding]:
    """I1: how often each operation was sent, and that nothing is left that could be sent once more than allowed."""
    rulings = sum(1 for refused in payment.decisions.values() if not refused)
    for name, operation in payment.operations.items():
        allowed = attempts_allowed(payment, operation, policy=policy) + rulings
        if operation.attempt > allowed:
            yield "I1", f"{name} is at attempt {operation.attempt}, at most {allowed} may be made of it"
        if operation.state is OperationState.SENDING and operation.deadline_ms is None:
            yield "I1", f"{name} is marked as sent without a deadline: when it cannot arrive any more is not known"
    on_wire = [name for name, each in payment.operations.items() if each.state is OperationState.SENDING]
    if len(on_wire) > 1:
        yield "I1", f"{' and '.join(on_wire)} are on the wire at the same time"
    capture = payment.operations.get(CAPTURE)
    is_paid = stage_of(payment.status, payment.reason) in PAID
    if is_paid and capture is not None and capture.state is not OperationState.DONE:
        yield "I1", f"it is {payment.status}, but its capture is still {capture.state}"
    yield from _refunds(payment)


def attempts_allowed(payment: Payment, operation: Operation, *, policy: Policy) -> int:
    """How often an operation may be sent without a person's word, by the settings of any time."""
    if operation.name == CAPTURE:
        return ATTEMPTS_MAX
    flow = FLOWS[payment.flow]
    # What only seems unsent since the store lost its tail is looked up in the list, then sent: a card too.
    is_looked_up = operation.lost_at_ms > 0 and flow.scan is not None
    may_be_again = payment.flow in _BY_SETTINGS or is_looked_up or flow.recreates(payment, policy)
    return ATTEMPTS_MAX if operation.name == CREATE and may_be_again else 1


def _refunds(payment: Payment) -> Iterator[Finding]:
    moving = [
        refund
        for refund in refunds_of(payment)
        if refund.state is not OperationState.REFUSED and refund.outcome is not RefundOutcome.FELL_THROUGH
    ]
    unended = [refund.name for refund in moving if refund.outcome is None]
    if len(unended) > 1:
        yield "I1", f"{' and '.join(unended)} run at the same time"
    asked_minor = sum(refund.amount_minor or 0 for refund in moving)
    if asked_minor > payment.paid_minor:
        yield "I1", f"refunds of {asked_minor} were asked for, only {payment.paid_minor} were paid"


def broken_words(payment: Payment) -> Iterator[Finding]:
    """I5: success and failure only by an explicit word, and of a payment that was made at the provider."""
    create = payment.create
    if payment.status is Status.SUCCEEDED and not payment.customer_paid:
        yield "I5", "it succeeded, but nobody said that the customer paid"
    if payment.status is Status.FAILED and payment.failure is None:
        yield "I5", "it failed without the words of who refused it"
    if payment.status not in _BEFORE_CREATED and create.state is not OperationState.DONE:
        yield "I5", f"it is {payment.status}, but its create is {create.state}"


def broken_amounts(payment: Payment) -> Iterator[Finding]:
    """I7: amounts are integers of minor units, none below zero."""
    amounts = {
        "amount": payment.amount_minor,
        "total": payment.total_minor,
        "paid amount": payment.paid_minor,
        "refunded amount": payment.refunded_minor,
    } | {f"amount of {name}": operation.amount_minor for name, operation in payment.operations.items()}
    for name, amount in amounts.items():
        if amount is not None and (type(amount) is not int or amount < 0):
            yield "I7", f"its {name} is not a whole number of minor units"
