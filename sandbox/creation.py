"""How payments begin."""

from datetime import timedelta
from functools import partial

from sandbox.deeds import decline, deliver_pay_code, expire, make_pay_code, pay
from sandbox.money import gst_minor_of
from sandbox.orders import CardOrder, PayinOrder
from sandbox.payments import Payment, new_uuid
from sandbox.provider import Provider

AUTHORISATION_S = 7 * 24 * 3600.0
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
    )
    if not method.late:
        payment.pay_code = make_pay_code(provider, payment)
    provider.admit(payment)
    if method.late:
        provider.schedule.after(provider.settings.pay_code_delay_s, partial(_pay_code_due, provider, payment))
    _expire_later(provider, payment, "pending", (payment.expires_at - now).total_seconds())
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
        endpoint_url=order.notification.endpoint_url,
        authorization_header=order.notification.authorization_header,
        name=HOLDER_NAME,
        email=HOLDER_EMAIL,
    )
    if not order.token_id.startswith(WITHOUT_3DS):
        payment.pay_code = make_pay_code(provider, payment)
    provider.admit(payment)
    if order.token_id.startswith("tok_no3ds"):
        pay(provider, payment)
    if order.token_id.startswith("tok_decline"):
        decline(provider, payment)
    _expire_later(provider, payment, "pending", provider.settings.expiry_s)
    _expire_later(provider, payment, "authorised", AUTHORISATION_S)
    return payment


async def _pay_code_due(provider: Provider, payment: Payment) -> None:
    if payment.status == "pending" and payment.pay_code is None:
        deliver_pay_code(provider, payment)


def _expire_later(provider: Provider, payment: Payment, status: str, delay_s: float) -> None:
    async def due() -> None:
        if payment.status == status:
            expire(provider, payment)

    provider.schedule.after(delay_s, due)
