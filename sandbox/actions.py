"""What the control API can let happen to a payment, by name."""

from collections.abc import Callable, Mapping

from sandbox import deeds, receipts, refunds
from sandbox.money import decimal_of, minor_of
from sandbox.payments import Payment
from sandbox.provider import Provider
from sandbox.replies import Json, RefusalError

Action = Callable[[Provider, Payment, Json], None]


def _receive(deed: Callable[..., None]) -> Action:
    return lambda provider, payment, body: deed(provider, payment, amount_minor=_amount_minor(body, payment))


def _confirm_otp(provider: Provider, payment: Payment, body: Json) -> None:
    deeds.confirm_otp(provider, payment, str(body.get("code", "123456")))


def _refund(provider: Provider, payment: Payment, body: Json) -> None:
    reason = str(body.get("reason", "by the sandbox"))
    refunds.request_refund(provider, payment, amount_minor=_amount_minor(body, payment), reason=reason)


def _plain(deed: Callable[[Provider, Payment], None]) -> Action:
    return lambda provider, payment, _: deed(provider, payment)


ACTIONS: Mapping[str, Action] = {
    "pay": _receive(receipts.pay),
    "underpay": _receive(receipts.underpay),
    "overpay": _receive(receipts.overpay),
    "unmatched_nonce": _plain(receipts.unmatched_nonce),
    "complete": _plain(receipts.complete),
    "decline": _plain(deeds.decline),
    "confirm_otp": _confirm_otp,
    "abandon": _plain(deeds.abandon),
    "expire": _plain(deeds.expire),
    "settle": _plain(deeds.settle),
    "deliver_pay_code": _plain(deeds.deliver_pay_code),
    "dispute": _plain(deeds.dispute),
    "win_dispute": _plain(deeds.win_dispute),
    "lose_dispute": _plain(deeds.lose_dispute),
    "refund": _refund,
    "finish_refund": _plain(refunds.finish_refund),
    "reject_refund": _plain(refunds.reject_refund),
    "expire_refund": _plain(refunds.expire_refund),
    "cancel_refund": _plain(refunds.cancel_refund),
}


def _amount_minor(body: Json, payment: Payment) -> int | None:
    """Read an optional `amount` in major units, whatever the flow."""
    amount = decimal_of(body.get("amount"))
    if body.get("amount") is None:
        return None
    minor = None if amount is None or amount <= 0 else minor_of(amount, payment.currency)
    if minor is None:
        raise RefusalError(422, {"amount": "is invalid"})
    return minor
