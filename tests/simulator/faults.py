"""What may go wrong: each seed has its own weather, in which some faults are frequent and others never happen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulator.dice import Dice

# How likely each fault is at each occasion, where the seed has it at all.
RATES: dict[str, tuple[float, float]] = {
    # a process, at a call to a port
    "crash before a call": (0.002, 0.03),
    "crash during a call": (0.002, 0.03),
    "freeze": (0.002, 0.03),
    "drain": (0.001, 0.01),
    "struck before a call leaves": (0.02, 0.2),
    "struck while a call is on the wire": (0.02, 0.2),
    # between a process and the store
    "store call lost": (0.005, 0.1),
    "store answer lost": (0.005, 0.1),
    "store slow": (0.01, 0.1),
    "store cut off": (0.001, 0.01),
    "store away": (0.001, 0.01),
    "payment unreadable": (0.005, 0.05),
    "state lost before": (0.1, 0.5),
    "store tail lost": (0.005, 0.05),
    "bell lost": (0.05, 0.9),
    "replica behind": (0.05, 0.5),
    # the queue of intents, and the shop
    "message twice": (0.05, 0.5),
    "message late": (0.05, 0.5),
    "message unreadable": (0.05, 0.5),
    "intent in conflict": (0.05, 0.5),
    "command twice": (0.1, 0.5),
    "command in conflict": (0.1, 0.5),
    # between a worker and the provider
    "call not sent": (0.02, 0.3),
    "call lost": (0.02, 0.3),
    "reply lost": (0.02, 0.3),
    "reply slow": (0.02, 0.3),
    "call slow": (0.02, 0.2),
    "provider cut off": (0.002, 0.02),
    # the provider itself
    "error before the deed": (0.02, 0.3),
    "error after the deed": (0.02, 0.3),
    "reply garbled": (0.02, 0.2),
    "too many requests": (0.02, 0.3),
    "unauthorised": (0.005, 0.05),
    "no access token": (0.05, 0.3),
    "read garbled": (0.02, 0.3),
    "status not announced": (0.05, 0.6),
    "unknown status": (0.05, 0.5),
    # webhooks
    "webhook lost": (0.05, 0.8),
    "webhook twice": (0.05, 0.6),
    "webhook late": (0.05, 0.6),
    "webhook answer lost": (0.05, 0.6),
    "webhook forged": (0.02, 0.2),
    # events on their way to subscribers
    "event log away": (0.002, 0.05),
    "broker away": (0.005, 0.1),
    "event rejected": (0.01, 0.1),
    "confirm lost": (0.01, 0.1),
    # what comes at the worst moment, and what nobody has thought of
    "freeze at a call": (0.05, 0.5),
    "status unheard of": (0.1, 0.7),
    "defect": (0.1, 0.6),
}
STRIKES = frozenset(
    {
        "crash before a call",
        "crash during a call",
        "freeze",
        "drain",
        "store cut off",
        "store away",
        "provider cut off",
    }
)
PRESENT = 0.3  # of the faults a seed has
CALM_SEEDS = 0.03  # seeds in which nothing goes wrong


class Weather:
    """The faults of one seed, until it clears up."""

    def __init__(self, dice: Dice) -> None:
        self.met: Counter[str] = Counter()
        self._dice = dice
        present = 0.0 if dice.chance(CALM_SEEDS) else PRESENT * dice.between(0.3, 2.0)
        self._rates = {kind: dice.skewed(*rates) for kind, rates in RATES.items() if dice.chance(present)}
        self._strikes = not STRIKES.isdisjoint(self._rates)

    @property
    def strikes(self) -> bool:
        """Whether processes, the store or the provider as a whole may be struck."""
        return self._strikes

    @property
    def kinds(self) -> tuple[str, ...]:
        """The faults that may happen in this seed."""
        return tuple(self._rates)

    def brings(self, kind: str) -> bool:
        """Whether this fault happens at this occasion."""
        rate = self._rates.get(kind)
        if rate is None or self._dice.fraction() >= rate:
            return False
        self.met[kind] += 1
        return True

    def has(self, kind: str) -> bool:
        """Whether the seed has this fault at all."""
        return kind in self._rates

    def clear_up(self) -> None:
        """From now on nothing goes wrong."""
        self._rates.clear()
        self._strikes = False
