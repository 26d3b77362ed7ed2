"""What customers, banks and time do to a payment; IllegalMoveError where its status forbids it."""

from functools import partial

from sandbox import pay_codes
from sandbox.methods import METHODS
from sandbox.money import major_of
from sandbox.payments import IllegalMoveError, Payment
from sandbox.provider import Provider
from sandbox.replies import unprocessable

PAYABLE = frozenset({"pending", "expired", "failed"})  # money may come late
WRONG_CODE = "000000"
DECLINED = {"error_code": "issuer_declined", "error_message": "The card was declined by its issuer."}


def pay(provider: Provider, payment: Payment, *, amount_minor: int | None = None) -> None:
    """Let the customer pay a payin, or pass the card's 3-D Secure check.

    A payin is received at once or waits `payin_settle_s`; a card payment is only authorised.
    """
    if payment.flow == "card":
        payment.move("authorised")
        provider.done("authorise", payment)
        return
    if payment.stage == "authorize_otp":
        raise IllegalMoveError("without its one-time code", "paid")
    if payment.status not in PAYABLE:
        raise IllegalMoveError(payment.status, "paid")
    settle_s = provider.settings.payin_settle_s
    payment.move("waiting" if settle_s else "received")
    payment.paid_minor = payment.total_minor if amount_minor is None else amount_minor
    provider.done("pay", payment, amount_minor=payment.paid_minor)
    if settle_s:
        settle_later(provider, payment, settle_s)


def capture(provider: Provider, payment: Payment) -> None:
    """Take the whole authorised amount, once; refuses anything else with 422."""
    if payment.status != "authorised" or payment.captured:
        raise unprocessable(message="Payment cannot be captured.")
    payment.move("waiting")
    payment.captured, payment.paid_minor = True, payment.total_minor
    provider.done("capture", payment)
    settle_later(provider, payment, provider.settings.settle_s)


def settle(provider: Provider, payment: Payment) -> None:
    """Let the money arrive in the merchant's available balance."""
    if payment.status != "waiting":
        raise IllegalMoveError(payment.status, "settled")
    payment.move("received")
    provider.done("settle", payment)


def settle_later(provider: Provider, payment: Payment, delay_s: float) -> None:
    """Settle after `delay_s` sandbox seconds, if it still waits then."""
    provider.schedule.after(delay_s, partial(_settlement_due, provider, payment))


def decline(provider: Provider, payment: Payment) -> None:
    """Let the payment fail; a card tells why in its pay code."""
    payment.move("failed")
    if payment.flow == "card":
        payment.pay_code = dict(DECLINED)
    provider.done("decline", payment)


def abandon(provider: Provider, payment: Payment) -> None:
    """Let the customer walk away: nothing changes until it expires."""
    if payment.status != "pending":
        raise IllegalMoveError(payment.status, "abandoned")
    provider.done("abandon", payment, announce=False)


def expire(provider: Provider, payment: Payment) -> None:
    """Let the time to pay run out now."""
    payment.move("expired")
    provider.done("expire", payment)


def deliver_pay_code(provider: Provider, payment: Payment) -> None:
    """Make the late pay code and announce it, whatever statuses are announced."""
    if payment.flow != "payin" or payment.status != "pending":
        raise IllegalMoveError(payment.status, "given a pay code")
    payment.pay_code = make_pay_code(provider, payment)
    provider.done("pay_code", payment, announce=True)


def confirm_otp(provider: Provider, payment: Payment, code: str) -> None:
    """Accept the customer's one-time code; then the phone asks for the confirmation."""
    if payment.stage != "authorize_otp" or payment.status != "pending":
        raise unprocessable(message="This payment does not wait for a code.")
    if not code or code == WRONG_CODE:
        raise unprocessable(message="Invalid OTP.")
    payment.stage = "authorize_stk"
    provider.done("confirm_otp", payment, announce=False)


def dispute(provider: Provider, payment: Payment) -> None:
    """Let the card's holder dispute the payment."""
    payment.move("in_dispute")
    provider.done("dispute", payment)


def win_dispute(provider: Provider, payment: Payment) -> None:
    """Decide the dispute for the merchant."""
    _decide(provider, payment, "received", "win_dispute")


def lose_dispute(provider: Provider, payment: Payment) -> None:
    """Decide the dispute for the card's holder."""
    _decide(provider, payment, "dispute_lost", "lose_dispute")


def make_pay_code(provider: Provider, payment: Payment) -> pay_codes.PayCode:
    """Make what the customer needs in order to pay this payment."""
    maker = pay_codes.MAKERS["three_ds" if payment.flow == "card" else METHODS[payment.method].pays_by]
    return maker(
        pay_codes.Invoice(
            uuid=payment.uuid,
            currency=payment.currency,
            total=str(major_of(payment.total_minor, payment.currency)),
            expires_at=payment.expires_at,
            public_url=provider.settings.public_url,
        )
    )


def _decide(provider: Provider, payment: Payment, status: str, kind: str) -> None:
    if payment.status != "in_dispute":
        raise IllegalMoveError(payment.status, status)
    payment.move(status)
    provider.done(kind, payment)


async def _settlement_due(provider: Provider, payment: Payment) -> None:
    if payment.status == "waiting":
        settle(provider, payment)
