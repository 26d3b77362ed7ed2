"""How payments begin."""

import secrets
from datetime import timedelta
from functools import partial

from sandbox.deeds import authorise, decline, deliver_pay_code, expire_later, make_pay_code
from sandbox.money import gst_minor_of
from sandbox.orders import CardOrder, LinkOrder, PayidOrder, PayinOrder
from sandbox.payments import Payment, new_uuid
from sandbox.provider import Provider
from sandbox.tokens import jwt_like

WITHOUT_3DS = ("tok_no3ds", "tok_decline", "tok_pending")
HOLDER_NAME = "Hello Clever"
HOLDER_EMAIL = "test@example.com"


def create_payin(provider: Provider, order: PayinOrder, *, app_id: str) -> Payment:
    """Make a payin; its pay code is there at once or follows by webhook, as its method has it."""
    provider.refuse_duplicate(app_id, order.external_id, flow="payin")
    now, method = provider.clock.now(), order.method
    payment = Payment(
        uuid=new_uuid(8),
        flow="payin",
        app_id=app_id,
        external_id=order.external_id,
        currency=method.currency,
        amount_minor=order.amount_minor,
        gst=order.gst,
        gst_minor=gst_minor_of(order.amount_minor) if order.gst else 0,
        name=order.name,
        email=order.email,
        description=order.description,
        method=method.name,
        stage=method.stage,
        is_refundable=method.is_refundable,
        created_at=now,
        expires_at=order.expires_at or now + timedelta(seconds=provider.settings.expiry_s),
        endpoint_url=order.notification.endpoint_url,
        authorization_header=order.notification.authorization_header,
        return_url=order.return_url,
    )
    if not method.late:
        payment.pay_code = make_pay_code(provider, payment)
    provider.admit(payment)
    if method.late:
        provider.schedule.after(provider.settings.pay_code_delay_s, partial(_pay_code_due, provider, payment))
    expire_later(provider, payment, "pending", (payment.expires_at - now).total_seconds())
    return payment


def create_card(provider: Provider, order: CardOrder, *, app_id: str) -> Payment:
    """Make a card payment; what its token's name begins with decides how it goes on."""
    provider.refuse_duplicate(app_id, order.external_id, flow="card")
    now = provider.clock.now()
    payment = Payment(
        uuid=new_uuid(9),
        flow="card",
        app_id=app_id,
        external_id=order.external_id,
        currency=order.currency,
        amount_minor=order.amount_minor,
        method="card",
        created_at=now,
        expires_at=now + timedelta(seconds=provider.settings.expiry_s),
        token_id=order.token_id,
        token_type=order.token_type,
        return_url=order.return_url,
        endpoint_url=order.notification.endpoint_url,
        authorization_header=order.notification.authorization_header,
        name=HOLDER_NAME,
        email=HOLDER_EMAIL,
    )
    if not order.token_id.startswith(WITHOUT_3DS):
        payment.pay_code = make_pay_code(provider, payment)
    provider.admit(payment)
    if order.token_id.startswith("tok_no3ds"):
        authorise(provider, payment)
    if order.token_id.startswith("tok_decline"):
        decline(provider, payment)
    expire_later(provider, payment, "pending", provider.settings.expiry_s)
    return payment


def create_payid(provider: Provider, order: PayidOrder, *, app_id: str) -> Payment:
    """Make a PayID for one payment."""
    provider.refuse_duplicate(app_id, order.external_id, flow="payid")
    now, number = provider.clock.now(), provider.number("payid")
    prefix = order.prefix or f"payid{number}"
    payment = Payment(
        uuid=new_uuid(10),
        flow="payid",
        number=number,
        app_id=app_id,
        external_id=order.external_id,
        currency="AUD",
        amount_minor=order.amount_minor,
        gst=order.gst,
        gst_minor=gst_minor_of(order.amount_minor) if order.gst else 0,
        name=order.name,
        email=order.emails,
        description=order.description,
        method="payid",
        stage=None,
        pay_id=f"{prefix}_{new_uuid(6).lower()}@pay.sandbox.example",
        nonce=secrets.token_urlsafe(12),
        created_at=now,
        expires_at=order.expires_at or now + timedelta(seconds=provider.settings.expiry_s),
        endpoint_url=order.notification.endpoint_url,
        authorization_header=order.notification.authorization_header,
    )
    provider.admit(payment)
    expire_later(provider, payment, "pending", (payment.expires_at - now).total_seconds())
    return payment


def create_link(provider: Provider, order: LinkOrder, *, app_id: str) -> Payment:
    """Make a link to the hosted checkout."""
    provider.refuse_duplicate(app_id, order.order_id, flow="gateway_link", field="order_id")
    now = provider.clock.now()
    payment = Payment(
        uuid=new_uuid(10),
        flow="gateway_link",
        number=provider.number("gateway_link"),
        app_id=app_id,
        external_id=order.order_id,
        currency="AUD",
        amount_minor=order.amount_minor,
        name=order.name,
        email=order.email,
        description=order.description,
        method="gateway_link",
        stage=None,
        created_at=now,
        expires_at=now + timedelta(seconds=provider.settings.expiry_s),
        link_token=jwt_like({"order_id": order.order_id}),
        return_url=order.success_url,
        endpoint_url=order.notification.endpoint_url,
        authorization_header=order.notification.authorization_header,
    )
    payment.pay_code = make_pay_code(provider, payment)
    provider.admit(payment)
    expire_later(provider, payment, "pending", provider.settings.expiry_s)
    return payment


async def _pay_code_due(provider: Provider, payment: Payment) -> None:
    if payment.status == "pending" and payment.pay_code is None:
        deliver_pay_code(provider, payment)
