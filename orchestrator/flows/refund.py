"""Refunds at the provider: their requests and their replies (contract 4.2), for the flows that document one."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from orchestrator.dialect import DIALECT, Dialect
from orchestrator.errors import RefusedError
from orchestrator.flows.provider_object import unwrap
from orchestrator.money import to_major
from orchestrator.payment import REFUND_PREFIX, Operation, Payment, bare_reference
from orchestrator.ports import ProviderRequest
from orchestrator.sighting import TARGETS, Sighting, Source
from orchestrator.statuses import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from orchestrator.flows.common import Interpret

REFUND = "refund"
_INTEGER = re.compile(r"[1-9][0-9]{0,17}")
_SAYS_HOW_IT_STANDS = frozenset(
    {Stage.REFUND_PENDING, Stage.PARTIALLY_REFUNDED, Stage.REFUNDED, Stage.DISPUTED, Stage.DISPUTE_LOST}
)


def payin_refund(payment: Payment, operation: Operation, _: Dialect = DIALECT) -> ProviderRequest:
    """`POST /v2/payins/refund`: major units, the reason is called `description`."""
    body = {
        "uuid": bare_reference(payment.reference),
        "amount": _major(payment, operation),
        "description": operation.note,
    }
    return _request(payment, "/v2/payins/refund", body)


def payid_refund(payment: Payment, operation: Operation, _: Dialect = DIALECT) -> ProviderRequest:
    """`POST /v1/payment_requests/refund`: the id is an integer, the amount in major units."""
    body = {
        "payment_request_id": _as_integer(bare_reference(payment.reference) or ""),
        "refund_amount": _major(payment, operation),
        "reason": operation.note,
    }
    return _request(payment, "/v1/payment_requests/refund", body)


def card_refund(payment: Payment, operation: Operation, dialect: Dialect = DIALECT) -> ProviderRequest:
    """`POST /v2/cards/refund_payment`: nobody documents the unit of `refund_amount`; an operator confirms it (D-02).

    Raises RefusedError refund_unit_unconfigured, so that nothing is sent in a unit that was guessed.
    """
    if dialect.card_refund_unit is None:
        raise unit_unconfigured()
    is_minor = dialect.card_refund_unit == "minor"
    body = {
        "uuid": bare_reference(payment.reference),
        "refund_amount": _amount(operation) if is_minor else _major(payment, operation),
        "reason": operation.note,
    }
    return _request(payment, "/v2/cards/refund_payment", body)


def unit_unconfigured() -> RefusedError:
    """The refusal of card refunds until the unit of their amount is confirmed."""
    return RefusedError(
        "refund_unit_unconfigured",
        "Card refunds are refused until the unit in which the provider reads their amount is confirmed and set: "
        "no page tells it.",
        field=REFUND,
    )


def hears_refunds(interpret: Interpret) -> Interpret:
    """The interpretation, which understands the reply to a refund too.

    A refund that was taken is `refund_pending`, whatever else the reply says of the payment: it may still show the
    status from before (T-40). Only a word about refunds or disputes says how it stands. A reply without the id and
    the status of a payment is unusable: an echo of the request proves nothing.
    """

    @wraps(interpret)
    def interpret_both(
        payment: Payment,
        body: object,
        *,
        source: Source,
        operation: str | None = None,
        allow_http: bool = False,
        dialect: Dialect = DIALECT,
    ) -> Sighting:
        is_refund = operation is not None and operation.startswith(REFUND_PREFIX)
        said = _unfolded(body) if is_refund else body
        sighting = interpret(payment, said, source=source, operation=operation, allow_http=allow_http, dialect=dialect)
        return _taken(sighting) if is_refund and sighting.usable else sighting

    return interpret_both


def _taken(sighting: Sighting) -> Sighting:
    # What was paid is no news here: the reply shows 0 or what is left as often as what came in (D-04).
    sighting = replace(sighting, paid_minor=None, next_action=None, expires_at_ms=None)
    target = sighting.target
    if sighting.refund_fell_through or (target is not None and target.column in _SAYS_HOW_IT_STANDS):
        return sighting
    return replace(sighting, target=TARGETS["return_pending"], failure=None, review=())


def _unfolded(body: object) -> object:
    """A card's reply holds the payment inside, and beside it what elsewhere is called `refund_information`."""
    found = unwrap(body)
    if found is None or not isinstance(found.get("payin_request"), dict):
        return body
    inner: dict[str, Any] = found["payin_request"]
    if found.get("refund_amount") is None:
        return inner
    told = {"total_amount": found.get("total_amount"), "refund_amount": found["refund_amount"]}
    return {**inner, "refund_information": told}


def _request(payment: Payment, path: str, body: Mapping[str, object]) -> ProviderRequest:
    return ProviderRequest(operation=REFUND, credentials=payment.credentials, method="POST", path=path, body=body)


def _amount(operation: Operation) -> int:
    if operation.amount_minor is None:
        message = f"{operation.name} has no amount: without one the provider would return everything"
        raise ValueError(message)
    return operation.amount_minor


def _major(payment: Payment, operation: Operation) -> int | Decimal:
    return to_major(_amount(operation), payment.currency)


def _as_integer(reference: str) -> int | str:
    """The id as the integer that the page asks for; another kind of id is handed on as it is."""
    return int(reference) if _INTEGER.fullmatch(reference) else reference
