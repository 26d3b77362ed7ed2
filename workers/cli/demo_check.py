"""Compares what was heard with what the provider's ledger and the stored views say. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.cli.demo_model import Order
    from workers.cli.demo_story import EventData, Story

Entry = Mapping[str, Any]
View = Mapping[str, Any]
# The public view of interface 2 as it stands in an event and in `GET /v1/payments`.
VIEW_FIELDS = (
    "sequence",
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
    "metadata",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Something that does not agree; `about` is the intent id of the payment or the message."""

    about: str
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What the run must have led to; `refusals` counts (intent id, code, field)."""

    orders: Sequence[Order]
    refusals: Counter[tuple[str | None, str, str | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """All that is known of one payment: its events as they came, its ledger entries, its stored view."""

    order: Order
    events: Sequence[EventData]
    last: EventData
    entries: Sequence[Entry]
    view: View | None

    def amounts(self, kind: str) -> list[tuple[int, str]]:
        return [(int(entry["amount_minor"]), str(entry["currency"])) for entry in self.entries if entry["kind"] == kind]


def differences(
    expected: Expected, *, story: Story, ledger: Sequence[Entry], views: Mapping[str, View], token_calls: int
) -> list[Difference]:
    """Everything that does not agree, payment by payment; empty where all does.

    `ledger` is the sandbox's, `views` the stored public views by intent id, `token_calls` how often the provider was
    asked for an access token: once serves all gateway links.
    """
    found: list[Difference] = []
    for order in expected.orders:
        found += [Difference(about=order.intent_id, what=what) for what in _payment(order, story, ledger, views)]
    if token_calls != 1:
        found.append(Difference(about="gateway links", what=f"took {token_calls} access tokens, expected 1"))
    return [*found, *_strangers(expected, story, ledger), *_refusals(expected, story)]


def _payment(order: Order, story: Story, ledger: Sequence[Entry], views: Mapping[str, View]) -> Iterator[str]:
    last = story.last(order.intent_id)
    if last is None:
        yield "no event came"
        return
    case = _Case(
        order=order,
        events=story.payments[order.intent_id],
        last=last,
        entries=[entry for entry in ledger if entry["external_id"] == order.intent_id],
        view=views.get(order.intent_id),
    )
    for check in _CHECKS:
        yield from check(case)


def _ending(case: _Case) -> Iterator[str]:
    wanted, seen = (case.order.scenario.status, case.order.scenario.reason), (case.last["status"], case.last["reason"])
    if seen != wanted:
        yield f"ended as {seen[0]} (reason {seen[1]}), expected {wanted[0]} (reason {wanted[1]})"
    if set(case.last["review"]) != case.order.scenario.review:
        expected = ", ".join(sorted(case.order.scenario.review)) or "none"
        yield f"has the review {', '.join(case.last['review']) or 'none'}, expected {expected}"


def _sequence(case: _Case) -> Iterator[str]:
    numbers = [int(event["sequence"]) for event in case.events]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"events came with the sequences {numbers}, expected 1 to {len(numbers)} in order"
    if case.events[0]["status"] != "accepted":
        yield f"the first event says {case.events[0]['status']}, expected accepted"


def _stored(case: _Case) -> Iterator[str]:
    if case.view is None:
        yield "is not stored"
        return
    for name in VIEW_FIELDS:
        if case.view.get(name) != case.last.get(name):
            yield f"{name} is stored as {case.view.get(name)!r}, the last event says {case.last.get(name)!r}"
    if case.view["provider"]["reference"] != case.last["provider"]["reference"]:
        yield "the stored reference is not that of the last event"


def _made_once(case: _Case) -> Iterator[str]:
    scenario = case.order.scenario
    for kind, wanted in (("create", scenario.creates), ("capture", scenario.captures)):
        made = len(case.amounts(kind))
        if made != wanted:
            yield f"the ledger has {made} of {kind}, expected {wanted}"


def _money(case: _Case) -> Iterator[str]:
    asked = (case.order.total_minor, case.order.intent["currency"])
    for kind in ("create", "capture"):
        for done in case.amounts(kind):
            if done != asked:
                yield f"the ledger's {kind} is {done[0]} {done[1]}, asked was {asked[0]} {asked[1]} (minor units)"
    scenario = case.order.scenario
    heard_percent = scenario.paid_percent if scenario.heard_percent is None else scenario.heard_percent
    yield from _compared(case, "paid", ("pay", "capture"), scenario.paid_percent, heard_percent)
    yield from _compared(case, "refunded", ("refund_done",), scenario.returned_percent, scenario.returned_percent)


def _compared(case: _Case, name: str, kinds: Sequence[str], ledger_percent: int, heard_percent: int) -> Iterator[str]:
    done = sum(amount_minor for kind in kinds for amount_minor, _ in case.amounts(kind))
    heard = int(case.last[f"{name}_minor"])
    wanted = case.order.share_minor(ledger_percent), case.order.share_minor(heard_percent)
    if (done, heard) != wanted:
        said = f"the ledger says {done}, the last event {heard}"
        yield f"{name}: {said}, expected {wanted[0]} and {wanted[1]} (minor units)"


_CHECKS: tuple[Callable[[_Case], Iterator[str]], ...] = (_ending, _sequence, _stored, _made_once, _money)


def _strangers(expected: Expected, story: Story, ledger: Sequence[Entry]) -> Iterator[Difference]:
    known = {order.intent_id for order in expected.orders}
    for intent_id in sorted({str(entry["external_id"]) for entry in ledger} - known):
        yield Difference(about=intent_id, what="is in the ledger, but nobody asked for it")
    for intent_id in sorted(story.payments.keys() - known):
        yield Difference(about=intent_id, what="has events, but should not have been accepted")


def _refusals(expected: Expected, story: Story) -> Iterator[Difference]:
    seen = Counter((data["intent_id"], data["code"], data["field"]) for data in story.refusals.values())
    for refusal in sorted(set(seen) | set(expected.refusals), key=str):
        came, wanted = seen[refusal], expected.refusals[refusal]
        if came != wanted:
            what = f"the refusal {refusal[1]} of {refusal[2]} came {came} times, expected {wanted}"
            yield Difference(about=str(refusal[0]), what=what)
