"""Payments and provider bodies for the tests of the core."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from orchestrator.flows import FLOWS
from orchestrator.intent import parse_intent
from orchestrator.observe import Belief, observe
from orchestrator.payment import CAPTURE, CREATE, Operation, OperationState, Payment, new_payment
from orchestrator.sighting import Source

NOW_MS = 1_800_000_000_000
BELIEF = Belief()
UUID = "PSADT5CE"


def card_intent(**changes: Any) -> dict[str, Any]:
    return {
        "intent_id": "ord-1001",
        "amount_minor": 10000,
        "currency": "AUD",
        "description": "Order 1001",
        "method": {"token": "tok_dfe1988a1ffc0d6562d3", "return_url": "https://shop.example/back"},
    } | changes


def payin_intent(**changes: Any) -> dict[str, Any]:
    return {
        "intent_id": "ord-2001",
        "amount_minor": 50000,
        "currency": "PHP",
        "description": "Order 2001",
        "customer": {"name": "Maria Cruz", "email": "maria@example.com"},
        "method": {"payin_method_name": "ph_ewallet_gcash_php", "payin_method_params": {}},
    } | changes


def as_body(intent: dict[str, Any]) -> bytes:
    return json.dumps(intent).encode()


def accepted(intent: dict[str, Any], *, now_ms: int = NOW_MS, **changes: Any) -> Payment:
    return replace(new_payment(parse_intent(intent), now_ms=now_ms), **changes)


def in_state(payment: Payment, operation: str, state: OperationState, **changes: Any) -> Payment:
    record = payment.operations.get(operation, Operation(name=operation))
    return payment.with_operation(replace(record, state=state, **changes))


def created(intent: dict[str, Any], **changes: Any) -> Payment:
    """A payment whose create was executed; `changes` say how it stands."""
    payment = in_state(accepted(intent), CREATE, OperationState.DONE, reference=f"uuid:{UUID}")
    return replace(payment, reference=f"uuid:{UUID}", **changes)


def capturing(payment: Payment, state: OperationState = OperationState.IN_DOUBT) -> Payment:
    return in_state(payment, CAPTURE, state, at_ms=NOW_MS)


def card_body(status: str, **changes: Any) -> dict[str, Any]:
    """The provider's card object, amounts as strings as in its webhooks."""
    paid = status not in {"pending", "authorised", "failed", "expired"}
    return {
        "uuid": UUID,
        "status": status,
        "external_id": "ord-1001",
        "currency": "AUD",
        "amount": "100.0",
        "total": "100.0",
        "paid_amount": "100.0" if paid else "0.0",
        "pay_code": None,
    } | changes


def payin_body(status: str, **changes: Any) -> dict[str, Any]:
    """The provider's payin object."""
    paid = status not in {"pending", "failed", "expired"}
    return {
        "uuid": UUID,
        "status": status,
        "external_id": "ord-2001",
        "currency": "PHP",
        "amount": 500,
        "total": 500,
        "paid_amount": 500 if paid else 0,
        "pay_code": {},
    } | changes


def seen(
    payment: Payment,
    body: object,
    source: Source = Source.WEBHOOK,
    *,
    operation: str | None = None,
    belief: Belief = BELIEF,
    now_ms: int = NOW_MS,
) -> Payment:
    """The payment after the provider said this."""
    sighting = FLOWS[payment.flow].interpret(payment, body, source=source, operation=operation, allow_http=False)
    return observe(payment, sighting, belief=belief, now_ms=now_ms)
