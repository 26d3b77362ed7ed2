"""What the demo submits and how each of it must end, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Deed(StrEnum):
    """What the customer does when the event asks for something."""

    NOTHING = "nothing"
    PAY = "pay"
    DECLINE = "decline"
    ABANDON = "abandon"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A kind of payment: its intent, the customer's deed, and the ending that must be seen.

    `creates` and `captures` are how many the provider's ledger must hold of each payment.
    """

    name: str
    count: int
    fast_count: int
    amount_minor: int
    currency: str
    method: Mapping[str, Any]
    deed: Deed
    status: str
    reason: str | None = None
    creates: int = 1
    captures: int = 0

    @property
    def flow(self) -> str:
        """The flow that the method selects."""
        return "card" if "token" in self.method else "payin"

    @property
    def is_paid(self) -> bool:
        """Whether money must have moved at the end."""
        return self.status == "succeeded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusable:
    """A bad message and the refusal it must meet; `changes` are laid over a good intent, None takes a field away."""

    name: str
    code: str
    field: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One payment of the run."""

    intent_id: str
    scenario: Scenario
    intent: Mapping[str, Any] = field(repr=False)
    as_task: bool


def _payin(method_name: str, **params: str) -> dict[str, Any]:
    return {"payin_method_name": method_name, "payin_method_params": params}


def _card(token: str) -> dict[str, Any]:
    return {"token": token, "return_url": "https://shop.example/thanks"}


_JAPANESE = {"user_id": "u-1", "ip_address": "192.0.2.1", "first_name": "Aiko", "last_name": "Mori"}
_DANA = _payin("id_ewallet_dana_idr", callback_url="https://shop.example/thanks")

SCENARIOS = (
    Scenario(
        name="payin by redirect, paid",
        count=5,
        fast_count=1,
        amount_minor=125_050,
        currency="PHP",
        method=_payin("ph_ewallet_gcash_php"),
        deed=Deed.PAY,
        status="succeeded",
    ),
    Scenario(
        name="payin by QR, paid",
        count=5,
        fast_count=1,
        amount_minor=250_000,
        currency="VND",
        method=_payin("vn_other_vietqr_vnd"),
        deed=Deed.PAY,
        status="succeeded",
    ),
    Scenario(
        name="payin by bank details, paid",
        count=4,
        fast_count=1,
        amount_minor=1_999_900,
        currency="NGN",
        method=_payin("ng_bank_ngn"),
        deed=Deed.PAY,
        status="succeeded",
    ),
    Scenario(
        name="payin, late pay code, paid",
        count=3,
        fast_count=1,
        amount_minor=5_000,
        currency="JPY",
        method=_payin("jp_bank_jpy", **_JAPANESE),
        deed=Deed.PAY,
        status="succeeded",
    ),
    Scenario(
        name="payin, abandoned",
        count=3,
        fast_count=1,
        amount_minor=7_500_000,
        currency="IDR",
        method=_DANA,
        deed=Deed.ABANDON,
        status="expired",
        reason="provider",
    ),
    Scenario(
        name="payin, declined",
        count=3,
        fast_count=1,
        amount_minor=88_800,
        currency="PHP",
        method=_payin("ph_bank_maya_php"),
        deed=Deed.DECLINE,
        status="failed",
    ),
    Scenario(
        name="card with 3DS, paid",
        count=6,
        fast_count=2,
        amount_minor=10_000,
        currency="AUD",
        method=_card("tok_visa"),
        deed=Deed.PAY,
        status="succeeded",
        captures=1,
    ),
    Scenario(
        name="card without 3DS, paid",
        count=5,
        fast_count=1,
        amount_minor=4_995,
        currency="AUD",
        method=_card("tok_no3ds"),
        deed=Deed.NOTHING,
        status="succeeded",
        captures=1,
    ),
    Scenario(
        name="card, declined by bank",
        count=3,
        fast_count=1,
        amount_minor=12_300,
        currency="AUD",
        method=_card("tok_decline"),
        deed=Deed.NOTHING,
        status="failed",
    ),
    Scenario(
        name="card with 3DS, abandoned",
        count=3,
        fast_count=1,
        amount_minor=6_700,
        currency="AUD",
        method=_card("tok_visa"),
        deed=Deed.ABANDON,
        status="expired",
        reason="provider",
    ),
    Scenario(
        name="card, unknown token",
        count=2,
        fast_count=1,
        amount_minor=900,
        currency="AUD",
        method=_card("tok_unknown"),
        deed=Deed.NOTHING,
        status="failed",
        creates=0,
    ),
)

REFUSABLES = (
    Refusable(
        name="amount as a float",
        code="amount_not_integer",
        field="amount_minor",
        changes={"amount_minor": 12.5},
    ),
    Refusable(name="misspelt field", code="unknown_field", field="ammount_minor", changes={"ammount_minor": 1250}),
    Refusable(name="no description", code="missing_field", field="description", changes={"description": None}),
    Refusable(
        name="card number in a text",
        code="card_number_refused",
        field="description",
        changes={"description": "card 4111 1111 1111 1111"},
    ),
    Refusable(name="no such currency", code="unknown_currency", field="currency", changes={"currency": "AUX"}),
)
CONFLICT = "intent_conflict"
TASK_EVERY = 5  # each fifth payment goes in as a Celery task


def orders(run: str, *, fast: bool) -> list[Order]:
    """The payments of a run, the scenarios mixed; `run` keeps their ids apart from those of other runs."""
    numbered = [
        (number, scenario)
        for scenario in SCENARIOS
        for number in range(scenario.fast_count if fast else scenario.count)
    ]
    mixed = sorted(numbered, key=lambda pair: pair[0])
    return [_order(f"demo-{run}-{place:03}", scenario, place) for place, (_, scenario) in enumerate(mixed, start=1)]


def bad_intents(run: str) -> list[tuple[Refusable, dict[str, Any]]]:
    """The bad messages of a run."""
    good = SCENARIOS[0]
    return [
        (
            refusable,
            {
                name: value
                for name, value in {**_intent(f"demo-{run}-bad-{place}", good, place), **refusable.changes}.items()
                if value is not None
            },
        )
        for place, refusable in enumerate(REFUSABLES, start=1)
    ]


def conflicting(order: Order) -> dict[str, Any]:
    """Another payment under the id of one that is stored."""
    return {**order.intent, "amount_minor": order.intent["amount_minor"] + 100}


def _order(intent_id: str, scenario: Scenario, place: int) -> Order:
    return Order(
        intent_id=intent_id,
        scenario=scenario,
        intent=_intent(intent_id, scenario, place),
        as_task=place % TASK_EVERY == 0,
    )


def _intent(intent_id: str, scenario: Scenario, place: int) -> dict[str, Any]:
    """Amounts differ, so that one taken for another would be seen; by 100, which every currency here allows."""
    return {
        "intent_id": intent_id,
        "amount_minor": scenario.amount_minor + 100 * place,
        "currency": scenario.currency,
        "description": f"Order {place}: {scenario.name}",
        "customer": {"name": "Demo Customer", "email": "customer@shop.example"},
        "method": dict(scenario.method),
        "metadata": {"order": str(place)},
    }
