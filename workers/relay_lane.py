"""What a relay has read of one source and not delivered: order within a payment, freedom between them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.ports import PublishedEvent

UNDELIVERED_MAX = 1000  # then nothing more is read of this source
RETRY_FIRST_S = 0.2
RETRY_MAX_S = 10.0


@dataclass(kw_only=True, slots=True)
class Waiting:
    """An event on its way, with what the broker said so far."""

    lane: Lane
    entry_id: str
    event: PublishedEvent
    rejections: int = 0
    rejected_at_s: float | None = None  # first time, monotonic
    retry_at_s: float = 0.0


class Lane:
    """Entries of one source in log order; at most one of a payment is out at any time."""

    def __init__(self, *, cursor: str, held_until_s: float) -> None:
        self.read_to = cursor
        self.held_until_s = held_until_s
        self._log: deque[str] = deque()  # entries behind the cursor, in order
        self._delivered: set[str] = set()
        self._payments: dict[str, deque[Waiting]] = {}
        self._ready: deque[str] = deque()  # payments whose first event may go out
        self._held: list[Waiting] = []  # rejected ones, waiting for their next try
        self._undelivered = 0

    @property
    def undelivered(self) -> int:
        """How many events are read and not delivered."""
        return self._undelivered

    @property
    def oldest(self) -> str | None:
        """The first entry that keeps the cursor back, or None."""
        return self._log[0] if self._log else None

    @property
    def is_ready(self) -> bool:
        """Whether an event may go out now."""
        return bool(self._ready)

    @property
    def has_room(self) -> bool:
        """Whether more may be read."""
        return self._undelivered < UNDELIVERED_MAX

    @property
    def next_retry_s(self) -> float | None:
        """When the next rejected event may be tried again, monotonic."""
        return min((waiting.retry_at_s for waiting in self._held), default=None)

    def add(self, entry_id: str, event: PublishedEvent | None) -> None:
        """Append the next entry; None is an entry that cannot be published and counts as delivered."""
        self.read_to = entry_id
        self._log.append(entry_id)
        if event is None:
            self._delivered.add(entry_id)
            return
        self._undelivered += 1
        line = self._payments.setdefault(event.partition, deque())
        line.append(Waiting(lane=self, entry_id=entry_id, event=event))
        if len(line) == 1:
            self._ready.append(event.partition)

    def take(self, *, limit: int, now_s: float) -> list[Waiting]:
        """The first event of up to `limit` payments; each must be answered by one of the next three."""
        due = [waiting for waiting in self._held if waiting.retry_at_s <= now_s]
        self._held = [waiting for waiting in self._held if waiting.retry_at_s > now_s]
        self._ready.extend(waiting.event.partition for waiting in due)
        return [self._payments[self._ready.popleft()][0] for _ in range(min(limit, len(self._ready)))]

    def delivered(self, waiting: Waiting) -> None:
        """The broker has it, or it was given up: the payment's next event may follow."""
        self._undelivered -= 1
        self._delivered.add(waiting.entry_id)
        line = self._payments[waiting.event.partition]
        line.popleft()
        if line:
            self._ready.append(waiting.event.partition)
        else:
            del self._payments[waiting.event.partition]

    def rejected(self, waiting: Waiting, *, now_s: float) -> None:
        """The broker refused it: it and the payment's later events wait, with longer and longer pauses."""
        if waiting.rejected_at_s is None:
            waiting.rejected_at_s = now_s
        waiting.retry_at_s = now_s + min(RETRY_FIRST_S * 2 ** min(waiting.rejections, 10), RETRY_MAX_S)
        waiting.rejections += 1
        self._held.append(waiting)

    def put_back(self, waiting: Waiting) -> None:
        """Nobody answered: it goes first when the broker is back, and this counts as nothing."""
        self._ready.appendleft(waiting.event.partition)

    def pass_delivered(self) -> str | None:
        """Forget the entries delivered without a gap; returns the last, the new cursor, or None."""
        cursor = None
        while self._log and self._log[0] in self._delivered:
            cursor = self._log.popleft()
            self._delivered.discard(cursor)
        return cursor
