"""Money on its way back; asking for it is one thing, its arrival another."""

from functools import partial

from sandbox.payments import IllegalMoveError, Payment
from sandbox.provider import Provider
from sandbox.replies import unprocessable

SHORTEST_REASON = 5


def request_refund(provider: Provider, payment: Payment, *, amount_minor: int | None, reason: str) -> None:
    """Ask for a refund, by default of all that is left; it ends after `refund_s` sandbox seconds."""
    left_minor = payment.paid_minor - payment.refunded_minor
    wanted_minor = left_minor if amount_minor is None else amount_minor
    if not 0 < wanted_minor <= left_minor:
        raise unprocessable(refund_amount="is more than what is left to refund")
    payment.move("return_pending")
    payment.refunding_minor, payment.refund_reason = wanted_minor, reason
    provider.done("refund", payment, amount_minor=wanted_minor)
    provider.schedule.after(provider.settings.refund_s, partial(_refund_due, provider, payment))


def checked_reason(reason: str) -> str:
    """Return the reason; refuses one that is too short."""
    if len(reason) < SHORTEST_REASON:
        raise unprocessable(reason="can't be blank" if not reason else "is too short (minimum is 5 characters)")
    return reason


def finish_refund(provider: Provider, payment: Payment) -> None:
    """Let the money reach the payer; a partly refunded payin is `return_received` all the same."""
    returned_minor = _running(payment)
    partial_card = payment.flow == "card" and payment.refunded_minor + returned_minor < payment.paid_minor
    payment.move("partially_refunded" if partial_card else "return_received")
    payment.refunded_minor += returned_minor
    payment.refunding_minor = 0
    provider.done("refund_done", payment, amount_minor=returned_minor)


def reject_refund(provider: Provider, payment: Payment) -> None:
    """Let the refund fail at the payer's bank."""
    _end_without_money(provider, payment, "return_rejected")


def expire_refund(provider: Provider, payment: Payment) -> None:
    """Let the refund request lapse."""
    _end_without_money(provider, payment, "return_expired")


def cancel_refund(provider: Provider, payment: Payment) -> None:
    """Let the payment be received as before, whether the refund runs or has failed."""
    if payment.status not in {"return_pending", "return_rejected", "return_expired"}:
        raise IllegalMoveError(payment.status, "free of a refund")
    payment.move("received")
    payment.refunding_minor = 0
    provider.done("cancel_refund", payment)


def _end_without_money(provider: Provider, payment: Payment, status: str) -> None:
    wanted_minor = _running(payment)
    payment.move(status)
    payment.refunding_minor = 0
    provider.done(status, payment, amount_minor=wanted_minor)


def _running(payment: Payment) -> int:
    if payment.status != "return_pending":
        raise IllegalMoveError(payment.status, "a finished refund")
    return payment.refunding_minor


async def _refund_due(provider: Provider, payment: Payment) -> None:
    if payment.status == "return_pending":
        finish_refund(provider, payment)
