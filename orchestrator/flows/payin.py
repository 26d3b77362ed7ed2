"""Multi-currency payin: provider page *Create a Payin Request*, contract 1.3, 1.5 and 3.3."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.dialect import DIALECT, Dialect
from orchestrator.flows.common import Flow, Notification, Scan, full_name, terms_of
from orchestrator.flows.methods import PAYIN_METHODS, Push
from orchestrator.flows.provider_object import (
    amounts_in,
    described,
    major_reader,
    next_action,
    status_word,
    text,
    time_ms,
    unwrap,
)
from orchestrator.flows.refund import hears_refunds, payin_refund
from orchestrator.money import to_major
from orchestrator.payment import CONFIRM_OTP, CREATE, Payment, bare_reference
from orchestrator.ports import ProviderRequest
from orchestrator.sighting import (
    AWAITING_PAY_CODE,
    REQUIRES_ACTION,
    Sighting,
    Source,
    Target,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.policy import Policy

_STAGE_ACTIONS: dict[str, dict[str, Any]] = {
    "authorize_otp": {"type": "otp"},
    "authorize_stk": {"type": "stk_push"},
}


def create_request(payment: Payment, notification: Notification, _: Dialect = DIALECT) -> ProviderRequest:
    """`POST /v2/payins`: amounts in major units, `external_id` and the webhook always sent (D-06)."""
    method, customer = terms_of(payment), payment.terms["customer"]
    body: dict[str, object] = {
        "currency": payment.currency,
        "gst": bool(method.get("gst")),
        "name": full_name(payment),
        "email": customer["email"],
        "external_id": payment.key.intent_id,
        "description": payment.terms["description"],
        "payin_method_name": method["payin_method_name"],
        "payin_method_params": method["payin_method_params"],
        "webhook_notification": notification.body(),
    }
    if payment.amount_minor is not None:
        body["amount"] = to_major(payment.amount_minor, payment.currency)
    if payment.expires_at_ms is not None:
        body["expired_at"] = _provider_time(payment.expires_at_ms)
    return ProviderRequest(
        operation=CREATE, credentials=payment.credentials, method="POST", path="/v2/payins", body=body
    )


def confirm_otp_request(payment: Payment, _: Dialect = DIALECT) -> ProviderRequest:
    """`POST /v2/payins/confirm_otp`: the code that the customer entered, once."""
    return ProviderRequest(
        operation=CONFIRM_OTP,
        credentials=payment.credentials,
        method="POST",
        path="/v2/payins/confirm_otp",
        body={"uuid": bare_reference(payment.reference), "code": payment.otp_code},
    )


def detail_request(payment: Payment, _: Dialect = DIALECT) -> ProviderRequest:
    """`GET /v2/payins/detail?uuid=`; the uuid is always sent."""
    return ProviderRequest(
        operation="read",
        credentials=payment.credentials,
        method="GET",
        path="/v2/payins/detail",
        query=(("uuid", bare_reference(payment.reference) or ""),),
    )


def list_request(payment: Payment, from_ms: int, to_ms: int, page: int) -> ProviderRequest:
    """A page of the payins of a period, with the credentials that created the payment."""
    return list_page(payment.credentials, from_ms, to_ms, page)


def list_page(credentials: str, from_ms: int, to_ms: int, page: int) -> ProviderRequest:
    """`GET /v2/payins/all`, a page of the payins of a period (no filter by our id exists)."""
    return ProviderRequest(
        operation="list",
        credentials=credentials,
        method="GET",
        path="/v2/payins/all",
        query=(
            ("from_date", _provider_time(from_ms)),
            ("to_date", _provider_time(to_ms)),
            ("page", str(page)),
            ("per_page", "20"),
        ),
    )


@hears_refunds
def interpret(
    payment: Payment,
    body: object,
    *,
    source: Source,
    operation: str | None = None,
    allow_http: bool = False,
    dialect: Dialect = DIALECT,  # noqa: ARG001 - one signature for all flows
) -> Sighting:
    """A payin object as a sighting; without uuid and status it is unusable (T-25)."""
    found = unwrap(body)
    reference, word = (text(found.get("uuid")), status_word(found.get("status"))) if found else (None, None)
    if found is None or reference is None or word is None:
        return Sighting(source=source, usable=False, operation=operation)
    action = _action(found, allow_http=allow_http)
    known = described(
        payment,
        found,
        reference=f"uuid:{reference}",
        own_id="external_id",
        amounts=amounts_in(payment, found, read=major_reader(payment.currency)),
        source=source,
        operation=operation,
    )
    return replace(
        known,
        provider_stage=text(found.get("stage")),
        target=_pending(payment, action) if word == "pending" else known.target,
        next_action=action,
        expires_at_ms=time_ms(found.get("expired_at")),
    )


def _pending(payment: Payment, action: Mapping[str, Any] | None) -> Target:
    return REQUIRES_ACTION if action or payment.next_action else AWAITING_PAY_CODE


def _action(found: Mapping[str, Any], *, allow_http: bool) -> Mapping[str, Any] | None:
    stage = status_word(found.get("stage"))
    return _STAGE_ACTIONS.get(stage or "") or next_action(found.get("pay_code"), allow_http=allow_http)


def _provider_time(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")


def pay_code_is_late(payment: Payment) -> bool:
    """Whether the pay code of this payin comes by webhook after a while (T-16)."""
    method = PAYIN_METHODS.get(terms_of(payment)["payin_method_name"])
    return method is not None and method.pay_code_is_late


def _is_shown_only_by_us(payment: Payment, _: Policy) -> bool:
    """A customer sees what we pass on; a method that pushes a code or a prompt to the phone reaches them by itself."""
    method = PAYIN_METHODS.get(terms_of(payment)["payin_method_name"])
    return method is not None and method.push is Push.NONE


PAYIN = Flow(
    name="payin",
    create=create_request,
    interpret=interpret,
    refund=payin_refund,
    operations={CONFIRM_OTP: confirm_otp_request},
    reads=(detail_request,),
    scan=Scan(request=list_request),
    recreates=_is_shown_only_by_us,
)
