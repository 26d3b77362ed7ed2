"""Events against their payment: nothing of a sound course is reported, each broken fact is, by its invariant."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.invariants.sound import card_course, event_of, events_of, found_in, stepped

if TYPE_CHECKING:
    from collections.abc import Callable

COURSE = card_course()
PAID = COURSE[-1]
Events = list[dict[str, Any]]


@pytest.fixture
def events() -> Events:
    return deepcopy(events_of(COURSE))


def test_nothing_is_broken_of_a_sound_course(events):
    statuses = [(event["data"]["status"], event["data"]["reason"]) for event in events]
    assert statuses == [
        ("accepted", None),
        ("requires_action", None),
        ("processing", "capturing"),
        ("processing", "settling"),
        ("succeeded", None),
    ]
    assert found_in(PAID, events, due_at_ms=None) == []


def dropped(number: int) -> Callable[[Events], None]:
    return lambda events: events.remove(events[number - 1])


def changed(number: int, **data: Any) -> Callable[[Events], None]:
    return lambda events: events[number - 1]["data"].update(data)


def swapped(events: Events) -> None:
    events[1], events[2] = events[2], events[1]


def twice(events: Events) -> None:
    events.append(deepcopy(events[-1]))


def renamed(events: Events) -> None:
    events[1]["id"] = "default/ord-9:2"


def emptied(events: Events) -> None:
    events.clear()


def repeated(events: Events) -> None:
    events[3]["data"] = events[2]["data"] | {"sequence": 4, "previous_status": "processing"}


def fell_back(events: Events) -> None:
    events[4]["data"] |= {"status": "failed"}


def rewound(events: Events) -> None:
    """The last but one tells what comes after success."""
    events[3]["data"] |= {"status": "succeeded", "reason": None}
    events[4]["data"] |= {"status": "processing", "reason": "settling", "previous_status": "succeeded"}


BROKEN = {
    "one in between is missing": (dropped(3), "I3", "its event 3 is not in the log"),
    "the last is missing": (dropped(5), "I3", "its event 5 is not in the log"),
    "the first is missing": (dropped(1), "I3", "its event 1 is not in the log"),
    "all are missing": (emptied, "I3", "none of its 5 events is in the log"),
    "the order is another": (swapped, "I3", "its events are in the log in the order 1, 3, 2, 4, 5"),
    "one is there twice": (twice, "I3", "two events of it have the same sequence"),
    "one has another id": (renamed, "I3", "event 2 has the id default/ord-9:2"),
    "one follows another status": (
        changed(4, previous_status="accepted"),
        "I3",
        "event 4 follows accepted, but the one before it tells processing",
    ),
    "one changes nothing": (repeated, "I3", "event 4 changes nothing of the public view"),
    "one is of another flow": (changed(3, flow="payin"), "I3", "event 3 has another flow than the payment"),
    "one has other metadata": (changed(3, metadata={}), "I3", "event 3 has another metadata than the payment"),
    "the last tells another sum": (
        changed(5, paid_minor=1),
        "I3",
        "its last event tells another paid_minor than what is stored",
    ),
    "the last tells another reference": (
        changed(5, provider={"name": "hello_clever", "reference": "PSOTHER1", "status": "received", "stage": None}),
        "I3",
        "its last event tells another provider.reference than what is stored",
    ),
    "the last tells another status": (fell_back, "I3", "its last event tells another status than what is stored"),
    "a status falls back": (rewound, "I4", "event 5 leads from succeeded back to processing"),
    "one has another amount": (changed(2, amount_minor=1), "I7", "event 2 tells the amount 1, the payment 10000"),
    "one has an amount that is no integer": (
        changed(2, paid_minor=0.5),
        "I7",
        "event 2 tells paid_minor not as an integer",
    ),
    "one tells a card number": (
        changed(2, failure={"code": "x", "message": "4111 1111 1111 1111"}),
        "I8",
        "event 2 tells a card number",
    ),
    "one tells the token": (
        changed(2, next_action={"type": "redirect", "url": "https://x.example/tok_dfe1988a1ffc0d6562d3"}),
        "I8",
        "event 2 tells a token or an authorization",
    ),
    "one tells an authorization": (
        changed(2, failure={"code": "x", "message": "po1.0a1b2c3d.AAAA"}),
        "I8",
        "event 2 tells a token or an authorization",
    ),
}


@pytest.mark.parametrize(("change", "invariant", "sentence"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_of_the_events_is_named(events, change, invariant, sentence):
    change(events)
    found = found_in(PAID, events, due_at_ms=None, sequence=5)
    assert any(name == invariant and words.startswith(sentence) for name, words in found), found


def test_an_event_that_was_never_committed_is_named(events):
    found = found_in(PAID, events, due_at_ms=None, sequence=4)
    assert ("I3", "its event 5 is in the log, but only 4 were committed") in found


def test_a_trimmed_log_begins_later_but_has_no_gap(events):
    assert found_in(PAID, events[2:], due_at_ms=None, sequence=5, whole=False) == []
    assert found_in(PAID, [], due_at_ms=None, sequence=5, whole=False) == []
    holed = [events[2], events[4]]
    assert ("I3", "its event 4 is not in the log") in found_in(PAID, holed, due_at_ms=None, sequence=5, whole=False)


def test_a_capture_that_was_not_executed_leads_back_to_where_it_began(events):
    back = deepcopy(events[2])
    events[1]["data"] |= {"status": "requires_capture", "next_action": None}
    events[2]["data"]["previous_status"] = "requires_capture"
    back["data"] |= {"status": "requires_capture", "reason": None, "previous_status": "processing", "sequence": 4}
    back |= {"id": "default/ord-1001:4", "sequence": "0000000004"}
    found = found_in(PAID, [*events[:3], back], sequence=5, due_at_ms=None)
    assert [words for name, words in found if name == "I4"] == []


# The event of one commit


def test_no_commit_of_a_sound_course_breaks_anything():
    steps = zip([None, *COURSE], [*COURSE, None], strict=True)
    assert [stepped(before, after) for before, after in steps if after is not None] == [[] for _ in COURSE]


def test_i3_a_change_of_the_public_view_has_its_event():
    assert stepped(COURSE[1], COURSE[2], event=None, sequence=1) == [("I3", "the public view changed without an event")]


def test_i3_what_nobody_sees_has_no_event():
    surplus = event_of(COURSE[1], previous=None, sequence=2)
    found = stepped(COURSE[0], COURSE[1], event=surplus, sequence=2)
    assert ("I3", "an event was committed, but nothing of the public view changed") in found


def test_i3_the_event_of_a_commit_tells_what_was_committed():
    other = event_of(COURSE[3], previous=None, sequence=9)
    found = stepped(COURSE[1], COURSE[2], event=other, sequence=2)
    assert ("I3", "its event number 2 has the sequence 9") in found
    assert ("I3", "event 2 follows None, but accepted was stored") in found
    assert any("its last event tells another status" in words for _, words in found)


def test_i3_version_and_sequence_rise_by_one():
    assert ("I3", "its version went from 1 to 3") in stepped(COURSE[0], COURSE[1], version=3)
    found = stepped(COURSE[0], COURSE[1], sequence=2)
    assert ("I3", "its sequence went from 1 to 2 with no event") in found


def test_i3_fewer_commits_than_events_are_impossible(events):
    assert ("I3", "it has 5 events after 4 commits") in found_in(PAID, events, due_at_ms=None, version=4)
