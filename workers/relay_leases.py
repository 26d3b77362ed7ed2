"""The sources that a relay holds: leases taken, shared, renewed and given back, and the cursors stored under them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.relay_lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestrator.adapters.event_log import EventLog, Source

HUNGRY_S = 1.0  # how often to look for free sources while others are entitled to fewer


@dataclass(kw_only=True, slots=True)
class Holding:
    """A source of ours: what is read of it, the cursor as Redis has it, and until when nobody else can hold it."""

    lane: Lane
    stored_cursor: str
    held_until_s: float  # monotonic, counted from before the lease was asked for
    trim_at_s: float


class Leases:
    """Shares the sources evenly with the other relays that live; for the relay's own thread.

    Every method that asks Redis raises StoreUnavailableError where it does not answer, and may be repeated: what
    was delivered meanwhile is not forgotten.
    """

    def __init__(
        self,
        event_log: EventLog,
        *,
        owner: str,
        lease_s: float,
        trim_every_s: float,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._log = event_log
        self._owner = owner
        self._lease_s = lease_s
        self._trim_every_s = trim_every_s
        self._monotonic_s = monotonic_s
        self.holdings: dict[Source, Holding] = {}
        self.relays = 0
        self.renew_at_s = -math.inf
        self.has_replica = False

    @property
    def lanes(self) -> list[Lane]:
        """The lanes of all sources held."""
        return [holding.lane for holding in self.holdings.values()]

    def sendable(self) -> list[Lane]:
        """The lanes whose lease nobody else can have taken by now."""
        now_s = self._monotonic_s()
        return [holding.lane for holding in self.holdings.values() if holding.held_until_s > now_s]

    def renew_if_due(self) -> None:
        """Every third of the lease: keep what is ours, take what is free, give up what others are entitled to."""
        started_s = self._monotonic_s()
        if started_s < self.renew_at_s:
            return
        # A lease that ran out may have been somebody else's since: start again from the stored cursor.
        self.drop([source for source, holding in self.holdings.items() if holding.held_until_s <= started_s])
        self.relays = self._log.beat(self._owner, alive_ms=self._lease_ms)
        self.has_replica = self._log.has_replica()
        kept = self._log.hold(self.holdings, owner=self._owner, lease_ms=self._lease_ms)
        self.drop([source for source in self.holdings if source not in kept])
        for holding in self.holdings.values():
            holding.held_until_s = started_s + self._lease_s
        share = math.ceil(len(self._log.sources) / max(self.relays, 1))
        self._give_up_surplus(len(self.holdings) - share)
        self._take_free(share - len(self.holdings), started_s=started_s)
        is_hungry = len(self.holdings) < share
        self.renew_at_s = started_s + (min(HUNGRY_S, self._lease_s / 3) if is_hungry else self._lease_s / 3)

    def store_cursors(self) -> None:
        """Write down what is delivered; a source whose lease is not ours any more is dropped instead."""
        moved = {
            source: holding.lane.cursor
            for source, holding in self.holdings.items()
            if holding.lane.cursor != holding.stored_cursor
        }
        refused = self._log.advance(moved, owner=self._owner)
        for source, cursor in moved.items():
            self.holdings[source].stored_cursor = cursor
        self.drop(refused)

    def trim(self, *, older_than_ms: int) -> int:
        """Remove what is old and relayed, each source at its time; returns how many entries went."""
        now_s = self._monotonic_s()
        due = [source for source, holding in self.holdings.items() if holding.trim_at_s <= now_s]
        for source in due:
            self.holdings[source].trim_at_s = now_s + self._trim_every_s
        return self._log.trim(due, owner=self._owner, older_than_ms=older_than_ms)

    def confirm_copied(self, lanes: Iterable[Lane]) -> bool:
        """Whether a replica has all that was read of these lanes; those which are not ours any more are dropped."""
        wanted = set(lanes)
        sources = [source for source, holding in self.holdings.items() if holding.lane in wanted]
        kept, copies = self._log.hold_and_wait(sources, owner=self._owner, lease_ms=self._lease_ms)
        self.drop([source for source in sources if source not in kept])
        return copies > 0

    def drop(self, sources: Iterable[Source]) -> None:
        """Forget what was read of these."""
        for source in tuple(sources):
            del self.holdings[source]

    def start_anew(self) -> None:
        """Forget everything that was read; the stored cursors are where to begin."""
        self.holdings.clear()
        self.renew_at_s = -math.inf

    def leave(self) -> None:
        """Store the cursors and give everything back, so that others need not wait."""
        self.store_cursors()
        self._log.release(self.holdings, owner=self._owner)
        self._log.leave(self._owner)

    @property
    def _lease_ms(self) -> int:
        return int(self._lease_s * 1000)

    def _give_up_surplus(self, surplus: int) -> None:
        if surplus <= 0:
            return
        self.store_cursors()
        quiet_first = sorted(self.holdings, key=lambda source: self.holdings[source].lane.undelivered)
        given = quiet_first[:surplus]
        self.drop(given)
        self._log.release(given, owner=self._owner)

    def _take_free(self, wanted: int, *, started_s: float) -> None:
        candidates = [source for source in self._log.sources if source not in self.holdings]
        random.shuffle(candidates)
        while wanted > 0 and candidates:
            asked, candidates = candidates[:wanted], candidates[wanted:]
            taken = sorted(
                self._log.hold(asked, owner=self._owner, lease_ms=self._lease_ms), key=lambda source: source.name
            )
            for source, cursor in self._log.cursors(taken).items():
                self.holdings[source] = Holding(
                    lane=Lane(cursor=cursor),
                    stored_cursor=cursor,
                    held_until_s=started_s + self._lease_s,
                    # Spread, so that not all are trimmed in one round.
                    trim_at_s=started_s + self._trim_every_s * len(self.holdings) / len(self._log.sources),
                )
            wanted -= len(taken)
