"""Sends what lanes hold in windows with at most one event of a payment, and takes down what the broker said."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.adapters.publisher import BrokerPublisher
    from workers.relay_lane import Lane, Waiting

WINDOW_MAX = 500
PAUSE_FIRST_S = 0.1
PAUSE_MAX_S = 3.0


class Alarm(Protocol):
    """Called from the sender's thread for what a person should know."""

    def __call__(self, name: str, fields: Mapping[str, object], /) -> None:
        """`name` is stable; `fields` hold no secrets and no bodies."""
        ...


class Sender:
    """One window at a time through one publisher.

    An event counts as delivered when the broker confirmed it. A rejected one is tried again for `retry_s` and keeps
    back its own payment only; then it counts as delivered, with the alarm `event_given_up`. While the broker is
    away nothing is given up.
    """

    def __init__(
        self,
        publisher: BrokerPublisher,
        *,
        retry_s: float,
        on_alarm: Alarm,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._retry_s = retry_s
        self._on_alarm = on_alarm
        self._monotonic_s = monotonic_s
        self.counts: Counter[str] = Counter(relayed=0, rejected=0, given_up=0)
        self.failures = 0  # of the broker, since it last answered
        self.ready_at_s = 0.0  # nothing goes out before

    @property
    def error(self) -> str:
        """What the broker's last outage was."""
        return self._publisher.error

    def window(self, lanes: Sequence[Lane]) -> list[Waiting]:
        """What may go out now; it must be given to `send` or to `put_back`."""
        now_s = self._monotonic_s()
        if now_s < self.ready_at_s:
            return []
        shuffled = random.sample(lanes, len(lanes))  # so that a busy source does not always go first
        window: list[Waiting] = []
        for lane in shuffled:
            window += lane.take(limit=WINDOW_MAX - len(window), now_s=now_s)
        return window

    def send(self, window: Sequence[Waiting]) -> None:
        """Publish and wait for the answers; raises nothing for what the broker does."""
        if not window:
            return
        answers = self._publisher.publish([waiting.event for waiting in window])
        for waiting, accepted in zip(reversed(window), reversed(answers), strict=True):
            self._settle(waiting, accepted=accepted)
        if self._publisher.answered:
            self.failures = 0
            return
        self.failures += 1
        self.ready_at_s = self._monotonic_s() + pause_s(self.failures)

    def put_back(self, window: Sequence[Waiting], *, for_s: float) -> None:
        """Send nothing for so long; the window goes first then."""
        self.ready_at_s = self._monotonic_s() + for_s
        for waiting in reversed(window):
            waiting.lane.put_back(waiting)

    def _settle(self, waiting: Waiting, *, accepted: bool) -> None:
        now_s = self._monotonic_s()
        if accepted:
            self.counts["relayed"] += 1
            waiting.lane.delivered(waiting)
        elif not self._publisher.answered:
            waiting.rejected_at_s = None  # an outage takes nothing of the time that the subscriber has
            waiting.lane.put_back(waiting)
        elif waiting.rejected_at_s is not None and now_s - waiting.rejected_at_s >= self._retry_s:
            self._give_up(waiting)
        else:
            self.counts["rejected"] += 1
            waiting.lane.rejected(waiting, now_s=now_s)

    def _give_up(self, waiting: Waiting) -> None:
        self.counts["given_up"] += 1
        self._on_alarm(
            "event_given_up", {"routing_key": waiting.event.routing_key, "partition": waiting.event.partition}
        )
        waiting.lane.delivered(waiting)


def pause_s(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return float(min(PAUSE_FIRST_S * 2 ** min(failures - 1, 10), PAUSE_MAX_S))
