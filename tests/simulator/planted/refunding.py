"""Mistakes with refunds and disputes, whose words come round again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator import doubt, lagging, next_step, refund_course
from orchestrator.doubt import ATTEMPTS_MAX, UNMOVED_FOR_MS, once_more
from orchestrator.statuses import FINAL, Status
from tests.simulator.planted.bug import Bug, attribute, everywhere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.payment import Operation, Payment


@contextmanager
def _refund_repeated() -> Iterator[None]:
    real = doubt._still_absent

    def still_absent(payment: Payment, operation: Operation, *, asked_ms: int, now_ms: int) -> Payment:
        since_ms, is_refund = operation.absent_since_ms, operation.amount_minor is not None
        if is_refund and since_ms is not None and asked_ms - since_ms >= UNMOVED_FOR_MS:
            return once_more(payment, operation, now_ms=now_ms) if operation.attempt < ATTEMPTS_MAX else payment
        return real(payment, operation, asked_ms=asked_ms, now_ms=now_ms)

    with attribute(doubt, "_still_absent", still_absent):
        yield


@contextmanager
def _refund_pending_is_final() -> Iterator[None]:
    with attribute(next_step, "FINAL", FINAL | {Status.REFUND_PENDING}):
        yield


def _no(*_: object, **__: object) -> bool:
    return False


BUGS = (
    Bug(
        name="refund-repeated",
        breaks=("I1",),
        rule="A refund in doubt is never repeated by the program.",
        mistake="It is sent again once two reads show nothing of it.",
        plant=_refund_repeated,
    ),
    Bug(
        name="refund-pending-is-final",
        breaks=("I2", "I6"),
        rule="An unfinished payment is always due at some time.",
        mistake="A running refund is taken for the end.",
        plant=_refund_pending_is_final,
    ),
    Bug(
        name="reads-are-never-behind",
        breaks=("I5", "I7"),
        rule="A read just after a refund or a dispute began or ended may show what stood before.",
        mistake="It is believed: a refund that runs has fallen through.",
        plant=lambda: everywhere(lagging, "may_be_behind", _no),
    ),
    Bug(
        name="part-taken-for-the-next",
        breaks=("I5", "I7"),
        rule="A webhook that names no greater sum may speak of a part that went back before; a read tells.",
        mistake="It ends the refund that runs now.",
        plant=lambda: everywhere(refund_course, "may_be_of_an_earlier_refund", _no),
    ),
    Bug(
        name="rejection-taken-for-the-next",
        breaks=("I5", "I7"),
        rule="A rejection that comes again is not that of a later refund; a read tells.",
        mistake="It ends the refund that runs now.",
        plant=lambda: everywhere(refund_course, "may_have_fallen_through_before", _no),
    ),
    Bug(
        name="never-stale",
        breaks=("I2",),
        rule="What the provider never finishes becomes a person's in the end.",
        mistake="It is looked at for ever, and nobody is told.",
        plant=lambda: attribute(next_step, "_WITH_THE_PROVIDER", frozenset()),
    ),
)
