"""What the demo's tables are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Deed(StrEnum):
    """What somebody does at a step: the customer, the bank, the provider's staff, or the order service."""

    PAY = "pay"
    UNDERPAY = "underpay"
    OVERPAY = "overpay"
    COMPLETE = "complete"
    UNMATCHED = "unmatched_nonce"
    DECLINE = "decline"
    ABANDON = "abandon"
    DISPUTE = "dispute"
    WIN_DISPUTE = "win_dispute"
    LOSE_DISPUTE = "lose_dispute"
    REFUND = "refund"
    REFUND_SOME = "refund_some"
    FINISH_REFUND = "finish_refund"
    REJECT_REFUND = "reject_refund"
    CAPTURE = "capture"
    CANCEL = "cancel"
    ENTER_CODE = "enter_code"
    ENTER_WRONG_CODE = "enter_wrong_code"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """When an event says `on` (its status, reason, action, or a review) the deed is done, once."""

    on: str
    deed: Deed


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A kind of payment: its intent, what is done to it, and the ending that must be seen.

    `creates` and `captures` are how many the provider's ledger must hold of each payment. What was paid and what
    was returned are percents of the total: by the ledger, and where the provider tells us less, by the events.
    """

    name: str
    currency: str
    method: Mapping[str, Any]
    amount_minor: int = 10_000
    quoted_minor: int | None = None  # the intent names no amount: the provider's quote
    steps: tuple[Step, ...] = ()
    status: str = "succeeded"
    reason: str | None = None
    review: frozenset[str] = frozenset()
    count: int = 1
    creates: int = 1
    captures: int = 0
    paid_percent: int = 100
    heard_percent: int | None = None
    returned_percent: int = 0
    fields: Mapping[str, Any] = field(default_factory=dict)  # further ones of the intent
    expires_in_s: int | None = None
    fault: Mapping[str, Any] | None = None  # what goes wrong at the provider with this payment

    @property
    def flow(self) -> str:
        """The flow that the method selects."""
        chosen = (flow for name, flow in _SELECTED_BY.items() if name in self.method)
        return next(chosen, "payid")


_SELECTED_BY = {"token": "card", "payin_method_name": "payin", "success_url": "gateway_link"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One payment of the run."""

    intent_id: str
    scenario: Scenario
    intent: Mapping[str, Any] = field(repr=False)
    as_task: bool

    @property
    def total_minor(self) -> int:
        """What the customer is to pay: the amount or the quote, and the tax on it."""
        asked = self.intent.get("amount_minor", self.scenario.quoted_minor)
        return int(asked) * (11 if self.intent["method"].get("gst") else 10) // 10

    def share_minor(self, percent: int) -> int:
        """A part of the total; the demo's amounts leave no rest."""
        return self.total_minor * percent // 100
