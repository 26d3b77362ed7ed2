"""What can be done to a payment now, for the buttons of the pages; a table beside `actions`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.money import major_of
from sandbox.payments import Payment

Options = Callable[[Payment], Mapping[str, str]]
MONEY_FLOWS = frozenset({"payin", "payid", "gateway_link"})
ALL = MONEY_FLOWS | {"card"}
PENDING = frozenset({"pending"})
PAID = frozenset({"waiting", "received"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A button: what it is called, which action it plays, who presses it and when it makes sense."""

    action: str
    label: str
    player: str
    flows: frozenset[str]
    statuses: frozenset[str]
    fits: Callable[[Payment], bool] = lambda _: True
    options: Options = field(default=lambda _: {})


def offers_for(payment: Payment, *, player: str = "") -> list[Offer]:
    """Return what can be done to the payment, by everybody or by one player."""
    return [
        offer
        for offer in OFFERS
        if payment.flow in offer.flows
        and payment.status in offer.statuses
        and player in {"", offer.player}
        and offer.fits(payment)
    ]


def _customer(action: str, label: str, flows: frozenset[str], fits: Callable[[Payment], bool]) -> Offer:
    return Offer(action=action, label=label, player="customer", flows=flows, statuses=PENDING, fits=fits)


def _provider(action: str, label: str, flows: frozenset[str], *statuses: str) -> Offer:
    return Offer(action=action, label=label, player="provider", flows=flows, statuses=frozenset(statuses))


def _payable(payment: Payment) -> bool:
    return payment.stage not in {"authorize_otp", "overpaid", "unmatched_nonce"}


def _untouched(payment: Payment) -> bool:
    return _payable(payment) and not payment.paid_minor


def _always(_: Payment) -> bool:
    return True


def _half(payment: Payment) -> Mapping[str, str]:
    return {"amount": str(major_of(payment.left_minor // 2, payment.currency))}


CARD = frozenset({"card"})
PAYIN = frozenset({"payin"})
PAYID = frozenset({"payid"})
REFUNDABLE = PAID | {"partially_refunded", "return_received", "return_rejected", "return_expired"}
RUNNING = ("return_pending",)

OFFERS: tuple[Offer, ...] = (
    _customer("pay", "Approve", CARD, _always),
    _customer("pay", "Pay", MONEY_FLOWS, _untouched),
    _customer("complete", "Pay the rest", PAYID, lambda payment: payment.stage == "underpaid"),
    _customer("confirm_otp", "Enter the code", PAYIN, lambda payment: payment.stage == "authorize_otp"),
    _customer("underpay", "Pay half", MONEY_FLOWS, lambda payment: _untouched(payment) and payment.due_minor > 1),
    _customer("overpay", "Pay too much", MONEY_FLOWS, _untouched),
    _customer("unmatched_nonce", "Pay with a wrong reference", PAYID, _untouched),
    _customer("decline", "Decline", ALL - PAYID, _always),
    _customer("abandon", "Walk away", ALL, _always),
    Offer(
        action="pay",
        label="Pay late",
        player="customer",
        flows=MONEY_FLOWS,
        statuses=frozenset({"expired", "failed"}),
        fits=lambda payment: _payable(payment) and payment.due_minor > 0,
    ),
    Offer(
        action="complete",
        label="Pay the rest",
        player="customer",
        flows=MONEY_FLOWS - PAYID,
        statuses=PAID,
        fits=lambda payment: payment.due_minor > 0,
    ),
    Offer(
        action="complete",
        label="Accept as it is",
        player="provider",
        flows=PAYID,
        statuses=PENDING,
        fits=lambda payment: payment.stage in {"overpaid", "unmatched_nonce"},
    ),
    Offer(
        action="deliver_pay_code",
        label="Deliver pay code",
        player="provider",
        flows=PAYIN,
        statuses=PENDING,
        fits=lambda payment: payment.pay_code is None,
    ),
    _provider("settle", "Settle", CARD | PAYIN, "waiting"),
    _provider("expire", "Expire", ALL, "pending", "authorised"),
    _provider("dispute", "Dispute", CARD, "waiting", "received", "partially_refunded"),
    _provider("win_dispute", "Merchant wins", CARD, "in_dispute"),
    _provider("lose_dispute", "Merchant loses", CARD, "in_dispute"),
    Offer(
        action="refund",
        label="Refund all",
        player="provider",
        flows=ALL,
        statuses=REFUNDABLE,
        fits=lambda payment: payment.left_minor > 0,
    ),
    Offer(
        action="refund",
        label="Refund half",
        player="provider",
        flows=ALL,
        statuses=REFUNDABLE,
        fits=lambda payment: payment.left_minor > 1,
        options=_half,
    ),
    _provider("finish_refund", "Finish refund", ALL, *RUNNING),
    _provider("reject_refund", "Reject refund", ALL, *RUNNING),
    _provider("expire_refund", "Let refund lapse", ALL, *RUNNING),
    _provider("cancel_refund", "Cancel refund", ALL, *RUNNING, "return_rejected", "return_expired"),
)
