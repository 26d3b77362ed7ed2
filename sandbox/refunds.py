"""Money on its way back; asking for it is one thing, its arrival another."""

from collections.abc import Callable
from functools import partial

from sandbox.payments import IllegalMoveError, Payment
from sandbox.provider import Provider
from sandbox.replies import unprocessable

SHORTEST_REASON = 5


def request_refund(provider: Provider, payment: Payment, *, amount_minor: int | None, reason: str) -> None:
    """Ask for a refund, by default of all that is left.

    It ends after `refund_s` sandbox seconds as the setting `refunds` says, at the latest it lapses after
    `refund_expiry_s`; with `hang` it waits for that, as where the merchant's balance is too low, and with `refuse` it
    is refused for that reason at once.
    """
    if provider.settings.refunds == "refuse":
        raise unprocessable(message="Insufficient balance.")
    wanted_minor = payment.left_minor if amount_minor is None else amount_minor
    if not 0 < wanted_minor <= payment.left_minor:
        raise unprocessable(refund_amount="is more than what is left to refund")
    payment.move("return_pending")
    payment.refunds += 1
    payment.refund_asked_at = provider.clock.now()
    payment.refunding_minor, payment.refund_reason = wanted_minor, reason
    provider.done("refund", payment, amount_minor=wanted_minor)
    _end_later(provider, payment)


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


def _end_later(provider: Provider, payment: Payment) -> None:
    settings = provider.settings
    end = {"finish": finish_refund, "reject": reject_refund}.get(settings.refunds)
    if end is not None:
        provider.schedule.after(settings.refund_s, partial(_due, provider, payment, payment.refunds, end))
    provider.schedule.after(settings.refund_expiry_s, partial(_due, provider, payment, payment.refunds, expire_refund))


async def _due(provider: Provider, payment: Payment, count: int, end: Callable[[Provider, Payment], None]) -> None:
    """End the refund unless it has ended, also where another one of the same payment runs by now."""
    if payment.status == "return_pending" and payment.refunds == count:
        end(provider, payment)
