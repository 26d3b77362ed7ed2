"""A charge as the model provider keeps it, and the bodies in which its endpoints and webhooks tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PLACES = {"JPY": 0}  # minor units of all other currencies here: 2
OPEN = frozenset({"pending", "authorised"})
PAID = frozenset({"waiting", "received"})


@dataclass(kw_only=True, slots=True)
class Refund:
    """Money on its way back."""

    amount: int
    note: str
    state: str = "running"  # running | returned | fell through


@dataclass(kw_only=True, slots=True)
class Charge:
    """What was created once at the provider. Amounts are minor units."""

    flow: str
    reference: str
    intent: str  # merchant/intent_id, as its webhook's address says
    external_id: str
    attempt: int
    merchant: str
    currency: str
    amount: int
    total: int
    hook: tuple[str, str]  # address, Authorization
    created_s: float
    expires_s: float | None = None
    status: str = "pending"
    stage: str | None = None
    pay_code: dict[str, str] | None = None
    paid: int = 0
    refunds: list[Refund] = field(default_factory=list)
    has_been: list[str] = field(default_factory=list)
    pushes: bool = False  # the payer hears of it without us
    captures: int = 0
    seen: list[tuple[float, dict[str, Any]]] = field(default_factory=list)  # what reads show, from when on

    @property
    def returned(self) -> int:
        """What went back to the payer."""
        return sum(refund.amount for refund in self.refunds if refund.state == "returned")

    @property
    def running(self) -> Refund | None:
        """The refund that is on its way."""
        return next((refund for refund in self.refunds if refund.state == "running"), None)


def body_of(charge: Charge, *, with_stage: bool = False) -> dict[str, Any]:
    """The charge as JSON says it."""
    return _BODIES[charge.flow](charge, with_stage)


def major(amount: int, currency: str) -> str:
    """The amount in major units, with the tail that the provider likes."""
    whole, rest = divmod(amount, 10 ** PLACES.get(currency, 2))
    return f"{whole}.{rest:02}" if rest else f"{whole}.0"


def moment(seconds: float) -> str:
    """A time as the provider writes it."""
    return datetime.fromtimestamp(int(seconds), tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _card(charge: Charge, _: bool) -> dict[str, Any]:
    information = None
    if charge.refunds:
        refunded = charge.returned or charge.refunds[-1].amount
        information = {
            "total_amount": major(charge.total, charge.currency),
            "refund_amount": major(refunded, charge.currency),
        }
    return {
        "uuid": charge.reference,
        "external_id": charge.external_id,
        "status": charge.status,
        "pay_code": charge.pay_code,
        "currency": charge.currency,
        "amount": major(charge.amount, charge.currency),
        "total": major(charge.total, charge.currency),
        "paid_amount": major(charge.paid, charge.currency),
        "refund_information": information,
        "created_at": moment(charge.created_s),
    }


def _payin(charge: Charge, with_stage: bool) -> dict[str, Any]:
    body = {
        "uuid": charge.reference,
        "external_id": charge.external_id,
        "status": charge.status,
        "pay_code": charge.pay_code or {},
        "currency": charge.currency,
        "amount": major(charge.amount, charge.currency),
        "total": major(charge.total, charge.currency),
        "paid_amount": major(charge.paid, charge.currency),
        "is_refundable": True,
        "expired_at": moment(charge.expires_s) if charge.expires_s else None,
        "created_at": moment(charge.created_s),
    }
    return body | {"stage": charge.stage} if with_stage else body


def _payid(charge: Charge, _: bool) -> dict[str, Any]:
    return {
        "id": int(charge.reference),
        "external_id": charge.external_id,
        "request_payid": f"{charge.reference}@payid.example.com.au",
        "amount": major(charge.amount, charge.currency),
        "total": major(charge.total, charge.currency),
        "status": charge.status,
        "stage": charge.stage,
        "expired_at": moment(charge.expires_s) if charge.expires_s else None,
        "refund_information": {"refund_amount": major(charge.returned, charge.currency)} if charge.returned else None,
    }


def _gateway(charge: Charge, _: bool) -> dict[str, Any]:
    return {"payment_id": int(charge.reference), "order_id": charge.external_id, "status": charge.status}


_BODIES: dict[str, Callable[[Charge, bool], dict[str, Any]]] = {
    "card": _card,
    "payin": _payin,
    "payid": _payid,
    "gateway_link": _gateway,
}
