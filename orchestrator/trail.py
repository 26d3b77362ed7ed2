"""The events of one payment against what is stored of it: what of I3, I4, I7 and I8 can be told from them. Pure."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from orchestrator.card_numbers import find_card_number
from orchestrator.course import DERIVED, reachable
from orchestrator.events import view_data
from orchestrator.payment import public_view
from orchestrator.statuses import Reason, Status, stage_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.payment import Payment
    from orchestrator.statuses import Stage

Event = dict[str, Any]  # a CloudEvent as parsed
Finding = tuple[str, str]  # the invariant, a sentence

VIEW_FIELDS = (
    "status",
    "reason",
    "next_action",
    "failure",
    "review",
    "customer_paid",
    "settled",
    "amount_minor",
    "total_minor",
    "paid_minor",
    "refunded_minor",
    "expires_at",
)
_FIXED_FIELDS = ("intent_id", "merchant", "flow", "currency", "metadata")
_AMOUNTS = ("amount_minor", "total_minor", "paid_minor", "refunded_minor")
_SECRET = re.compile(r"tok_[A-Za-z0-9]{6,}|po1\.[0-9a-f]{8}\.")
_MANY_DIGITS = re.compile(r"[0-9](?:[ -]*[0-9]){12}")
_UNREAD = frozenset({"next_action", "intent_id"})  # what the payer is to be shown, what the caller has named


def read_event(body: bytes) -> Event | None:
    """The status event in an entry of the log; None where it is none that can be judged."""
    try:
        event: Event = json.loads(body)
        data = event["data"]
        _stage_of(event)
        is_told = all(name in data for name in (*VIEW_FIELDS, *_FIXED_FIELDS, "previous_status"))
        is_numbered = type(data["sequence"]) is int and str(event["sequence"]).isdecimal()
        is_named = all(isinstance(name, str) for name in (event["id"], data["merchant"], data["intent_id"]))
        return event if is_told and is_numbered and is_named and "reference" in data["provider"] else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def broken_trail(
    payment: Payment, sequence: int, events: Sequence[Event], *, events_are_whole: bool = True
) -> Iterator[Finding]:
    """What is wrong with a payment's events, in log order, none twice; `sequence` is the one stored.

    Where the log was trimmed (`events_are_whole` False) the first of them may be missing, never one in between.
    """
    yield from _numbered(sequence, events, events_are_whole=events_are_whole)
    yield from _moves(events)
    for before, after in pairwise(events):
        yield from _linked(before["data"], after["data"])
    for event in events:
        yield from _event_alone(payment, event)
    if events and events[-1]["data"]["sequence"] == sequence:
        yield from told_otherwise(payment, events[-1])


def told_otherwise(payment: Payment, event: Event) -> Iterator[Finding]:
    """Where this event, the last one, does not tell the payment's public view."""
    told = event["data"]
    view = view_data(payment, public_view(payment), sequence=told["sequence"])
    if _view_of(told) == _view_of(view):
        return
    view = json.loads(json.dumps(view))  # as the event holds it
    differing = [name for name in VIEW_FIELDS if told[name] != view[name]]
    if told["provider"]["reference"] != view["provider"]["reference"]:
        differing.append("provider.reference")
    if differing:
        yield "I3", f"its last event tells another {', '.join(differing)} than what is stored"


def _numbered(sequence: int, events: Sequence[Event], *, events_are_whole: bool) -> Iterator[Finding]:
    numbers = [event["data"]["sequence"] for event in events]
    if not numbers:
        if events_are_whole:
            yield "I3", f"none of its {sequence} events is in the log"
        return
    first = 1 if events_are_whole else numbers[0]
    missing = sorted(set(range(first, sequence + 1)) - set(numbers))
    if missing:
        yield "I3", f"its event {_enumerated(missing)} is not in the log"
    surplus = sorted(number for number in set(numbers) if number > sequence)
    if surplus:
        yield "I3", f"its event {_enumerated(surplus)} is in the log, but only {sequence} were committed"
    if len(set(numbers)) < len(numbers):
        yield "I3", "two events of it have the same sequence"
    elif numbers != sorted(numbers):
        yield "I3", f"its events are in the log in the order {_enumerated(numbers)}"


def _enumerated(numbers: Sequence[int], *, most: int = 10) -> str:
    shown = ", ".join(str(number) for number in numbers[:most])
    return f"{shown}, …" if len(numbers) > most else shown


def _linked(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    number = after["sequence"]
    if number != before["sequence"] + 1:
        return
    if after["previous_status"] != before["status"]:
        yield "I3", f"event {number} follows {after['previous_status']}, but the one before it tells {before['status']}"
    if _view_of(before) == _view_of(after):
        yield "I3", f"event {number} changes nothing of the public view"


def _view_of(data: Mapping[str, Any]) -> tuple[object, ...]:
    return (*(data[name] for name in VIEW_FIELDS), data["provider"]["reference"])


def _moves(events: Sequence[Event]) -> Iterator[Finding]:
    """A later status never falls back; what an operation shows falls back to where the operation began."""
    began: Stage | None = None
    for before, after in pairwise(events):
        data, stage, row = after["data"], _stage_of(after), _stage_of(before)
        if row not in DERIVED:
            began = row
        ways = [row] if began is None else [row, began]
        is_known = row not in DERIVED or began is not None
        if is_known and not any(stage in reachable(data["flow"], way) for way in ways):
            was = before["data"]["status"]
            yield "I4", f"event {data['sequence']} leads from {was} back to {data['status']}"


def _stage_of(event: Event) -> Stage:
    status, reason = event["data"]["status"], event["data"]["reason"]
    return stage_of(Status(status), Reason(reason) if reason else None)


def _event_alone(payment: Payment, event: Event) -> Iterator[Finding]:
    data = event["data"]
    number = data["sequence"]
    if event["id"] != f"{payment.key}:{number}" or int(event["sequence"]) != number:
        yield "I3", f"event {number} has the id {event['id']} and the sequence {event['sequence']}"
    fixed = {"intent_id": payment.key.intent_id, "merchant": payment.key.merchant, "flow": payment.flow}
    fixed |= {"currency": payment.currency, "metadata": payment.terms.get("metadata", {})}
    differing = [name for name in _FIXED_FIELDS if data[name] != fixed[name]]
    if differing:
        yield "I3", f"event {number} has another {', '.join(differing)} than the payment"
    if data["amount_minor"] != payment.amount_minor:
        yield "I7", f"event {number} tells the amount {data['amount_minor']}, the payment {payment.amount_minor}"
    yield from _not_integers(data)
    yield from told_secrets(payment, data)


def _not_integers(data: Mapping[str, Any]) -> Iterator[Finding]:
    wrong = [name for name in _AMOUNTS if data[name] is not None and type(data[name]) is not int]
    if wrong:
        yield "I7", f"event {data['sequence']} tells {', '.join(wrong)} not as an integer"


def told_secrets(payment: Payment, data: Mapping[str, Any]) -> Iterator[Finding]:
    """Where an event tells a card number, the payment's token or an authorization; what it is stays unsaid."""
    read = {name: value for name, value in data.items() if name not in _UNREAD}
    if _MANY_DIGITS.search(json.dumps(read)) and find_card_number(read):
        yield "I8", f"event {data['sequence']} tells a card number"
    words = json.dumps({**data, "metadata": None})  # it is the caller's own
    token = payment.terms.get("method", {}).get("token")
    if _SECRET.search(words) or (token and token in words):
        yield "I8", f"event {data['sequence']} tells a token or an authorization"
