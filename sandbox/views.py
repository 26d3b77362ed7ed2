"""The provider's JSON objects: a payment looks different in each place (contract 1.2, 1.3, 1.5, 4.2)."""

from decimal import Decimal

from sandbox.dates import with_offset, with_z
from sandbox.methods import NUMERIC_PARAMS, Method
from sandbox.money import major_of, with_tail
from sandbox.payments import Payment
from sandbox.replies import Json
from sandbox.settings import SandboxSettings

MASK = "****"


def payin_created(payment: Payment, settings: SandboxSettings) -> Json:
    """Return the create reply: everything, with `stage`."""
    return {
        **_payin_facts(payment),
        **_payin_amounts(payment, as_text=settings.payin_amounts == "string"),
        "stage": payment.stage,
        "payment_method": payment.method,
        "expired_at": with_offset(payment.expires_at),
        "pay_by": with_offset(payment.expires_at),
    }


def payin_detail(payment: Payment, settings: SandboxSettings) -> Json:
    """Return the detail reply: no `stage`, `redirect_url` for the URL, dates with Z."""
    pay_code = {("redirect_url" if key == "pay_url" else key): text for key, text in (payment.pay_code or {}).items()}
    return {
        **_payin_facts(payment),
        **_payin_amounts(payment, as_text=settings.payin_amounts == "string"),
        "pay_code": pay_code or None,
        "payment_method": payment.method,
        "expired_at": with_z(payment.expires_at),
        "pay_by": with_z(payment.expires_at),
    }


def payin_row(payment: Payment) -> Json:
    """Return a record of the list: amounts and even booleans are strings."""
    return {
        **_payin_facts(payment),
        **_payin_amounts(payment, as_text=True),
        "gst": str(payment.gst).lower(),
        "is_refundable": str(payment.can_be_refunded).lower(),
        "payment_method": payment.method,
        "expired_at": with_offset(payment.expires_at),
        "pay_by": with_offset(payment.expires_at),
    }


def payin_webhook(payment: Payment, _: SandboxSettings) -> Json:
    """Return the callback's body: neither `stage` nor `payment_method`, no time and no event id."""
    return {
        **_payin_facts(payment),
        **_payin_amounts(payment, as_text=False),
        "expired_at": with_offset(payment.expires_at),
        "pay_by": with_offset(payment.expires_at),
    }


def method_record(method: Method) -> Json:
    """Describe a payin method; the values of its parameters are descriptors, as the provider has them."""
    fields = {name: f"{'number' if name in NUMERIC_PARAMS else 'string'}:Mandatory" for name in method.params[-1]}
    return {
        "currency": method.currency,
        "symbol": method.currency,
        "logo": "",
        "payin_method_name": method.name,
        "description": method.label,
        "payin_method_params": fields,
        "payment_type": "payin",
        "is_refundable": method.is_refundable,
        "is_cancellable": False,
        "require_contact": method.require_contact,
        "require_kyc": False,
        "min_amount": method.min_amount,
        "max_amount": method.max_amount,
    }


def card_object(payment: Payment, settings: SandboxSettings) -> Json:
    """Return the card object of replies and lists; a used 3DS link stays in it."""
    return {
        "uuid": payment.uuid,
        "name": payment.name,
        "email": payment.email,
        "external_id": payment.external_id,
        "status": payment.status,
        "pay_code": payment.pay_code,
        "currency": payment.currency,
        "amount": card_amount(payment.amount_minor, payment, settings),
        "total": card_amount(payment.total_minor, payment, settings),
        "paid_amount": card_amount(payment.paid_minor, payment, settings),
        "is_refundable": payment.can_be_refunded,
        "payment_method": "card",
        "expired_at": "",
        "webhook_notification": _notification(payment),
        "refund_information": refund_information(payment, settings),
        "sender_details": {"card": {"card_type": "card", "card_brand": "visa", "card_last_4": "1111"}},
        "created_at": with_offset(payment.created_at),
    }


def card_webhook(payment: Payment, settings: SandboxSettings) -> Json:
    """Return the callback's body: the card object and its token."""
    return {**card_object(payment, settings), "token": {"id": payment.token_id, "type": payment.token_type}}


def refund_information(payment: Payment, settings: SandboxSettings) -> Json | None:
    """Return what a card payment says of its refund, None if there was none."""
    returned_minor = payment.refunding_minor + payment.refunded_minor
    if not returned_minor:
        return None
    return {
        "total_amount": card_amount(payment.total_minor, payment, settings),
        "refund_amount": card_amount(returned_minor, payment, settings),
        "description": payment.refund_reason,
    }


def card_amount(minor: int, payment: Payment, settings: SandboxSettings) -> str:
    """Write a card amount as a string with a `.0` tail, in the unit that the settings choose."""
    major = settings.card_reply_unit == "major"
    return str(major_of(minor, payment.currency) if major else with_tail(Decimal(minor)))


def _payin_facts(payment: Payment) -> Json:
    return {
        "uuid": str(payment.id),
        "name": payment.name,
        "email": payment.email,
        "external_id": payment.external_id,
        "status": payment.status,
        "pay_code": payment.pay_code,
        "currency": payment.currency,
        "gst": payment.gst,
        "description": payment.description,
        "is_refundable": payment.can_be_refunded,
        "webhook_notification": _notification(payment),
    }


def _payin_amounts(payment: Payment, *, as_text: bool) -> Json:
    amounts = {
        "amount": payment.amount_minor,
        "gst_amount": payment.gst_minor,
        "total": payment.total_minor,
        "paid_amount": payment.paid_minor,
    }
    write = str if as_text else Decimal
    return {key: write(major_of(minor, payment.currency)) for key, minor in amounts.items()}


def _notification(payment: Payment) -> Json | None:
    if not payment.endpoint_url:
        return None
    return {"endpoint_url": payment.endpoint_url, "authorization_header": MASK}
