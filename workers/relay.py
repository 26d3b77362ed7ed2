"""The relay: publishes the event log, at least once and in order per payment, from a thread of its own."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import structlog

from orchestrator.errors import StoreUnavailableError
from workers.relay_lane import Lane
from workers.relay_route import route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.adapters.event_log import EventLog, Source
    from orchestrator.adapters.publisher import BrokerPublisher
    from workers.relay_lane import Waiting

LEASE_S = 10.0  # a dead relay's sources are free after it
WINDOW_MAX = 500
READ_COUNT = 100  # entries of one source at a time
IDLE_BLOCK_S = 0.25  # a new event ends the wait at once, a stop after this
HUNGRY_S = 1.0  # how often to look for free sources while others are entitled to fewer
TRIM_EVERY_S = 60.0
AWAY_FIRST_S = 0.1
AWAY_MAX_S = 5.0
S_PER_DAY = 86_400

log = structlog.get_logger(__name__)


class Alarm(Protocol):
    """Called from the relay's thread for what a person should know."""

    def __call__(self, name: str, fields: Mapping[str, object]) -> None:
        """`name` is stable; `fields` hold no secrets and no bodies."""
        ...


class Relay:
    """Publishes the sources it holds leases for; several relays share them and replace a dead one.

    An event counts as delivered when the broker confirmed it. A rejected one is tried again for `retry_s` and
    keeps back its own payment only; then it counts as delivered, with the alarm `event_given_up` (it stays in
    the event log). While Redis or the broker is away the relay waits, however long it takes.
    """

    def __init__(
        self,
        event_log: EventLog,
        publisher: BrokerPublisher,
        *,
        owner: str,
        retry_s: float,
        events_days: float,
        on_alarm: Alarm,
        lease_s: float = LEASE_S,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._log = event_log
        self._publisher = publisher
        self._owner = owner
        self._retry_s = retry_s
        self._events_ms = int(events_days * S_PER_DAY * 1000)
        self._on_alarm = on_alarm
        self._lease_s = lease_s
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._lanes: dict[Source, Lane] = {}
        self._counts: Counter[str] = Counter(relayed=0, rejected=0, given_up=0, unreadable=0, trimmed=0)
        self._relays = 0
        self._renew_at_s = -math.inf
        self._trim_at_s = -math.inf
        self._publish_at_s = -math.inf
        self._broker_failures = 0
        self._redis_failures = 0
        self._stopping = threading.Event()
        self._figures: dict[str, object] = {}
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._note_figures()

    def start(self) -> None:
        """Start the thread; returns at once, whether Redis and the broker are there or not."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Finish the window that is out, give the leases back; True where that was done in time."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def figures(self) -> dict[str, object]:
        """Counters and state of a moment ago, for `celery inspect stats` and the metrics; any thread."""
        return dict(self._figures)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round()
                self._redis_failures = 0
            except StoreUnavailableError as error:
                self._redis_failures += 1
                log.warning("relay.redis_away", error=str(error), failures=self._redis_failures)
                self._stopping.wait(_pause_s(self._redis_failures))
            except Exception:
                # Whatever it was, events must go on; a fresh start from the stored cursors is always safe.
                log.exception("relay.round_failed")
                self._lanes.clear()
                self._renew_at_s = -math.inf
                self._stopping.wait(AWAY_MAX_S)
            self._note_figures()
        self._leave()

    def _round(self) -> None:
        """One turn: keep the leases, send what may go out, move the cursors, read on."""
        if self._monotonic_s() >= self._renew_at_s:
            self._renew()
        self._publish()
        self._advance()
        self._trim()
        self._read()

    # Leases

    def _renew(self) -> None:
        started_s = self._monotonic_s()
        # A lease that ran out may have been somebody else's since: start again from the stored cursor.
        self._drop([source for source, lane in self._lanes.items() if lane.held_until_s <= started_s])
        self._relays = self._log.beat(self._owner, alive_ms=self._lease_ms)
        kept = self._log.hold(self._lanes, owner=self._owner, lease_ms=self._lease_ms)
        self._drop([source for source in self._lanes if source not in kept])
        for lane in self._lanes.values():
            lane.held_until_s = started_s + self._lease_s
        share = math.ceil(len(self._log.sources) / max(self._relays, 1))
        self._give_up_surplus(len(self._lanes) - share)
        self._take_free(share - len(self._lanes), started_s=started_s)
        hungry = len(self._lanes) < share
        self._renew_at_s = started_s + (min(HUNGRY_S, self._lease_s / 3) if hungry else self._lease_s / 3)

    @property
    def _lease_ms(self) -> int:
        return int(self._lease_s * 1000)

    def _give_up_surplus(self, surplus: int) -> None:
        if surplus <= 0:
            return
        self._advance()
        quiet_first = sorted(self._lanes, key=lambda source: self._lanes[source].undelivered)
        given = quiet_first[:surplus]
        self._drop(given)
        self._log.release(given, owner=self._owner)

    def _take_free(self, wanted: int, *, started_s: float) -> None:
        candidates = [source for source in self._log.sources if source not in self._lanes]
        random.shuffle(candidates)
        while wanted > 0 and candidates:
            asked, candidates = candidates[:wanted], candidates[wanted:]
            taken = sorted(
                self._log.hold(asked, owner=self._owner, lease_ms=self._lease_ms),
                key=lambda source: source.name,
            )
            for source, cursor in self._log.cursors(taken).items():
                self._lanes[source] = Lane(cursor=cursor, held_until_s=started_s + self._lease_s)
            wanted -= len(taken)

    def _drop(self, sources: Iterable[Source]) -> None:
        for source in sources:
            del self._lanes[source]

    def _leave(self) -> None:
        try:
            self._advance()
            self._log.release(self._lanes, owner=self._owner)
            self._log.leave(self._owner)
        except StoreUnavailableError as error:
            log.warning("relay.leases_left_to_run_out", error=str(error))
        finally:
            self._lanes.clear()
            self._note_figures()
            self._publisher.close()
            self._log.close()

    # Events

    def _publish(self) -> None:
        now_s = self._monotonic_s()
        if now_s < self._publish_at_s:
            return
        window = self._window(now_s)
        if not window:
            return
        answers = self._publisher.publish([waiting.event for waiting in window])
        for waiting, accepted in zip(reversed(window), reversed(answers), strict=True):
            self._settle(waiting, accepted=accepted)
        self._note_broker(answered=self._publisher.answered)

    def _window(self, now_s: float) -> list[Waiting]:
        lanes = [lane for lane in self._lanes.values() if lane.held_until_s > now_s]
        random.shuffle(lanes)  # so that a busy source does not always go first
        window: list[Waiting] = []
        for lane in lanes:
            window += lane.take(limit=WINDOW_MAX - len(window), now_s=now_s)
        return window

    def _settle(self, waiting: Waiting, *, accepted: bool) -> None:
        now_s = self._monotonic_s()
        if accepted:
            self._counts["relayed"] += 1
            waiting.lane.delivered(waiting)
        elif not self._publisher.answered:
            waiting.lane.put_back(waiting)
        elif waiting.rejected_at_s is not None and now_s - waiting.rejected_at_s >= self._retry_s:
            self._give_up(waiting)
        else:
            self._counts["rejected"] += 1
            waiting.lane.rejected(waiting, now_s=now_s)

    def _give_up(self, waiting: Waiting) -> None:
        self._counts["given_up"] += 1
        self._on_alarm(
            "event_given_up", {"routing_key": waiting.event.routing_key, "partition": waiting.event.partition}
        )
        waiting.lane.delivered(waiting)

    def _note_broker(self, *, answered: bool) -> None:
        if answered:
            self._broker_failures = 0
            return
        self._broker_failures += 1
        pause_s = _pause_s(self._broker_failures)
        self._publish_at_s = self._monotonic_s() + pause_s
        log.warning("relay.broker_away", error=self._publisher.error, failures=self._broker_failures, pause_s=pause_s)

    def _advance(self) -> None:
        moved = {source: lane.pass_delivered() for source, lane in self._lanes.items()}
        cursors = {source: cursor for source, cursor in moved.items() if cursor is not None}
        if cursors:
            self._drop(self._log.advance(cursors, owner=self._owner))

    def _trim(self) -> None:
        now_s = self._monotonic_s()
        if now_s >= self._trim_at_s:
            self._trim_at_s = now_s + TRIM_EVERY_S
            self._counts["trimmed"] += self._log.trim(self._lanes, owner=self._owner, older_than_ms=self._events_ms)

    def _read(self) -> None:
        after = {source: lane.read_to for source, lane in self._lanes.items() if lane.has_room}
        block_s = self._block_s()
        if not after:
            self._stopping.wait(block_s)
            return
        for entry in self._log.read(after, count=READ_COUNT, block_ms=int(block_s * 1000)):
            try:
                event = route(entry.body)
            except ValueError as error:
                event = None
                self._counts["unreadable"] += 1
                self._on_alarm(
                    "event_unreadable",
                    {"source": entry.source.name, "entry": entry.entry_id, "error": str(error)},
                )
            self._lanes[entry.source].add(entry.entry_id, event)

    def _block_s(self) -> float:
        """How long nothing but a new event is of interest."""
        now_s = self._monotonic_s()
        is_ready = any(lane.is_ready for lane in self._lanes.values())
        retries = [lane.next_retry_s for lane in self._lanes.values()]
        next_s = min([now_s + IDLE_BLOCK_S, self._renew_at_s, *(retry for retry in retries if retry is not None)])
        if is_ready:
            next_s = min(next_s, self._publish_at_s)
        return max(next_s - now_s, 0.0)

    def _note_figures(self) -> None:
        oldest = [lane.oldest for lane in self._lanes.values() if lane.oldest is not None]
        oldest_ms = min((int(entry.partition("-")[0]) for entry in oldest), default=None)
        now_ms = int(self._wall_s() * 1000)
        self._figures = {
            **self._counts,
            "sources": len(self._lanes),
            "relays": self._relays,
            "waiting": sum(lane.undelivered for lane in self._lanes.values()),
            "lag_ms": 0 if oldest_ms is None else max(now_ms - oldest_ms, 0),
            "broker": "away" if self._broker_failures else "ok",
            "redis": "away" if self._redis_failures else "ok",
        }


def _pause_s(failures: int) -> float:
    return float(min(AWAY_FIRST_S * 2 ** min(failures - 1, 10), AWAY_MAX_S))
