"""Mistakes of the relay."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.simulator.planted.bug import Bug, attribute
from workers.relay_lane import Lane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.ports import PublishedEvent
    from workers.relay_lane import Waiting


@contextmanager
def _many_of_a_payment() -> Iterator[None]:
    real = Lane.add

    def add(lane: Lane, entry_id: str, event: PublishedEvent | None) -> None:
        real(lane, entry_id, replace(event, partition=entry_id) if event is not None else None)

    with attribute(Lane, "add", add):
        yield


@contextmanager
def _cursor_first() -> Iterator[None]:
    with attribute(Lane, "cursor", property(lambda lane: lane.read_to)):
        yield


@contextmanager
def _rejected_is_delivered() -> Iterator[None]:
    def rejected(lane: Lane, waiting: Waiting, *, now_s: float) -> None:
        del now_s
        lane.delivered(waiting)

    with attribute(Lane, "rejected", rejected):
        yield


BUGS = (
    Bug(
        name="many-of-a-payment-in-a-window",
        breaks=("I3",),
        rule="A window of confirms holds one event of a payment.",
        mistake="It holds what comes next, and a rejected event is overtaken by its successor.",
        plant=_many_of_a_payment,
    ),
    Bug(
        name="cursor-before-confirm",
        breaks=("I3",),
        rule="The relay's cursor moves once the broker has confirmed.",
        mistake="It moves when the event was read.",
        plant=_cursor_first,
    ),
    Bug(
        name="rejected-counts-as-delivered",
        breaks=("I3",),
        rule="A rejected event is published again.",
        mistake="Any answer of the broker's counts as delivered.",
        plant=_rejected_is_delivered,
    ),
)
