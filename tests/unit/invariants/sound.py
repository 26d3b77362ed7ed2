"""Courses of payments of which nothing is broken, to be broken one fact at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.codec import encode
from orchestrator.events import status_event
from orchestrator.invariants import Broken, Stored, broken_by_payment, broken_by_step
from orchestrator.payment import CAPTURE, CREATE, Operation, OperationState, Payment, public_view
from orchestrator.policy import Policy
from orchestrator.ports import Record
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Status
from tests.unit.core.building import NOW_MS, accepted, card_body, card_intent, in_state, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

POLICY = Policy()
DEADLINE_MS = NOW_MS + POLICY.call_total_ms
GRACE_ENDS_MS = DEADLINE_MS + POLICY.grace_ms
METADATA = {"note": "as tok_hidden0000"}  # the user's own words are no finding
Found = list[tuple[str, str]]


def on_the_wire(intent: dict[str, Any], **changes: Any) -> Payment:
    """A payment whose create was marked."""
    return in_state(accepted(intent), CREATE, OperationState.SENDING, deadline_ms=DEADLINE_MS, **changes)


def card_course() -> list[Payment]:
    """A card payment with 3DS from its intent to success, one state a commit."""
    stored = accepted(card_intent(metadata=METADATA))
    sent = on_the_wire(card_intent(metadata=METADATA))
    asked = seen(
        sent,
        card_body("pending", pay_code={"3ds_url": "https://acs.example/1"}),
        Source.REPLY,
        operation=CREATE,
    )
    held = seen(asked, card_body("authorised"), Source.READ)
    capturing = held.with_operation(
        Operation(name=CAPTURE, state=OperationState.SENDING, at_ms=NOW_MS, deadline_ms=DEADLINE_MS)
    )
    settling = seen(capturing, card_body("waiting"), Source.REPLY, operation=CAPTURE)
    return [stored, sent, asked, held, capturing, settling, seen(settling, card_body("received"), Source.READ)]


def events_of(course: Sequence[Payment]) -> list[dict[str, Any]]:
    """The events of a course, as parsed from the log."""
    events: list[dict[str, Any]] = []
    previous = None
    for payment in course:
        view = public_view(payment)
        if view != previous:
            number = len(events) + 1
            events.append(json.loads(event_of(payment, previous=previous, sequence=number)))
        previous = view
    return events


def event_of(payment: Payment, *, previous: Any, sequence: int) -> bytes:
    """The event of one commit."""
    return status_event(
        payment, previous=previous, sequence=sequence, observed_by=Source.READ, now_ms=NOW_MS, namespace=""
    )


def record_of(payment: Payment, *, version: int, sequence: int, **changes: Any) -> Record:
    """What is stored of a payment that nobody has claimed."""
    record = Record(
        key=payment.key,
        version=version,
        sequence=sequence,
        observed=0,
        observations=(),
        claims=0,
        fingerprint="print",
        body=encode(payment),
    )
    return replace(record, **changes)


def found_in(
    payment: Payment,
    events: Sequence[dict[str, Any]],
    *,
    due_at_ms: int | None = NOW_MS,
    whole: bool = True,
    sequence: int | None = None,
    now_ms: int = NOW_MS,
    **changes: Any,
) -> Found:
    """What is broken of this payment with these events, as invariants and sentences."""
    stored = sequence or len(events)
    record = record_of(payment, sequence=stored, **{"version": stored + 3} | changes)
    broken = broken_by_payment(
        record,
        payment,
        events,
        due_at_ms=due_at_ms,
        policy=POLICY,
        now_ms=now_ms,
        events_are_whole=whole,
    )
    return told(broken)


def alone(payment: Payment, *, due_at_ms: int | None = NOW_MS, now_ms: int = NOW_MS, **changes: Any) -> Found:
    """What is broken of this payment by itself."""
    events = events_of([payment])
    return found_in(payment, events, due_at_ms=due_at_ms, now_ms=now_ms, **changes)


def stepped(
    before: Payment | None,
    after: Payment,
    *,
    policy: Policy = POLICY,
    event: bytes | bool | None = True,
    due_at_ms: int | None = NOW_MS,
    version: int = 2,
    sequence: int | None = None,
) -> Found:
    """What one commit broke; `event` True is the one that belongs to it."""
    was = Stored(version=1, sequence=1, payment=before, due_at_ms=NOW_MS) if before is not None else None
    previous = public_view(before) if before is not None else None
    has_changed = previous != public_view(after)
    number = sequence if sequence is not None else (1 if was is None else 1 + has_changed)
    if event is True:
        event = event_of(after, previous=previous, sequence=number) if has_changed else None
    is_first = was is None
    now = Stored(version=1 if is_first else version, sequence=number, payment=after, due_at_ms=due_at_ms)
    return told(broken_by_step(was, now, event=event or None, policy=policy, now_ms=NOW_MS))


def told(broken: Sequence[Broken]) -> Found:
    """Findings without their payment."""
    return [(each.invariant, each.sentence) for each in broken]


CAPTURING = (Status.PROCESSING, Reason.CAPTURING)
