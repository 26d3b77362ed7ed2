"""next_step(): what a payment wants now, and if nothing, when it wants attention next. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.doubt import UNMOVED_FOR_MS, grace_ends_ms, in_doubt, may_create_again, once_more
from orchestrator.flows import FLOWS, reads_of
from orchestrator.flows.payin import pay_code_is_late
from orchestrator.payment import (
    CAPTURE,
    CONFIRM_OTP,
    CREATE,
    REFUND_PREFIX,
    REFUNDABLE,
    Operation,
    OperationState,
    Payment,
    refunds_of,
)
from orchestrator.policy import DAILY_STATES, Policy, Schedule, spread_ms
from orchestrator.ports import CallClass
from orchestrator.refund_course import refund_refused
from orchestrator.refunds import why_not_sent
from orchestrator.statuses import FINAL, Reason, Review, Stage, Status, stage_of

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True, slots=True)
class Send:
    """Mark this operation as sending, then make its call."""

    operation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """Ask the provider how the payment stands."""

    call_class: CallClass


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanList:
    """Look for a create whose outcome is unknown in the provider's list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tell:
    """Tell who asked for it that this operation was refused."""

    operation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Become:
    """A move of our own: no call, another payment."""

    payment: Payment


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """Nothing to do until then; None: never again, unless something is said."""

    due_at_ms: int | None


WANTED_LOOKS_MAX = 6
_WITH_THE_PROVIDER = frozenset({Stage.AWAIT, Stage.SETTLING, Stage.REFUND_PENDING})
Step = Send | Read | ScanList | Tell | Become | Wait


def next_step(payment: Payment, *, policy: Policy, now_ms: int) -> Step:
    """The next step; the first row of the table that has one to say decides."""
    policy = policy.of(payment.key.merchant)
    for wants in _WANTS:
        step = wants(payment, policy, now_ms)
        if step is not None:
            return step
    return Wait(due_at_ms=None)


def _tell(payment: Payment, _: Policy, __: int) -> Step | None:
    """Who asked for a refund that the provider refused hears of it before anything else happens."""
    untold = [operation.name for operation in payment.operations.values() if operation.untold is not None]
    return Tell(operation=untold[0]) if untold else None


def _marked(payment: Payment, _: Policy, __: int) -> Step | None:
    """A mark whose call this turn does not wait for: the store lost what came of it. Whoever claims it next doubts it.

    Its deadline is the latest at which that call can still be answered.
    """
    deadlines = [
        operation.deadline_ms or operation.at_ms
        for operation in payment.operations.values()
        if operation.state is OperationState.SENDING
    ]
    return Wait(due_at_ms=min(deadlines)) if deadlines else None


def _create(payment: Payment, policy: Policy, now_ms: int) -> Step | None:
    create = payment.operations[CREATE]
    if payment.status is not Status.ACCEPTED or create.state is not OperationState.READY:
        return None
    if not _too_late_to_send(payment, policy, now_ms):
        return _send_or_wait(create, now_ms, latest_ms=payment.send_before_ms)
    return Become(payment=_not_sent(payment, policy, now_ms))


def _not_sent(payment: Payment, policy: Policy, now_ms: int) -> Payment:
    """The payment that is too late to send: expired; but a lost attempt may live where nobody can look it up."""
    is_expired = payment.create.attempt == 1 or payment.flow in policy.min_left_at_send_ms
    if is_expired:
        return payment.moved(Status.EXPIRED, Reason.NOT_SENT, now_ms=now_ms)
    return in_doubt(payment, payment.create, now_ms=now_ms)


def _too_late_to_send(payment: Payment, policy: Policy, now_ms: int) -> bool:
    """The deadline is never moved: what would lapse in the customer's hands is not sent (interface 1)."""
    left = policy.min_left_at_send_ms.get(payment.flow, 0)
    lapses = payment.expires_at_ms is not None and payment.expires_at_ms - now_ms < left
    return lapses or now_ms > payment.send_before_ms


def _send_or_wait(operation: Operation, now_ms: int, *, latest_ms: int | None = None) -> Step:
    if operation.not_before_ms <= now_ms:
        return Send(operation=operation.name)
    due = operation.not_before_ms
    return Wait(due_at_ms=min(due, latest_ms + 1) if latest_ms is not None else due)


