"""How the provider's limit is divided among the classes of calls."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.ports import CallClass

LOOK_INTERVALS = 5

# How many fifths of the burst a class leaves to those before it.
_FIFTHS_LEFT = {CallClass.ACT: 0, CallClass.CONFIRM: 1, CallClass.LOOK: 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRate:
    """So many calls a second, at most `burst` at once, and at most `max_concurrency` on the wire: of one merchant.

    Calls that act may use the whole burst, confirming reads leave the last fifth of it, looks the last two. A look
    is always worth a fifth of the rate: one that comes no sooner than that may use the whole burst too.
    """

    rate_per_s: float
    burst: int
    max_concurrency: int = 1_000_000

    @property
    def interval_us(self) -> int:
        """Microseconds between two calls at an even rate."""
        return round(1_000_000 / self.rate_per_s)

    @property
    def look_interval_us(self) -> int:
        """Microseconds between two looks that nothing may hold back."""
        return LOOK_INTERVALS * self.interval_us

    def share(self, call_class: CallClass, *, of_burst: int | None = None) -> int:
        """How many calls at once the class may have."""
        burst = self.burst if of_burst is None else of_burst
        return max(1, burst - burst * _FIFTHS_LEFT[call_class] // 5)
