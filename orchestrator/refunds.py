"""Refunds by command: which may be asked for, and the record of one that was (interface 1). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import RefusedError
from orchestrator.flows import FLOWS
from orchestrator.flows.refund import REFUND, unit_unconfigured
from orchestrator.payment import (
    Operation,
    OperationState,
    Payment,
    RefundOutcome,
    open_refund,
    refund_name,
    refunds_of,
)
from orchestrator.statuses import Reason, Status

if TYPE_CHECKING:
    from orchestrator.commands import Command
    from orchestrator.dialect import Dialect
    from orchestrator.payment import RefusalWords

CARD = "card"
_REFUNDABLE = frozenset({Status.SUCCEEDED, Status.PARTIALLY_REFUNDED})


def ask_refund(payment: Payment, command: Command, *, now_ms: int, dialect: Dialect) -> Payment:
    """The payment with the refund that is asked for, ready to be sent; unchanged where it was asked for before.

    Returned, running and asked together never exceed what was paid; without an amount all that is left is asked
    for. Raises RefusedError: refund_conflict, refund_unsupported, refund_unit_unconfigured, refund_running,
    not_refundable, refund_too_large.
    """
    refund_id = command.refund_id or ""
    known = payment.operations.get(refund_name(refund_id))
    if known is not None:
        _check_repeat(payment, known, command)
        return payment
    _check_provider(payment, dialect)
    if open_refund(payment) is not None:
        raise RefusedError(
            "refund_running", f"Another refund of {payment.key} is running; wait for its end.", field="refund_id"
        )
    _check_status(payment)
    left_minor = _left_minor(payment)
    asked_minor = command.amount_minor if command.amount_minor is not None else left_minor
    _check_amount(payment, asked_minor, left_minor)
    return payment.with_operation(
        Operation(
            name=refund_name(refund_id),
            at_ms=now_ms,
            amount_minor=asked_minor,
            note=command.reason or f"Refund {refund_id}",
            command_id=command.command_id,
        )
    )


def why_not_sent(payment: Payment, refund: Operation, *, dialect: Dialect) -> RefusalWords | None:
    """Why a refund that was accepted must not be sent any more: what came in between; None where it may be."""
    try:
        _check_provider(payment, dialect)
        _check_status(payment)
        _check_amount(payment, refund.amount_minor or 0, _left_minor(payment))
    except RefusedError as error:
        return error.code, f"{error.message} Nothing was asked of the provider."
    return None


def returned_minor(payment: Payment) -> int:
    """What went back so far: what the provider said or what our own refunds sum up to, whichever is more."""
    ours = (refund.amount_minor or 0 for refund in refunds_of(payment) if refund.outcome is RefundOutcome.RETURNED)
    return max(payment.refunded_minor, sum(ours))


def _check_repeat(payment: Payment, known: Operation, command: Command) -> None:
    """A refund_id stands for one refund of one amount for ever; one that moved no money is not begun again."""
    refund_id = command.refund_id
    if known.state is OperationState.REFUSED or known.outcome is RefundOutcome.FELL_THROUGH:
        ended = "was refused by the provider" if known.state is OperationState.REFUSED else "fell through"
        raise RefusedError(
            "refund_conflict",
            f"The refund {refund_id!r} of {payment.key} {ended}; ask again under a new refund_id.",
            field="refund_id",
        )
    if command.amount_minor is None:
        is_same = known.amount_minor == _left_without(payment, known)
    else:
        is_same = known.amount_minor == command.amount_minor
    if not is_same:
        raise RefusedError(
            "refund_conflict",
            f"refund_id {refund_id!r} stands for a refund of {known.amount_minor} minor units; use a new one.",
            field="refund_id",
        )


def _left_without(payment: Payment, known: Operation) -> int:
    """What is left to refund, this refund left out: what a command without an amount would have meant."""
    own_minor = known.amount_minor or 0
    is_returned = known.outcome is RefundOutcome.RETURNED
    return payment.paid_minor - returned_minor(payment) + (own_minor if is_returned else 0)


def _check_provider(payment: Payment, dialect: Dialect) -> None:
    if FLOWS[payment.flow].refund is None:
        raise RefusedError(
            "refund_unsupported",
            f"The provider documents no refund of a {payment.flow} payment; refund it in the provider's dashboard.",
            field=REFUND,
        )
    if payment.flow == CARD and dialect.card_refund_unit is None:
        raise unit_unconfigured()


def _check_status(payment: Payment) -> None:
    is_settling_card = payment.flow == CARD and payment.reason is Reason.SETTLING
    if payment.status not in _REFUNDABLE and not is_settling_card:
        raise RefusedError(
            "not_refundable",
            f"{payment.key} is {payment.status}: a refund starts from succeeded or partially_refunded, "
            "of a card also from processing (settling).",
            field=REFUND,
        )


def _check_amount(payment: Payment, asked_minor: int, left_minor: int) -> None:
    if not 0 < asked_minor <= left_minor:
        raise RefusedError(
            "refund_too_large",
            f"{left_minor} minor units of {payment.currency} are left to refund of {payment.key}.",
            field="amount_minor",
        )


def _left_minor(payment: Payment) -> int:
    """What was paid and not returned; raises RefusedError where either is not known."""
    returned = returned_minor(payment)
    is_part_unknown = payment.status is Status.PARTIALLY_REFUNDED and not returned
    if not payment.paid_minor or is_part_unknown:
        unknown = "went back already" if is_part_unknown else "was paid"
        raise RefusedError(
            "not_refundable",
            f"The provider did not say how much of {payment.key} {unknown}; refund it in the provider's dashboard.",
            field=REFUND,
        )
    return max(payment.paid_minor - returned, 0)
