"""Payment gateway link: provider page *Create Payment Gateway Link*, contract 1.1 and 3.3."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orchestrator.dialect import DIALECT, Dialect
from orchestrator.flows.common import Flow, Notification, terms_of
from orchestrator.flows.provider_object import (
    amounts_in,
    described,
    major_reader,
    next_action,
    status_word,
    text,
    unwrap,
)
from orchestrator.money import EXPONENTS, to_major
from orchestrator.payment import CREATE, Payment
from orchestrator.ports import ProviderRequest
from orchestrator.sighting import REQUIRES_ACTION, TARGETS, Sighting, Source, Target
from orchestrator.statuses import Reason, Stage, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.policy import Policy

# What is authorised on the hosted page is captured by the provider: nobody here could.
_AUTHORISED = Target(column=Stage.AUTHORISED, status=Status.PROCESSING, reason=Reason.AWAITING_PROVIDER)
_TARGETS = TARGETS | {"pending": REQUIRES_ACTION, "authorised": _AUTHORISED}
_ADDRESS_FIELDS = (
    "first_name",
    "last_name",
    "phone",
    "email",
    "company",
    "country_code",
    "state",
    "postal_code",
    "city",
    "address",
)


def create_request(payment: Payment, notification: Notification, _: Dialect = DIALECT) -> ProviderRequest:
    """`POST /v1/payment_gateways/create_payment`: our id is `order_id`, the only reference there is."""
    method = terms_of(payment)
    billing = _address(payment.terms["customer"])
    return ProviderRequest(
        operation=CREATE,
        credentials=payment.credentials,
        method="POST",
        path="/v1/payment_gateways/create_payment",
        needs_access_token=True,
        body={
            "order_id": payment.key.intent_id,
            "amount": to_major(payment.amount_minor or 0, payment.currency),
            "description": payment.terms["description"],
            "order_success_url": method["success_url"],
            "payment_gateway_notification": notification.body(),
            "order_details": {
                "billing_details": billing,
                "shipping_details": _address(method["shipping"]) if method.get("shipping") else billing,
                "items": [_item(item, payment.currency) for item in method.get("items", ())],
            },
        },
    )


def interpret(
    payment: Payment,
    body: object,
    *,
    source: Source,
    operation: str | None = None,
    allow_http: bool = False,
    dialect: Dialect = DIALECT,  # noqa: ARG001 - one signature for all flows
) -> Sighting:
    """A gateway object as a sighting: the reply to the create has a link and no status, a webhook a status."""
    found = unwrap(body) or {}
    reference, order = text(found.get("payment_id")), text(found.get("order_id"))
    word = status_word(found.get("status"))
    action = next_action({"redirect_url": found.get("redirect_url")}, allow_http=allow_http)
    is_link = word is None and operation == CREATE and action is not None and reference is not None
    # No page shows a webhook: one that names our order alone is ours, for nothing else tells that it was paid.
    is_named = reference is not None or (source is Source.WEBHOOK and order is not None)
    if not is_link and (word is None or not is_named):
        return Sighting(source=source, usable=False, operation=operation)
    known = described(
        payment,
        found,
        reference=f"gw:{reference}" if reference else None,
        own_id="order_id",
        amounts=amounts_in(payment, found, read=major_reader(payment.currency)),
        source=source,
        operation=operation,
    )
    return replace(known, target=REQUIRES_ACTION if is_link else _TARGETS.get(word or ""), next_action=action)


def _address(person: Mapping[str, Any]) -> dict[str, object]:
    return {name: person[name] for name in _ADDRESS_FIELDS if person.get(name)}


def _item(item: Mapping[str, Any], currency: str) -> dict[str, object]:
    """Quantity and price are strings in this flow alone."""
    price = Decimal(item["price_minor"]).scaleb(-EXPONENTS[currency])
    optional = {name: item[name] for name in ("variant_id", "image_url") if item.get(name)}
    return {
        "id": item["id"],
        "name": item["name"],
        "quantity": str(item["quantity"]),
        "price": format(price, "f"),
        "enable_cashback": item["enable_cashback"],
        **optional,
    }


def _is_shown_only_by_us(_: Payment, __: Policy) -> bool:
    """A link reaches the customer through us alone: one whose reply was lost is known to nobody."""
    return True


GATEWAY_LINK = Flow(
    name="gateway_link",
    create=create_request,
    interpret=interpret,
    with_access_token=True,
    refusals_kept=frozenset({404}),
    recreates=_is_shown_only_by_us,
    lapses_by_our_clock=True,
)
