"""The relay: publishes the event log, at least once and in order per payment, from a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from orchestrator.errors import StoreUnavailableError
from workers.relay_leases import Leases
from workers.relay_route import route
from workers.relay_sender import PAUSE_MAX_S, Sender, pause_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.adapters.event_log import EventLog, Source
    from orchestrator.adapters.publisher import BrokerPublisher
    from workers.relay_lane import Waiting
    from workers.relay_sender import Alarm

LEASE_S = 10.0  # a dead relay's sources are free after it
READ_COUNT = 100  # entries of one source at a time
HELD_BACK_MAX = 50_000  # events that wait for rejected ones; then nothing more is read, for the sake of the memory
IDLE_BLOCK_S = 0.25  # a new event ends the wait at once, a stop after this
TRIM_EVERY_S = 60.0
S_PER_DAY = 86_400

log = structlog.get_logger(__name__)


class Relay:
    """Publishes the sources it holds leases for; several relays share them and replace a dead one.

    An event counts as delivered when the broker confirmed it. A rejected one is tried again for `retry_s` and
    keeps back its own payment only; then it counts as delivered, with the alarm `event_given_up` (it stays in
    the event log). While Redis or the broker is away the relay waits, however long it takes. Where Redis has a
    replica nothing goes out before the replica has it. What is relayed and older than `events_days` is trimmed.
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
        trim_every_s: float = TRIM_EVERY_S,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._log = event_log
        self._publisher = publisher
        self._events_ms = int(events_days * S_PER_DAY * 1000)
        self._on_alarm = on_alarm
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._leases = Leases(
            event_log, owner=owner, lease_s=lease_s, trim_every_s=trim_every_s, monotonic_s=monotonic_s
        )
        self._sender = Sender(publisher, retry_s=retry_s, on_alarm=on_alarm, monotonic_s=monotonic_s)
        self._counts: Counter[str] = Counter(unreadable=0, trimmed=0, rounds=0)
        self._redis_failures = 0
        self._replica_failures = 0
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

    @property
    def signs_of_life(self) -> int:
        """Rises with each round, whatever came of it; any thread."""
        return self._counts["rounds"]

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
                self._stopping.wait(pause_s(self._redis_failures))
            except Exception:
                # Whatever it was, events must go on; a fresh start from the stored cursors is always safe.
                log.exception("relay.round_failed")
                self._leases.start_anew()
                self._stopping.wait(PAUSE_MAX_S)
            self._counts["rounds"] += 1
            self._note_figures()
        self._leave()

    def _round(self) -> None:
        """One turn: keep the leases, send what may go out, move the cursors, read on."""
        self._leases.renew_if_due()
        self._send()
        self._leases.store_cursors()
        self._counts["trimmed"] += self._leases.trim(older_than_ms=self._events_ms)
        self._read()

    def _send(self) -> None:
        window = self._sender.window(self._leases.sendable())
        if window and self._leases.has_replica:
            window = self._copied(window)
        self._sender.send(window)
        if window and self._sender.failures:
            log.warning("relay.broker_away", error=self._sender.error, failures=self._sender.failures)

    def _copied(self, window: list[Waiting]) -> list[Waiting]:
        """The part of the window which a replica has: a failover must not take back what was published."""
        try:
            is_copied = self._leases.confirm_copied(waiting.lane for waiting in window)
        except StoreUnavailableError:
            self._sender.put_back(window, for_s=0)
            raise
        if is_copied:
            self._replica_failures = 0
            ours = set(self._leases.lanes)
            return [waiting for waiting in window if waiting.lane in ours]
        self._replica_failures += 1
        pause = pause_s(self._replica_failures)
        log.warning("relay.replica_behind", failures=self._replica_failures, pause_s=pause)
        self._sender.put_back(window, for_s=pause)
        return []

    def _read(self) -> None:
        after = self._readable()
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
            self._leases.holdings[entry.source].lane.add(entry.entry_id, event)

    def _readable(self) -> dict[Source, str]:
        """Where to read on, by source."""
        if sum(lane.held_back for lane in self._leases.lanes) >= HELD_BACK_MAX:
            return {}
        lanes = {source: holding.lane for source, holding in self._leases.holdings.items()}
        return {source: lane.read_to for source, lane in lanes.items() if lane.has_room}

    def _block_s(self) -> float:
        """How long nothing but a new event is of interest."""
        now_s = self._monotonic_s()
        lanes = self._leases.lanes
        is_ready = any(lane.is_ready for lane in lanes)
        retries = [lane.next_retry_s for lane in lanes]
        next_s = min(
            [now_s + IDLE_BLOCK_S, self._leases.renew_at_s, *(retry for retry in retries if retry is not None)]
        )
        if is_ready:
            next_s = min(next_s, self._sender.ready_at_s)
        return max(next_s - now_s, 0.0)

    def _leave(self) -> None:
        try:
            self._leases.leave()
        except StoreUnavailableError as error:
            log.warning("relay.leases_left_to_run_out", error=str(error))
        finally:
            self._leases.start_anew()
            self._note_figures()
            self._publisher.close()
            self._log.close()

    @property
    def _replica(self) -> str:
        if not self._leases.has_replica:
            return "none"
        return "behind" if self._replica_failures else "ok"

    def _note_figures(self) -> None:
        lanes = self._leases.lanes
        oldest = [lane.oldest for lane in lanes if lane.oldest is not None]
        oldest_ms = min((int(entry.partition("-")[0]) for entry in oldest), default=None)
        now_ms = int(self._wall_s() * 1000)
        self._figures = {
            **self._sender.counts,
            **self._counts,
            **self._publisher.figures(),
            "sources": len(lanes),
            "relays": self._leases.relays,
            "waiting": sum(lane.undelivered for lane in lanes),
            "held_back": sum(lane.held_back for lane in lanes),
            "lag_ms": 0 if oldest_ms is None else max(now_ms - oldest_ms, 0),
            "broker": "away" if self._sender.failures else "ok",
            "replica": self._replica,
            "redis": "away" if self._redis_failures else "ok",
        }
