"""When calls with one set of credentials stop because the provider is away, and how they begin again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

OPENS_AT = 5  # failures more than successes; a success takes one away
FORGOTTEN_AFTER_MS = 60_000  # failures without another outcome
PROBE_FIRST_MS = 1_000
PROBE_MAX_MS = 30_000
PROBES_PER_OUTAGE = 10  # the gap between probes is this part of the outage so far
RAMP_MS = 30_000  # from the first sign of life until the whole limit is used again
RAMP_FROM = 10  # at first so many times slower


class Turn(StrEnum):
    """What an outcome changed."""

    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """Times in milliseconds of the clock that all workers share."""

    failures: int = 0
    failed_ms: int = 0
    opened_ms: int | None = None
    probe_ms: int = 0  # not before
    closed_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing but probes may be sent."""
        return self.opened_ms is not None

    def after(self, *, is_alive: bool, now_ms: int) -> tuple[Breaker, Turn | None]:
        """The breaker after an outcome. One failure opens it again until a success was seen after it closed."""
        failures = 0 if now_ms - self.failed_ms > FORGOTTEN_AFTER_MS and not self.is_open else self.failures
        if is_alive and self.is_open:
            return Breaker(failures=OPENS_AT - 1, failed_ms=now_ms, closed_ms=now_ms), Turn.CLOSED
        if is_alive:
            return replace(self, failures=max(0, failures - 1)), None
        seen = replace(self, failures=min(failures + 1, OPENS_AT), failed_ms=now_ms)
        if self.is_open or seen.failures < OPENS_AT:
            return seen, None
        return replace(seen, opened_ms=now_ms, probe_ms=now_ms + PROBE_FIRST_MS, closed_ms=None), Turn.OPENED

    def after_probe(self, *, now_ms: int) -> Breaker:
        """The breaker once a probe was let through: the next one waits, the longer the outage the longer."""
        gap_ms = (now_ms - (self.opened_ms or now_ms)) // PROBES_PER_OUTAGE
        return replace(self, probe_ms=now_ms + min(max(gap_ms, PROBE_FIRST_MS), PROBE_MAX_MS))

    def slowness(self, *, now_ms: int) -> float:
        """How many times slower than its limit an account is called: 10 after an outage, 1 after half a minute."""
        if self.closed_ms is None:
            return 1.0
        return min(float(RAMP_FROM), max(1.0, RAMP_MS / max(1, now_ms - self.closed_ms)))