def _create_in_doubt(payment: Payment, policy: Policy, now_ms: int) -> Step | None:
    create = payment.operations[CREATE]
    if payment.status is not Status.ACCEPTED or create.state is not OperationState.IN_DOUBT:
        return None
    if may_create_again(payment, policy, now_ms=now_ms):
        if not _too_late_to_send(payment, policy, now_ms):
            return Become(payment=once_more(payment, create, now_ms=now_ms))
        if payment.flow in policy.min_left_at_send_ms:
            return Become(payment=_not_sent(payment, policy, now_ms))
    aged = _aged(payment, create, policy, now_ms)
    if aged is not None:
        return aged
    if FLOWS[payment.flow].scan is None:
        ahead = [at for at in (grace_ends_ms(create, policy), create.at_ms + policy.in_doubt_aged_ms) if at > now_ms]
        return Wait(due_at_ms=min(ahead, default=now_ms + policy.daily.then_s * 1000))
    due = now_ms if payment.look_wanted == 0 else _look_due(payment, create, policy)
    return ScanList() if due <= now_ms else Wait(due_at_ms=due)


def _aged(payment: Payment, operation: Operation, policy: Policy, now_ms: int) -> Step | None:
    """In doubt for so long needs a person; it is looked at on, every day."""
    if now_ms < operation.at_ms + policy.in_doubt_aged_ms or Review.IN_DOUBT_AGED in payment.review:
        return None
    return Become(payment=payment.with_review(Review.IN_DOUBT_AGED))


def _look_due(payment: Payment, operation: Operation, policy: Policy) -> int:
    """When an operation in doubt is looked up next: by the schedule, and at once where a look begins to count."""
    looked_ms = payment.looked_at_ms or 0
    if Review.IN_DOUBT_AGED in payment.review:
        return _after_last_look(payment, operation.looks, policy.daily)
    counts_from = [grace_ends_ms(operation, policy)]
    if operation.absent_since_ms is not None:
        counts_from.append(operation.absent_since_ms + UNMOVED_FOR_MS)
    return min([_due(operation.at_ms, operation.looks, policy.scanning, payment), *_after(looked_ms, counts_from)])


def _after(looked_ms: int, moments: list[int]) -> list[int]:
    return [moment for moment in moments if looked_ms < moment]


def _confirming(payment: Payment, policy: Policy, now_ms: int) -> Step | None:
    if payment.look_wanted is not None and payment.reference is not None:
        due = (payment.looked_at_ms or 0) + _wanted_gap_s(payment.look_wanted, policy) * 1000
        return Read(call_class=CallClass.CONFIRM) if due <= now_ms else Wait(due_at_ms=due)
    if payment.claimed is None:
        return None
    due = payment.claimed.since_ms + _elapsed_ms(policy.confirming, payment.claimed.looks)
    return Read(call_class=CallClass.CONFIRM) if due <= now_ms else Wait(due_at_ms=due)


def _wanted_gap_s(looks: int, policy: Policy) -> int:
    """Reads that tell nothing for minutes are made more rarely."""
    if looks < WANTED_LOOKS_MAX:
        return policy.confirming.gap_s(looks)
    return policy.waiting.gap_s(looks - WANTED_LOOKS_MAX)


def _commanded(payment: Payment, policy: Policy, now_ms: int) -> Step | None:
    """Operations after the create: sent once from the status they start from; in doubt they are looked at."""
    operations = payment.operations
    if payment.reason is Reason.CAPTURING and CAPTURE not in operations:
        operations = {**operations, CAPTURE: Operation(name=CAPTURE)}
    for name, operation in operations.items():
        may_start = (payment.status, payment.reason) in starts_from(name)
        if operation.state is OperationState.READY and name.startswith(REFUND_PREFIX):
            return _refund_overtaken(payment, operation, policy, now_ms) or _send_or_wait(operation, now_ms)
        if operation.state is OperationState.READY and may_start and name != CREATE:
            return _send_or_wait(operation, now_ms)
        if operation.state is OperationState.IN_DOUBT and may_start:
            return _looked_up(payment, operation, policy, now_ms)
    return None


