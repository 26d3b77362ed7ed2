"""What a relay has read of one source and not delivered: order within a payment, freedom between them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.ports import PublishedEvent

READ_AHEAD_MAX = 1000  # events that may go out and did not yet; then nothing more is read of this source
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
    is_held: bool = False  # until then


class Lane:
    """Entries of one source in log order; at most one of a payment is out at any time."""

    def __init__(self, *, cursor: str) -> None:
        self.read_to = cursor
        self._undelivered: dict[str, str] = {}  # entry -> the entry read before it, in log order
        self._payments: dict[str, deque[Waiting]] = {}
        self._ready: deque[str] = deque()  # payments whose first event may go out
        self._held: list[Waiting] = []  # rejected ones, waiting for their next try
        self._held_back = 0

    @property
    def undelivered(self) -> int:
        """How many events are read and not delivered."""
        return len(self._undelivered)

    @property
    def held_back(self) -> int:
        """How many of them wait for a rejected event, which is one of them."""
        return self._held_back

    @property
    def cursor(self) -> str:
        """The last entry before which, itself included, everything is delivered."""
        return next(iter(self._undelivered.values()), self.read_to)

    @property
    def oldest(self) -> str | None:
        """The first entry that keeps the cursor back, or None."""
        return next(iter(self._undelivered), None)

    @property
    def is_ready(self) -> bool:
        """Whether an event may go out now."""
        return bool(self._ready)

    @property
    def has_room(self) -> bool:
        """Whether more may be read; what rejected events hold back takes no room from other payments."""
        return self.undelivered - self._held_back < READ_AHEAD_MAX

    @property
    def next_retry_s(self) -> float | None:
        """When the next rejected event may be tried again, monotonic."""
        return min((waiting.retry_at_s for waiting in self._held), default=None)

    def add(self, entry_id: str, event: PublishedEvent | None) -> None:
        """Append the next entry; None is an entry that cannot be published and counts as delivered."""
        before, self.read_to = self.read_to, entry_id
        if event is None:
            return
        self._undelivered[entry_id] = before
        line = self._payments.setdefault(event.partition, deque())
        line.append(Waiting(lane=self, entry_id=entry_id, event=event))
        if len(line) == 1:
            self._ready.append(event.partition)
        elif line[0].is_held:
            self._held_back += 1

    def take(self, *, limit: int, now_s: float) -> list[Waiting]:
        """The first event of up to `limit` payments; each must be answered by one of the next three."""
        if self._held:
            self._free_due(now_s)
        return [self._payments[self._ready.popleft()][0] for _ in range(min(limit, len(self._ready)))]

    def delivered(self, waiting: Waiting) -> None:
        """The broker has it, or it was given up: the payment's next event may follow."""
        del self._undelivered[waiting.entry_id]
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
        waiting.is_held = True
        self._held.append(waiting)
        self._held_back += len(self._payments[waiting.event.partition])

    def put_back(self, waiting: Waiting) -> None:
        """Nobody answered: it goes first when the broker is back, and this counts as nothing."""
        self._ready.appendleft(waiting.event.partition)

    def _free_due(self, now_s: float) -> None:
        due = [waiting for waiting in self._held if waiting.retry_at_s <= now_s]
        self._held = [waiting for waiting in self._held if waiting.retry_at_s > now_s]
        for waiting in due:
            waiting.is_held = False
            self._held_back -= len(self._payments[waiting.event.partition])
            self._ready.append(waiting.event.partition)
