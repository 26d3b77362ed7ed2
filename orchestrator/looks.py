"""A look out of turn: whether there is anything to ask of the provider, and asking for it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.flows import FLOWS, reads_of
from orchestrator.payment import OperationState, Payment, is_doubted
from orchestrator.statuses import Status

if TYPE_CHECKING:
    from orchestrator.dialect import Dialect


def asked_to_look(payment: Payment, *, dialect: Dialect) -> Payment:
    """The payment that is looked at as soon as the limits allow; unchanged where there is nothing to ask."""
    return payment if why_not_asked(payment, dialect=dialect) else replace(payment, look_wanted=0)


def why_not_asked(payment: Payment, *, dialect: Dialect) -> str | None:
    """Why the provider cannot be asked how this payment stands, as a sentence; None where it can."""
    create = payment.create
    if payment.reference is not None:
        has_read = bool(reads_of(payment.flow, dialect))
        return None if has_read else f"the provider is not asked about {payment.flow} payments: no read is configured"
    if create.state is OperationState.SENDING:
        return "its create is on the wire: the answer comes by itself"
    if payment.status is Status.ACCEPTED and is_doubted(create):
        has_list = FLOWS[payment.flow].scan is not None
        return None if has_list else f"the provider has no list in which a lost {payment.flow} payment could be found"
    if create.state is OperationState.READY:
        return "it was not sent to the provider"
    return "the provider gave it no id"