def _looked_up(payment: Payment, operation: Operation, policy: Policy, now_ms: int) -> Step:
    aged = _aged(payment, operation, policy, now_ms)
    due = _look_due(payment, operation, policy)
    return aged or (Read(call_class=CallClass.CONFIRM) if due <= now_ms else Wait(due_at_ms=due))


def _refund_overtaken(payment: Payment, refund: Operation, policy: Policy, now_ms: int) -> Step | None:
    """A refund that was accepted and not sent when a dispute, or another refund, came: it is never sent."""
    words = why_not_sent(payment, refund, dialect=policy.dialect)
    return Become(payment=refund_refused(payment, refund, *words, now_ms=now_ms)) if words else None


def starts_from(operation_name: str) -> frozenset[tuple[Status, Reason | None]]:
    """The statuses, with their reasons, in which an operation may be sent and is looked up."""
    return REFUNDABLE if operation_name.startswith(REFUND_PREFIX) else _STARTS_FROM.get(operation_name, frozenset())


_STARTS_FROM: dict[str, frozenset[tuple[Status, Reason | None]]] = {
    CAPTURE: frozenset({(Status.PROCESSING, Reason.CAPTURING), (Status.REQUIRES_CAPTURE, None)}),
    CONFIRM_OTP: frozenset({(Status.REQUIRES_ACTION, None)}),
}


def _lapse(payment: Payment, policy: Policy, now_ms: int) -> Step | None:
    """A link of which the provider never says that it expired expires by our clock; late money is still taken."""
    open_stages = {Stage.ACTION, Stage.AWAIT}
    if not FLOWS[payment.flow].lapses_by_our_clock or stage_of(payment.status, payment.reason) not in open_stages:
        return None
    deadline = payment.expires_at_ms or payment.since_ms + policy.link_ttl_ms
    if now_ms >= deadline:
        return Become(payment=payment.moved(Status.EXPIRED, Reason.LINK_LAPSED, now_ms=now_ms))
    return Wait(due_at_ms=deadline)


def _overdue(payment: Payment, policy: Policy, now_ms: int) -> Step | None:
    """Reasons for a person that time alone gives; never a status."""
    for review, due in _overdue_at(payment, policy):
        if now_ms >= due and review not in payment.review:
            return Become(payment=payment.with_review(review))
    return None


def _overdue_at(payment: Payment, policy: Policy) -> list[tuple[Review, int]]:
    due: list[tuple[Review, int]] = []
    stale, stage = policy.stale_after_ms.get(payment.flow), stage_of(payment.status, payment.reason)
    if stage in {Stage.ACTION, Stage.AWAIT} and payment.expires_at_ms is not None:
        # The provider should have said long ago that it expired.
        due.append((Review.STALE, payment.expires_at_ms + policy.tail_ms))
    elif payment.status is Status.REQUIRES_ACTION and stale is not None:
        due.append((Review.STALE, payment.since_ms + stale))
    elif stage in _WITH_THE_PROVIDER:
        due.append((Review.STALE, payment.since_ms + policy.unsettled_after_ms))
    if payment.status is Status.REQUIRES_CAPTURE:
        due.append((Review.AUTHORISATION_AGED, payment.since_ms + policy.authorisation_aged_ms))
    if payment.reason is Reason.AWAITING_PAY_CODE and not pay_code_is_late(payment):
        due.append((Review.PAY_CODE_OVERDUE, payment.since_ms + policy.pay_code_overdue_ms))
    doubted = (refund for refund in refunds_of(payment) if refund.state is OperationState.IN_DOUBT)
    due += ((Review.IN_DOUBT_AGED, refund.at_ms + policy.in_doubt_aged_ms) for refund in doubted)
    return due


def _look(payment: Payment, policy: Policy, now_ms: int) -> Step | None:
    """The poll schedule: a payment that is not finished is always due at some time (I2, I6)."""
    can_ask = payment.reference is not None and bool(reads_of(payment.flow, policy.dialect))
    due = _next_look(payment, policy) if policy.polling and can_ask else None
    reviews = [at for review, at in _overdue_at(payment, policy) if review not in payment.review]
    if due is not None and due <= now_ms:
        return Read(call_class=CallClass.LOOK)
    if payment.status in FINAL:
        return Wait(due_at_ms=min(at for at in (due, *reviews) if at is not None)) if due or reviews else None
    daily = now_ms + policy.daily.then_s * 1000
    return Wait(due_at_ms=min(at for at in (due or daily, *reviews)))


