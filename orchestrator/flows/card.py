"""Tokenised card with 3DS and capture: provider page *Create Payment via Tokenisation*, contract 1.2, 3.3 and 4.2."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.dialect import DIALECT, Dialect
from orchestrator.flows import payin
from orchestrator.flows.common import Flow, Notification, Scan, terms_of
from orchestrator.flows.provider_object import (
    Amounts,
    amounts_in,
    card_reader,
    described,
    next_action,
    refunded_in,
    status_word,
    text,
    unwrap,
)
from orchestrator.flows.refund import card_refund, hears_refunds
from orchestrator.money import AmountError, to_major
from orchestrator.payment import CAPTURE, CREATE, Payment, bare_reference
from orchestrator.ports import ProviderRequest
from orchestrator.sighting import REQUIRES_ACTION, Sighting, Source, Target
from orchestrator.statuses import Reason, Review, Stage, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_CAPTURING = Target(column=Stage.AUTHORISED, status=Status.PROCESSING, reason=Reason.CAPTURING)


def create_request(payment: Payment, notification: Notification, dialect: Dialect = DIALECT) -> ProviderRequest:
    """`POST /v2/cards/create_payment`: the amount is an integer of minor units (D-02, T-04)."""
    method = terms_of(payment)
    return ProviderRequest(
        operation=CREATE,
        credentials=payment.credentials,
        method="POST",
        path="/v2/cards/create_payment",
        body={
            "amount": _asked(payment, dialect),
            "currency": payment.currency,
            "token": {"id": method["token"], "type": "card"},
            "external_id": payment.key.intent_id,
            "return_url": method["return_url"],
            "webhook_notification": notification.body(),
        },
    )


def capture_request(payment: Payment, dialect: Dialect = DIALECT) -> ProviderRequest:
    """`POST /v2/cards/capture_payment`: full only, once only, from authorised only (T-37)."""
    return ProviderRequest(
        operation=CAPTURE,
        credentials=payment.credentials,
        method="POST",
        path=dialect.card_capture_path,
        body={"uuid": bare_reference(payment.reference)},
    )


def card_read_request(payment: Payment, _: Dialect = DIALECT) -> ProviderRequest:
    """`GET /v2/cards/payments/<uuid>`."""
    return ProviderRequest(
        operation="read",
        credentials=payment.credentials,
        method="GET",
        path=f"/v2/cards/payments/{bare_reference(payment.reference)}",
    )


def list_request(payment: Payment, from_ms: int, to_ms: int, page: int) -> ProviderRequest:
    """`GET /v2/cards/payments`, a page of the card payments of a period (no filter by our id exists)."""
    start, end = (datetime.fromtimestamp(ms // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S") for ms in (from_ms, to_ms))
    return ProviderRequest(
        operation="list",
        credentials=payment.credentials,
        method="GET",
        path="/v2/cards/payments",
        query=(("start_date", start), ("end_date", end), ("page", str(page)), ("per_page", "20")),
    )


@hears_refunds
def interpret(
    payment: Payment,
    body: object,
    *,
    source: Source,
    operation: str | None = None,
    allow_http: bool = False,
    dialect: Dialect = DIALECT,
) -> Sighting:
    """A card object as a sighting; without uuid and status it is unusable (T-25)."""
    found = unwrap(body)
    reference, word = (text(found.get("uuid")), status_word(found.get("status"))) if found else (None, None)
    if found is None or reference is None or word is None:
        return Sighting(source=source, usable=False, operation=operation)
    amounts = amounts_in(payment, found, read=card_reader(payment, found, unit=dialect.card_response_unit))
    action = next_action(found.get("pay_code"), allow_http=allow_http)
    known = described(
        payment,
        found,
        reference=f"uuid:{reference}",
        own_id="external_id",
        amounts=amounts,
        source=source,
        operation=operation,
    )
    known = replace(known, next_action=action, refunded_minor=_refunded(payment, found))
    if _is_ambiguous(word, operation, action, amounts) and dialect.card_waiting_with_3ds == "requires_action":
        return replace(known, target=REQUIRES_ACTION, review=(Review.AMBIGUOUS_WAITING_3DS,))
    return replace(known, target=_target(payment, word, action) or known.target)


def _asked(payment: Payment, dialect: Dialect) -> object:
    """The amount in the unit of card requests: minor, as the page says, until somebody finds otherwise (D-02)."""
    if dialect.card_request_unit == "minor" or payment.amount_minor is None:
        return payment.amount_minor
    return to_major(payment.amount_minor, payment.currency)


def _target(payment: Payment, word: str, action: Mapping[str, Any] | None) -> Target | None:
    if word == "pending" and action:
        return REQUIRES_ACTION
    if word == "authorised" and terms_of(payment).get("capture") != "manual":
        return _CAPTURING
    return None


def _refunded(payment: Payment, found: Mapping[str, Any]) -> int | None:
    """The returned sum in the unit in which its `total_amount` is the amount that was asked, else nothing (D-02)."""
    information = found.get("refund_information")
    total = information.get("total_amount") if isinstance(information, dict) else None
    if total is None:
        return None
    read = card_reader(payment, {"amount": total})
    try:
        is_ours = read(total) == payment.amount_minor
    except AmountError:
        return None
    return refunded_in(found, read=read) if is_ours else None


def _is_ambiguous(word: str, operation: str | None, action: Mapping[str, Any] | None, amounts: Amounts) -> bool:
    """`waiting` with a 3DS link in the reply to a create: most likely not paid yet (D-07)."""
    return word == "waiting" and operation == CREATE and action is not None and not amounts.paid_minor


CARD = Flow(
    name="card",
    create=create_request,
    operations={CAPTURE: capture_request},
    interpret=interpret,
    refund=card_refund,
    # The customer asked for the payin detail first; the card's own read answers where that does not know cards.
    reads=(payin.detail_request, card_read_request),
    scan=Scan(request=list_request),
)
