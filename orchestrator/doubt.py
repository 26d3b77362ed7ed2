"""Operations whose outcome is unknown: what a look tells of them, and when one may be sent once more. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.flows import FLOWS
from orchestrator.payment import CAPTURE, CONFIRM_OTP, CREATE, Operation, OperationState, Payment, refunds_of, running
from orchestrator.statuses import Reason, Review, Stage, Status

if TYPE_CHECKING:
    from orchestrator.policy import Policy
    from orchestrator.sighting import Sighting

ATTEMPTS_MAX = 2  # what may be sent again at all is sent again once; then a person decides
TAIL_MS = 15 * 60_000  # what was obeyed and lost with the store's tail may be asked for again so long afterwards
UNMOVED_FOR_MS = 60_000  # between the two reads that show that a capture was not executed


def in_doubt(payment: Payment, operation: Operation, *, now_ms: int) -> Payment:
    """The payment with this operation in doubt: looked at from now on; a one-time code is not kept for it."""
    doubtful = replace(operation, state=OperationState.IN_DOUBT, at_ms=now_ms, looks=0, absent_since_ms=None)
    code = None if operation.name == CONFIRM_OTP else payment.otp_code
    return replace(payment, otp_code=code).with_operation(doubtful)


def abandoned(payment: Payment, *, now_ms: int) -> Payment:
    """Calls whose owner is gone are in doubt: whether they were sent, nobody knows any more."""
    for operation in running(payment.operations.values()):
        if operation.state is OperationState.SENDING:
            payment = in_doubt(payment, operation, now_ms=now_ms)
    return payment


def left_unproven(payment: Payment, *, lost_at_ms: int, policy: Policy, now_ms: int) -> Payment:
    """What seems unsent, where the store lost its tail at that time: the mark of a call may be among what is gone.

    It is in doubt, and so is what was asked for shortly afterwards, which may have been obeyed before. A create that
    nobody can look up and that is harmful to make twice is held for a person.
    """
    for operation in _seemingly_unsent(payment, lost_at_ms):
        lost = replace(
            operation,
            deadline_ms=lost_at_ms + policy.call_total_ms,  # no call that was on the wire then lasts longer
            reference=operation.reference or payment.reference,
            lost_at_ms=lost_at_ms,
            is_unproven=True,
        )
        payment = in_doubt(payment, lost, now_ms=now_ms)
        if operation.name == CREATE and not _may_ever_be_sent(payment, policy):
            payment = payment.with_review(Review.IN_DOUBT_AGED)
    return payment


def _seemingly_unsent(payment: Payment, lost_at_ms: int) -> list[Operation]:
    """The operations that are ready, and a capture that would be made by itself, as far as the loss concerns them."""
    operations = list(payment.operations.values())
    is_capturing = payment.reason is Reason.CAPTURING and CAPTURE not in payment.operations
    if is_capturing and payment.since_ms <= lost_at_ms + TAIL_MS:
        operations.append(Operation(name=CAPTURE, at_ms=payment.since_ms))
    return [
        operation
        for operation in operations
        if operation.state is OperationState.READY
        and operation.lost_at_ms < lost_at_ms
        and operation.at_ms <= lost_at_ms + TAIL_MS
        and (operation.name != CREATE or payment.status is Status.ACCEPTED)
    ]


def _may_ever_be_sent(payment: Payment, policy: Policy) -> bool:
    flow = FLOWS[payment.flow]
    return flow.scan is not None or (payment.flow in policy.recreated_flows and flow.recreates(payment, policy))


def grace_ends_ms(operation: Operation, policy: Policy) -> int:
    """From then on a look that shows no trace of the operation counts: a call can arrive until its deadline."""
    deadline_ms = operation.deadline_ms or operation.at_ms + policy.call_total_ms
    return deadline_ms + policy.grace_ms


def may_create_again(payment: Payment, policy: Policy, *, now_ms: int) -> bool:
    """Whether the flow holds a second create harmless and its rules are kept; time alone never decides.

    A flow with a list needs one that was read wholly after the grace and does not hold the payment.
    """
    create, flow = payment.create, FLOWS[payment.flow]
    is_open = create.state is OperationState.IN_DOUBT and create.attempt < ATTEMPTS_MAX and not create.is_proven
    if is_open and create.is_unproven and flow.scan:
        # It was hardly ever sent: a list that does not hold it is enough, for a card too.
        return create.absent_since_ms is not None
    if not is_open or payment.flow not in policy.recreated_flows or not flow.recreates(payment, policy):
        return False
    return create.absent_since_ms is not None if flow.scan else now_ms >= grace_ends_ms(create, policy)


def once_more(payment: Payment, operation: Operation, *, now_ms: int) -> Payment:
    """The payment with this operation ready for its next attempt."""
    ready = replace(
        operation,
        state=OperationState.READY,
        attempt=operation.attempt + 1,
        at_ms=now_ms,
        deadline_ms=None,
        not_before_ms=0,
        unsent=0,
        looks=0,
        absent_since_ms=None,
        is_unproven=False,
    )
    return payment.with_operation(ready)


def after_empty_list(payment: Payment, *, asked_ms: int, policy: Policy) -> Payment:
    """The payment after a list that was read wholly, from `asked_ms` on, and did not hold it."""
    create = payment.create
    if create.state is not OperationState.IN_DOUBT or asked_ms < grace_ends_ms(create, policy):
        return payment
    return payment.with_operation(replace(create, absent_since_ms=create.absent_since_ms or asked_ms))


def after_read(payment: Payment, sighting: Sighting, *, asked_ms: int, now_ms: int, policy: Policy) -> Payment:
    """What a read, asked at `asked_ms`, tells of operations in doubt beyond the status: that nothing happened yet."""
    if not sighting.usable or sighting.reference != payment.reference:
        return payment
    for operation in running(payment.operations.values()):
        is_counted = operation.state is OperationState.IN_DOUBT and asked_ms >= grace_ends_ms(operation, policy)
        if is_counted and _shows_nothing_of(operation, payment, sighting):
            payment = _still_absent(payment, operation, asked_ms=asked_ms, now_ms=now_ms)
    return payment


def _shows_nothing_of(operation: Operation, payment: Payment, sighting: Sighting) -> bool:
    if operation.name == CAPTURE:
        return sighting.target is not None and sighting.target.column is Stage.AUTHORISED
    if operation.name == CONFIRM_OTP:
        return sighting.provider_status == "pending"
    return operation in refunds_of(payment) and payment.status is not Status.REFUND_PENDING


def _still_absent(payment: Payment, operation: Operation, *, asked_ms: int, now_ms: int) -> Payment:
    """Only a capture is ever sent again, after two such reads a minute apart; and only once."""
    since_ms = operation.absent_since_ms
    if since_ms is None:
        return payment.with_operation(replace(operation, absent_since_ms=asked_ms))
    if operation.name != CAPTURE or asked_ms - since_ms < UNMOVED_FOR_MS:
        return payment
    if operation.attempt < ATTEMPTS_MAX:
        return once_more(payment, operation, now_ms=now_ms)
    return payment.with_review(Review.IN_DOUBT_AGED)
