"""The messages of one run, good and bad, made of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from workers.cli.demo_model import Order, Scenario
from workers.cli.demo_scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping

TASK_EVERY = 5  # each fifth payment goes in as a Celery task
CONFLICT = "intent_conflict"
# Everything that any flow asks for.
CUSTOMER = {
    "name": "Demo Customer",
    "first_name": "Demo",
    "last_name": "Customer",
    "email": "customer@shop.example",
    "phone": "+61400000000",
    "country_code": "AU",
    "postal_code": "2000",
    "city": "Sydney",
    "address": "1 Sample Street",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusable:
    """A bad message and the refusal it must meet; `changes` are laid over a good intent, None takes a field away."""

    name: str
    code: str
    field: str
    changes: Mapping[str, Any]


REFUSABLES = (
    Refusable(name="amount as a float", code="amount_not_integer", field="amount_minor", changes={"amount_minor": 1.5}),
    Refusable(name="misspelt field", code="unknown_field", field="ammount_minor", changes={"ammount_minor": 1250}),
    Refusable(name="no description", code="missing_field", field="description", changes={"description": None}),
    Refusable(
        name="card number in a text",
        code="card_number_refused",
        field="description",
        changes={"description": "card 4111 1111 1111 1111"},
    ),
    Refusable(name="no such currency", code="unknown_currency", field="currency", changes={"currency": "AUX"}),
    Refusable(
        name="address that the provider does not take",
        code="email_unsupported_by_provider",
        field="method.emails.0",
        changes={"currency": "AUD", "method": {"type": "payid", "emails": ["customer@shop.com.example"]}},
    ),
)


def orders(run: str, *, fast: bool, now: datetime | None = None) -> list[Order]:
    """The payments of a run, the scenarios mixed; `run` keeps their ids apart from those of other runs.

    A fast run has one of each scenario.
    """
    now = now or datetime.now(UTC)
    numbered = [(number, scenario) for scenario in SCENARIOS for number in range(1 if fast else scenario.count)]
    mixed = sorted(numbered, key=lambda pair: pair[0])
    return [
        Order(
            intent_id=f"demo-{run}-{place:03}",
            scenario=scenario,
            intent=_intent(f"demo-{run}-{place:03}", scenario, place, now),
            as_task=place % TASK_EVERY == 0,
        )
        for place, (_, scenario) in enumerate(mixed, start=1)
    ]


def bad_intents(run: str) -> list[tuple[Refusable, dict[str, Any]]]:
    """The bad messages of a run."""
    made = []
    for place, refusable in enumerate(REFUSABLES, start=1):
        good = _intent(f"demo-{run}-bad-{place}", SCENARIOS[0], place, datetime.now(UTC))
        changed = {**good, **refusable.changes}
        made.append((refusable, {name: value for name, value in changed.items() if value is not None}))
    return made


def conflicting(order: Order) -> dict[str, Any]:
    """Another payment under the id of one that is stored."""
    return {**order.intent, "description": f"{order.intent['description']}, once more"}


def _intent(intent_id: str, scenario: Scenario, place: int, now: datetime) -> dict[str, Any]:
    """Amounts differ, so that one taken for another would be seen; by 100, which every currency here allows."""
    intent: dict[str, Any] = {
        "intent_id": intent_id,
        "amount_minor": scenario.amount_minor + 100 * place,
        "currency": scenario.currency,
        "description": f"Order {place}: {scenario.name}",
        "customer": dict(CUSTOMER),
        "method": dict(scenario.method),
        "metadata": {"order": str(place)},
        **scenario.fields,
    }
    if scenario.quoted_minor is not None:
        del intent["amount_minor"]
    if scenario.expires_in_s is not None:
        deadline = now + timedelta(seconds=scenario.expires_in_s)
        intent["expires_at"] = deadline.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return intent
