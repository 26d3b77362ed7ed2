"""Payments and provider bodies for the tests of the core."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.flows import FLOWS, Notification
from orchestrator.intent import parse_intent
from orchestrator.observe import Belief, observe
from orchestrator.payment import CAPTURE, CREATE, Operation, OperationState, Payment, new_payment, public_view
from orchestrator.sighting import Sighting, Source

if TYPE_CHECKING:
    from orchestrator.ports import ProviderRequest
    from orchestrator.statuses import Reason, Status

NOW_MS = 1_800_000_000_000
BELIEF = Belief()
UUID = "PSADT5CE"
REFERENCES = {"payid": "payid:123456", "gateway_link": "gw:46345"}


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


CUSTOMER = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "+61400000000",
    "email": "ada@example.com",
    "country_code": "AU",
    "postal_code": "2166",
    "city": "Canley Heights",
    "address": "40 Peel Street",
}


def payid_intent(**changes: Any) -> dict[str, Any]:
    return {
        "intent_id": "ord-3001",
        "amount_minor": 10000,
        "currency": "AUD",
        "description": "Order 3001",
        "customer": {"name": "Ada Lovelace", "email": "ada@example.com"},
        "method": {"type": "payid"},
    } | changes


def gateway_intent(**changes: Any) -> dict[str, Any]:
    return {
        "intent_id": "ord-4001",
        "amount_minor": 10000,
        "currency": "AUD",
        "description": "Order 4001",
        "customer": CUSTOMER,
        "method": {"success_url": "https://shop.example/thanks"},
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
    payment = accepted(intent)
    reference = changes.pop("reference", REFERENCES.get(payment.flow, f"uuid:{UUID}"))
    payment = in_state(payment, CREATE, OperationState.DONE, reference=reference)
    return replace(payment, reference=reference, **changes)


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


PAYID_REFERENCE = 123456
GATEWAY_REFERENCE = 46345
LINK = "https://v2.paymentgateway.cleverhub.co/oneclick-checkout?payment=eyJhbGciOi"


def payid_body(status: str, **changes: Any) -> dict[str, Any]:
    """The provider's PayID object: an integer id, amounts as strings, no paid amount."""
    return {
        "id": PAYID_REFERENCE,
        "balance_id": "HDCHJSS",
        "name": "Ada Lovelace",
        "request_payid": "n2qrikv@dreamithost.com.au",
        "merchant_name": "Merchant Co.",
        "gst": False,
        "amount": "100.0",
        "total": "100.0",
        "gst_amount": "0.0",
        "expired_at": "2027-01-16T08:00:00Z",
        "external_id": "ord-3001",
        "cashback_amount": "0.0",
        "pay_by": "2027-01-15T20:00:00Z",
        "paid_at": None,
        "status": status,
        "nonce": "unique_nonce_string",
        "stage": None,
        "refund_information": None,
    } | changes


def gateway_reply(**changes: Any) -> dict[str, Any]:
    """The answer to the create of a link: no status, no amount, no deadline."""
    return {"redirect_url": LINK, "payment_id": GATEWAY_REFERENCE, "order_id": "ord-4001"} | changes


def gateway_body(status: str, **changes: Any) -> dict[str, Any]:
    """What integrators expect of a gateway webhook; no page shows one."""
    return {"payment_id": GATEWAY_REFERENCE, "order_id": "ord-4001", "status": status} | changes


HOOK = Notification(endpoint_url="https://hooks.example/w/1", authorization="po1.k.s")


def create_request_of(payment: Payment) -> ProviderRequest:
    """The request that creates this payment."""
    create: Any = FLOWS[payment.flow].create
    request: ProviderRequest = create(payment, HOOK)
    return request


def all_requests_of(payment: Payment) -> list[ProviderRequest]:
    """Every request that is made for this payment: create, the other operations, the reads, the scan."""
    flow = FLOWS[payment.flow]
    others: list[Any] = [*flow.operations.values(), *flow.reads]
    scan: Any = flow.scan and flow.scan.request
    scanned = [scan(payment, NOW_MS, NOW_MS, 1)] if scan else []
    return [create_request_of(payment), *(build(payment) for build in others), *scanned]


def sighting_of(
    payment: Payment, body: object, source: Source = Source.WEBHOOK, operation: str | None = None
) -> Sighting:
    """What the provider said, in the words of the payment's flow."""
    interpret: Any = FLOWS[payment.flow].interpret
    sighting: Sighting = interpret(payment, body, source=source, operation=operation, allow_http=False)
    return sighting


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
    sighting = sighting_of(payment, body, source, operation)
    return observe(payment, sighting, belief=belief, now_ms=now_ms)


def view(payment: Payment) -> tuple[Status, Reason | None]:
    """The status that the world sees, and its reason."""
    shown = public_view(payment)
    return shown.status, shown.reason


def payable_payid(**changes: Any) -> Payment:
    """A PayID that its customer may pay."""
    return seen(created(payid_intent()), payid_body("pending", **changes), Source.REPLY, operation="create")