def _next_look(payment: Payment, policy: Policy) -> int | None:
    if payment.status in FINAL:
        return _tail_look(payment, policy)
    stale = Review.STALE in payment.review
    daily = stale or (payment.status, payment.reason) in DAILY_STATES
    due = _after_last_look(payment, payment.looks, policy.daily if daily else policy.waiting)
    deadline = payment.expires_at_ms
    looked = payment.looked_at_ms or 0
    if deadline is not None and looked <= deadline < due:
        return max(deadline + 1000, payment.since_ms)
    return due


def _tail_look(payment: Payment, policy: Policy) -> int | None:
    """A few slow looks after the provider said expired: late money is money (T-45)."""
    if payment.status is not Status.EXPIRED or payment.reason is not Reason.PROVIDER:
        return None
    due = _after_last_look(payment, payment.looks + len(policy.waiting.gaps_s), policy.waiting)
    return due if due <= payment.since_ms + policy.tail_ms else None


def _after_last_look(payment: Payment, looks: int, schedule: Schedule) -> int:
    """Counted from the last look, whatever it was for: looks out of turn never put the next one far off."""
    gap_ms = schedule.gap_s(looks) * 1000
    last_ms = max(payment.since_ms, payment.looked_at_ms or 0)
    return last_ms + gap_ms + spread_ms(payment.key, salt=looks, up_to_ms=gap_ms // 10)


def _due(since_ms: int, looks: int, schedule: Schedule, payment: Payment) -> int:
    """When look number `looks` is due, counted from when the state was entered, jittered by up to a tenth."""
    jitter_ms = spread_ms(payment.key, salt=looks, up_to_ms=schedule.gap_s(looks) * 100)
    return since_ms + _elapsed_ms(schedule, looks) + jitter_ms


def _elapsed_ms(schedule: Schedule, looks: int) -> int:
    """From the beginning of a schedule until look number `looks`; it rises with every look, so nothing spins."""
    gaps = schedule.gaps_s
    return 1000 * (sum(gaps[: looks + 1]) + max(0, looks + 1 - len(gaps)) * schedule.then_s)


_WANTS: tuple[Callable[[Payment, Policy, int], Step | None], ...] = (
    _tell,
    _marked,
    _create,
    _create_in_doubt,
    _confirming,
    _commanded,
    _overdue,
    _lapse,
    _look,
)


def sending(payment: Payment, name: str, *, policy: Policy, now_ms: int) -> Payment:
    """The payment with this operation marked: committed before the call, so that a crash leaves it in doubt."""
    operation = payment.operations.get(name, Operation(name=name))
    marked = replace(
        operation,
        state=OperationState.SENDING,
        at_ms=now_ms,
        deadline_ms=now_ms + policy.call_total_ms,
        reference=payment.reference,
        looks=0,
        is_unproven=False,
    )
    return payment.with_operation(marked)


def told(payment: Payment, *, name: str) -> Payment:
    """The payment after who asked was told of the refusal; unchanged where its store has lost the operation since."""
    operation = payment.operations.get(name)
    return payment if operation is None else payment.with_operation(replace(operation, untold=None))


def looked(payment: Payment, *, now_ms: int) -> Payment:
    """The payment after a read or a scan, whatever came of it: every schedule moves on, so nothing spins."""
    for operation in payment.operations.values():
        if operation.state is OperationState.IN_DOUBT:
            payment = payment.with_operation(replace(operation, looks=operation.looks + 1))
    wanted = payment.look_wanted
    if wanted is not None:
        # Nobody else looks for what a webhook told of a payment that is over.
        wanted = wanted + 1 if wanted + 1 < WANTED_LOOKS_MAX or payment.awaited is not None else None
    claimed = payment.claimed
    if claimed is not None:
        claimed = replace(claimed, looks=claimed.looks + 1)
    return replace(payment, looks=payment.looks + 1, looked_at_ms=now_ms, look_wanted=wanted, claimed=claimed)
