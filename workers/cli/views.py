"""Stored payments as the commands show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.codec import decode
from orchestrator.events import rfc3339, view_data
from orchestrator.payment import public_view
from workers.cli.screen import amount, masked_view, moment, printable, say, span

if TYPE_CHECKING:
    from orchestrator.payment import Payment
    from orchestrator.ports import Record

COLUMNS = ("payment", "flow", "status", "amount", "accepted", "since", "review")


def view_of(record: Record, *, show_action: bool = False) -> dict[str, Any]:
    """The public view (interface 2), when it was accepted and where its operations stand.

    Raises StoreCorruptError.
    """
    payment = decode(record.body)
    data = view_data(payment, public_view(payment), sequence=record.sequence)
    return {
        **masked_view(data, show_action=show_action),
        "accepted_at": rfc3339(payment.accepted_at_ms),
        "since": rfc3339(payment.since_ms),
        "operations": {
            name: {"state": str(operation.state), "attempt": operation.attempt}
            for name, operation in payment.operations.items()
        },
    }


def fields_of(view: dict[str, Any]) -> list[tuple[str, str]]:
    """The view as pairs for people; what is empty is left out."""
    currency = view["currency"]
    money = {name: amount(view[name], currency) for name in ("amount_minor", "total_minor", "paid_minor")}
    action = view["next_action"] or {}
    pairs = [
        ("payment", f"{view['merchant']}/{view['intent_id']}"),
        ("flow", view["flow"]),
        ("status", status_of(view)),
        ("since", view["since"]),
        ("accepted", view["accepted_at"]),
        ("expires", view["expires_at"] or ""),
        ("amount", money["amount_minor"]),
        ("total", money["total_minor"]),
        ("paid", money["paid_minor"]),
        ("refunded", amount(view["refunded_minor"], currency)),
        ("customer paid", "yes" if view["customer_paid"] else "no"),
        ("settled", "yes" if view["settled"] else "no"),
        *((f"action: {name}", str(value)) for name, value in action.items()),
        *((f"failure: {name}", str(value)) for name, value in (view["failure"] or {}).items()),
        ("review", ", ".join(view["review"])),
        ("provider's id", view["provider"]["reference"] or ""),
        ("provider says", " ".join(filter(None, (view["provider"]["status"], view["provider"]["stage"])))),
        *((f"operation: {name}", _operation(state)) for name, state in view["operations"].items()),
        *((f"metadata: {name}", str(value)) for name, value in view["metadata"].items()),
        ("events", str(view["sequence"])),
    ]
    return [(name, value) for name, value in pairs if value]


def say_fields(view: dict[str, Any]) -> None:
    """Show the pairs of a view, one a line."""
    fields = fields_of(view)
    width = max(len(printable(name)) for name, _ in fields)
    for name, value in fields:
        say(f"{printable(name).ljust(width)}  {value}")


def row_of(record: Record, *, now_ms: int) -> list[str]:
    """A line of COLUMNS; raises StoreCorruptError."""
    payment = decode(record.body)
    view = public_view(payment)
    return [
        str(payment.key),
        payment.flow,
        status_word(payment),
        amount(payment.amount_minor, payment.currency),
        moment(payment.accepted_at_ms),
        span(now_ms - payment.since_ms),
        ", ".join(view.review),
    ]


def status_word(payment: Payment) -> str:
    """The status that the world sees, with its reason."""
    view = public_view(payment)
    return f"{view.status}/{view.reason}" if view.reason else str(view.status)


def status_of(data: dict[str, Any]) -> str:
    """`processing/settling`, or the status alone."""
    return f"{data['status']}/{data['reason']}" if data.get("reason") else str(data["status"])


def _operation(state: dict[str, Any]) -> str:
    return state["state"] if state["attempt"] == 1 else f"{state['state']} (attempt {state['attempt']})"
