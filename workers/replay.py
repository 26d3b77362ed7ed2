"""Publishing events of the past again: the same bytes, each payment's in order, while the relay goes on."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.adapters.event_history import before, position
from orchestrator.errors import PayorchError
from workers.binding import matches
from workers.relay_lane import Lane
from workers.relay_route import route
from workers.relay_sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.adapters.event_history import EventHistory, Extent
    from orchestrator.adapters.event_log import LoggedEvent, Source
    from orchestrator.adapters.publisher import BrokerPublisher
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import PublishedEvent

PAGE = 100  # entries of one source at a time
AWAY_MAX_S = 30.0  # a broker that had answered may be away so long
WAIT_S = 0.05
ANY_PAYMENT = "payment.#"


class ReplayStoppedError(PayorchError):
    """The broker does not take the events; what went out may go out again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which events are wanted; both moments are included, None is no limit."""

    since_ms: int | None = None
    until_ms: int | None = None
    payment: PaymentKey | None = None
    merchant: str | None = None
    binding: str = ANY_PAYMENT

    def takes(self, event: PublishedEvent) -> bool:
        """Whether this is one of them, its time left aside."""
        return (
            (self.payment is None or event.partition == str(self.payment))
            and (self.merchant is None or event.routing_key.split(".")[1] == self.merchant)
            and matches(self.binding, event.routing_key)
        )


@dataclass(kw_only=True, slots=True)
class Replayed:
    """What became of the selection so far."""

    selected: int = 0
    published: int = 0
    payments: int = 0
    not_relayed: int = 0  # the relay will publish them
    unreadable: int = 0
    trimmed_before_ms: int | None = None  # wanted, and not in the log any more


@dataclass(kw_only=True, slots=True)
class _Reader:
    """Where a replay stands in one source."""

    lane: Lane
    relayed: tuple[int, int]
    payments: set[str] = field(default_factory=set)
    is_done: bool = False


class Replay:
    """One run over the log. Without a publisher it only counts.

    What the relay has not published yet is left to it, so that nothing overtakes: it is first there, and in order.
    The relay's cursors and leases are not touched. `run` raises StoreUnavailableError, QueueMissingError, and
    ReplayStoppedError where the broker is away at the start or longer than AWAY_MAX_S later, or rejects an event for
    longer than `retry_s`; `result` says then how far it came.
    """

    def __init__(
        self,
        history: EventHistory,
        publisher: BrokerPublisher | None,
        selection: Selection,
        *,
        retry_s: float,
        on_progress: Callable[[Replayed], None] = lambda _result: None,
        on_rejected: Callable[[], None] = lambda: None,
    ) -> None:
        self.result = Replayed()
        self._history = history
        self._selection = selection
        self._retry_s = retry_s
        self._on_progress = on_progress
        self._on_rejected = on_rejected
        self._answered_s = time.monotonic()
        self._publisher = publisher
        self._sender = None if publisher is None else Sender(publisher, retry_s=retry_s, on_alarm=self._give_up)

    def run(self) -> Replayed:
        """Go through the log once; what is committed later is not looked at."""
        self._look_for_broker()
        wanted = self._selection
        now_ms = self._history.now_ms()
        until_ms = now_ms if wanted.until_ms is None else min(wanted.until_ms, now_ms)
        extents = self._history.extents(self._sources())
        start = before(wanted.since_ms or 0)
        readers = {
            source: _Reader(lane=Lane(cursor=start), relayed=extent.cursor) for source, extent in extents.items()
        }
        self._note_trimmed(extents)
        while self._read(readers, until_ms) or self._is_under_way(readers):
            self._send([reader.lane for reader in readers.values()])
            self._on_progress(self.result)
        return self.result

    def _look_for_broker(self) -> None:
        if self._publisher is not None:
            self._publisher.publish([])
            if not self._publisher.answered:
                raise _away(self._publisher.error)

    def _sources(self) -> list[Source]:
        if self._selection.payment is None:
            return list(self._history.sources)
        return [self._history.source_of(self._selection.payment)]

    def _note_trimmed(self, extents: Mapping[Source, Extent]) -> None:
        since_ms = self._selection.since_ms or 0
        starts = [extent.first_ms for extent in extents.values() if extent.is_trimmed and extent.first_ms is not None]
        if any(start > since_ms for start in starts):
            self.result.trimmed_before_ms = max(starts)

    def _read(self, readers: Mapping[Source, _Reader], until_ms: int) -> bool:
        """Read on where there is room; whether there was anything to read."""
        open_readers = {source: reader for source, reader in readers.items() if not reader.is_done}
        after = {source: reader.lane.read_to for source, reader in open_readers.items() if reader.lane.has_room}
        if not after:
            return False
        for source, entries in self._history.pages(after, until_ms=until_ms, count=PAGE).items():
            readers[source].is_done = not entries
            for entry in entries:
                readers[source].lane.add(entry.entry_id, self._selected(entry, readers[source]))
        return True

    def _selected(self, entry: LoggedEvent, reader: _Reader) -> PublishedEvent | None:
        """The event if it is to be published now."""
        try:
            event = route(entry.body)
        except ValueError:
            self.result.unreadable += 1
            return None
        if not self._selection.takes(event):
            return None
        if position(entry.entry_id) > reader.relayed:
            self.result.not_relayed += 1
            return None
        self._note(entry, event, reader)
        return event if self._sender else None

    def _note(self, entry: LoggedEvent, event: PublishedEvent, reader: _Reader) -> None:
        if self._selection.payment is not None and self.result.selected == 0 and _is_first(entry):
            self.result.trimmed_before_ms = None  # what was trimmed were other payments' events
        self.result.selected += 1
        if event.partition not in reader.payments:
            reader.payments.add(event.partition)
            self.result.payments += 1

    def _is_under_way(self, readers: Mapping[Source, _Reader]) -> bool:
        return any(reader.lane.undelivered or not reader.is_done for reader in readers.values())

    def _send(self, lanes: list[Lane]) -> None:
        if self._sender is None or not any(lane.undelivered for lane in lanes):
            return
        window = self._sender.window(lanes)
        if not window:
            time.sleep(WAIT_S)  # for the time of a next try
            return
        rejected = self._sender.counts["rejected"]
        self._sender.send(window)
        self.result.published = self._sender.counts["relayed"]
        if self._sender.counts["rejected"] > rejected:
            self._on_rejected()
        self._note_broker(self._sender)

    def _note_broker(self, sender: Sender) -> None:
        now_s = time.monotonic()
        if not sender.failures:
            self._answered_s = now_s
        elif now_s - self._answered_s > AWAY_MAX_S:
            raise _away(sender.error)

    def _give_up(self, _name: str, fields: Mapping[str, object]) -> None:
        text = f"the broker has rejected an event of {fields['partition']} for {self._retry_s:g} s; a queue is full"
        raise ReplayStoppedError(text)


def _away(error: str) -> ReplayStoppedError:
    # What stands behind the colon may hold addresses.
    return ReplayStoppedError(f"the broker does not answer ({error.partition(':')[0]})")


def _is_first(entry: LoggedEvent) -> bool:
    return int(json.loads(entry.body)["data"]["sequence"]) == 1
