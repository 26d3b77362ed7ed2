"""What customers, banks and time do to a payment; IllegalMoveError where its status forbids it."""

from functools import partial

from sandbox import pay_codes
from sandbox.methods import METHODS
from sandbox.money import major_of
from sandbox.payments import IllegalMoveError, Payment
from sandbox.provider import Provider
from sandbox.replies import unprocessable

WRONG_CODE = "000000"
DECLINED = {"error_code": "issuer_declined", "error_message": "The card was declined by its issuer."}


def authorise(provider: Provider, payment: Payment) -> None:
    """Let the card's holder pass 3-D Secure; the money stays reserved until it is captured or a week is over."""
    payment.move("authorised")
    provider.done("authorise", payment)
    expire_later(provider, payment, "authorised", provider.settings.authorisation_s)


def capture(provider: Provider, payment: Payment) -> None:
    """Take the whole authorised amount, once; refuses anything else with 422."""
    if payment.status != "authorised" or payment.captured:
        raise unprocessable(message="Payment cannot be captured.")
    payment.move("waiting")
    payment.captured, payment.paid_minor, payment.paid_at = True, payment.total_minor, provider.clock.now()
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
    """Let the payment fail; a card tells why in its pay code. A PayID cannot fail: it has no such status."""
    if payment.flow == "payid":
        raise IllegalMoveError(payment.status, "failed")
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


def expire_later(provider: Provider, payment: Payment, status: str, delay_s: float) -> None:
    """Let the payment expire after `delay_s` sandbox seconds, if its status is still `status` then."""
    provider.schedule.after(delay_s, partial(_expiry_due, provider, payment, status))


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
    return pay_codes.MAKERS[_way_to_pay(payment)](
        pay_codes.Invoice(
            uuid=payment.uuid,
            currency=payment.currency,
            total=str(major_of(payment.total_minor, payment.currency)),
            expires_at=payment.expires_at,
            public_url=provider.settings.public_url,
            token=payment.link_token,
        )
    )


def _way_to_pay(payment: Payment) -> str:
    return {"card": "three_ds", "gateway_link": "checkout"}.get(payment.flow) or METHODS[payment.method].pays_by


def _decide(provider: Provider, payment: Payment, status: str, kind: str) -> None:
    if payment.status != "in_dispute":
        raise IllegalMoveError(payment.status, status)
    payment.move(status)
    provider.done(kind, payment)


async def _settlement_due(provider: Provider, payment: Payment) -> None:
    if payment.status == "waiting":
        settle(provider, payment)


async def _expiry_due(provider: Provider, payment: Payment, status: str) -> None:
    if payment.status == status:
        expire(provider, payment)
