"""Replies in hand: who heard one writes it down, or leaves it for the payment's owner, unless it dies first (I2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.history import What, entry_of

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey
    from orchestrator.payment import Payment
    from tests.simulator.loop import Life
    from tests.simulator.world import World

KEPT_WITHIN_S = 300.0  # the store may be away, and again
_COUNTED = frozenset({What.REPLY, What.LEFT_OUT})


class Replies:
    """Knows which replies were heard, and have left no trace in the store yet."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._in_hand: dict[tuple[str, str], tuple[float, str]] = {}  # by worker and intent

    def heard(self, life: Life, intent: str, what: str) -> None:
        """The answer to a call that can move money is in a worker's hand."""
        self._in_hand[life.name, intent] = self._world.loop.time(), what

    def written(self, life: str, before: Payment | None, after: Payment) -> None:
        """A worker wrote the payment: what it had heard is in its history."""
        place = life, str(after.key)
        if place in self._in_hand and _replies(after) > (_replies(before) if before else 0):
            del self._in_hand[place]

    def left(self, key: PaymentKey) -> None:
        """A reply was left for the payment's owner."""
        for place in [place for place in self._in_hand if place[1] == str(key)]:
            del self._in_hand[place]

    def die(self, life: Life) -> None:
        """What a worker heard shortly before its death may be lost with it."""
        now_s = self._world.loop.time()
        for place, (at_s, _) in list(self._in_hand.items()):
            if place[0] == life.name and now_s - at_s < KEPT_WITHIN_S:
                del self._in_hand[place]

    def lost(self) -> list[tuple[str, str]]:
        """What was heard so long ago and never kept."""
        now_s = self._world.loop.time()
        return [
            ("I2", f"{life} heard the answer to the {what} of {intent}, lived on and never wrote it down")
            for (life, intent), (at_s, what) in self._in_hand.items()
            if now_s - at_s >= KEPT_WITHIN_S
        ]


def _replies(payment: Payment) -> int:
    """How many replies its history tells of; entries that it left out may have been some."""
    entries = (entry_of(line) for line in payment.history)
    return sum(entry.times for entry in entries if entry.what in _COUNTED)
