"""Money that comes in: in full, in parts, too much, too late, or with a wrong reference."""

from collections.abc import Callable, Mapping

from sandbox.deeds import authorise, settle_later
from sandbox.payments import IllegalMoveError, Payment
from sandbox.provider import Provider
from sandbox.replies import unprocessable

PAYABLE = frozenset({"pending", "expired", "failed"})  # money may come late
PAID = frozenset({"waiting", "received"})


def pay(provider: Provider, payment: Payment, *, amount_minor: int | None = None) -> None:
    """Let the customer pay what is due or `amount_minor`; a card passes 3-D Secure and is only authorised.

    A payin is received at once or waits `payin_settle_s`. A PayID which holds another amount than its total
    stays pending with a stage that says so. Raises IllegalMoveError.
    """
    if payment.flow == "card":
        authorise(provider, payment)
        return
    if payment.status not in PAYABLE:
        raise IllegalMoveError(payment.status, "paid")
    PAYERS[payment.flow](provider, payment, payment.due_minor if amount_minor is None else amount_minor)


def underpay(provider: Provider, payment: Payment, *, amount_minor: int | None = None) -> None:
    """Let less come than is due, by default half of it."""
    _refuse_card(payment, "underpaid")
    wanted_minor = payment.due_minor // 2 if amount_minor is None else amount_minor
    if not 0 < wanted_minor < payment.due_minor:
        raise unprocessable(amount="is not less than what is due")
    pay(provider, payment, amount_minor=wanted_minor)


def overpay(provider: Provider, payment: Payment, *, amount_minor: int | None = None) -> None:
    """Let more come than is due, by default a tenth more."""
    _refuse_card(payment, "overpaid")
    wanted_minor = payment.due_minor + max(payment.due_minor // 10, 1) if amount_minor is None else amount_minor
    if wanted_minor <= payment.due_minor:
        raise unprocessable(amount="is not more than what is due")
    pay(provider, payment, amount_minor=wanted_minor)


def unmatched_nonce(provider: Provider, payment: Payment) -> None:
    """Let the full amount come to a PayID with a reference that does not fit."""
    if payment.flow != "payid" or payment.status != "pending" or payment.stage is not None:
        raise IllegalMoveError(payment.status, "unmatched")
    due_minor = payment.due_minor
    _take(provider, payment, due_minor)
    payment.stage = "unmatched_nonce"
    provider.done("pay", payment, amount_minor=due_minor)


def complete(provider: Provider, payment: Payment) -> None:
    """Let the rest come; where nothing is lacking, let the provider's staff accept a PayID's money as it is."""
    if payment.flow == "payid":
        _complete_payid(provider, payment)
        return
    due_minor = payment.due_minor
    if payment.status not in PAID or due_minor <= 0:
        raise IllegalMoveError(payment.status, "completed")
    _take(provider, payment, due_minor)
    provider.done("pay", payment, amount_minor=due_minor)


def _pay_payin(provider: Provider, payment: Payment, amount_minor: int) -> None:
    if payment.stage == "authorize_otp":
        raise IllegalMoveError("without its one-time code", "paid")
    settle_s = provider.settings.payin_settle_s
    payment.move("waiting" if settle_s else "received")
    _take(provider, payment, amount_minor)
    provider.done("pay", payment, amount_minor=amount_minor)
    if settle_s:
        settle_later(provider, payment, settle_s)


def _pay_link(provider: Provider, payment: Payment, amount_minor: int) -> None:
    payment.move("received")
    _take(provider, payment, amount_minor)
    provider.done("pay", payment, amount_minor=amount_minor)


def _pay_payid(provider: Provider, payment: Payment, amount_minor: int) -> None:
    if payment.status == "pending" and payment.stage not in {None, "underpaid"}:
        raise IllegalMoveError(str(payment.stage), "paid again")
    _take(provider, payment, amount_minor)
    if payment.status == "pending" and payment.due_minor:
        payment.stage = "underpaid" if payment.due_minor > 0 else "overpaid"
    else:
        payment.move("received")
        payment.stage = None
    provider.done("pay", payment, amount_minor=amount_minor)


def _complete_payid(provider: Provider, payment: Payment) -> None:
    if payment.status != "pending" or payment.stage is None:
        raise IllegalMoveError(payment.status, "completed")
    if payment.due_minor > 0:
        _pay_payid(provider, payment, payment.due_minor)
        return
    payment.move("received")
    payment.stage = None
    provider.done("accept", payment, amount_minor=payment.paid_minor)


def _take(provider: Provider, payment: Payment, amount_minor: int) -> None:
    payment.paid_minor += amount_minor
    payment.paid_at = provider.clock.now()


def _refuse_card(payment: Payment, wanted: str) -> None:
    if payment.flow == "card":
        raise IllegalMoveError("of a card", wanted)


PAYERS: Mapping[str, Callable[[Provider, Payment, int], None]] = {
    "payin": _pay_payin,
    "payid": _pay_payid,
    "gateway_link": _pay_link,
}
