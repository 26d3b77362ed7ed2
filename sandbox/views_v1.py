"""The JSON objects of the v1 flows: PayID (contract 1.4) and the gateway (contract 1.1)."""

from sandbox.dates import in_whole_seconds
from sandbox.money import major_of
from sandbox.payments import Payment
from sandbox.replies import Json
from sandbox.settings import SandboxSettings

MERCHANT = "Sandbox Merchant"
BALANCE = "HDCHJSS"


def payid_object(payment: Payment, _: SandboxSettings) -> Json:
    """Return the PayID object of replies and callbacks: an integer id, strings for amounts, none of them paid."""
    amounts = {"amount": payment.amount_minor, "total": payment.total_minor, "gst_amount": payment.gst_minor}
    return {
        "id": payment.number,
        "balance_id": BALANCE,
        "name": payment.name,
        "request_payid": payment.pay_id,
        "merchant_name": MERCHANT,
        "gst": payment.gst,
        **{key: str(major_of(minor, payment.currency)) for key, minor in amounts.items()},
        "expired_at": in_whole_seconds(payment.expires_at),
        "external_id": payment.external_id,
        "cashback_amount": "0.0",
        "pay_by": in_whole_seconds(payment.pay_by),
        "paid_at": in_whole_seconds(payment.paid_at) or None,
        "status": payment.status,
        "description": payment.description,
        "nonce": payment.nonce,
        "stage": payment.stage if payment.status == "pending" else None,
        "refund_information": _refund_information(payment),
        "sender_details": _sender_details(payment),
    }


def link_created(payment: Payment) -> Json:
    """Return the gateway's create reply: neither a status nor an amount."""
    url = (payment.pay_code or {})["redirect_url"]
    return {"redirect_url": url, "payment_id": payment.number, "order_id": payment.external_id}


def gateway_webhook(payment: Payment, _: SandboxSettings) -> Json:
    """Return the gateway's callback; nobody documents it, this is what a public integrator expects."""
    return {"payment_id": payment.number, "order_id": payment.external_id, "status": payment.status}


def _refund_information(payment: Payment) -> Json | None:
    returned_minor = payment.refunding_minor + payment.refunded_minor
    if not returned_minor:
        return None
    return {
        "refund_payid": "payer@sandbox.example",
        "refund_amount": major_of(returned_minor, payment.currency),
        "request_date": in_whole_seconds(payment.refund_asked_at),
        "reason": payment.refund_reason,
    }


def _sender_details(payment: Payment) -> Json | None:
    if not payment.paid_minor:
        return None
    return {
        "reference": payment.uuid,
        "description": f"Payment from {payment.name}",
        "bsb": "012345",
        "account_number": "0087654321",
        "account_name": payment.name,
    }
