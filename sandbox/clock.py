"""Two times: the calendar (wall time) and the sandbox clock, which may run faster and be pushed on."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Counts sandbox seconds; `speed` of them pass in one wall second, none at speed 0.

    Dates that travel in bodies stay wall time, so that a client's dates and ours agree at any speed;
    only waiting periods (retries, settlement, expiry) run on the sandbox seconds.
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        calendar: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Start at sandbox second 0."""
        self._monotonic = monotonic
        self._calendar = calendar
        self._speed = speed
        self._base_s = 0.0
        self._started = monotonic()

    def now(self) -> datetime:
        """Return the calendar's date and time in UTC."""
        return self._calendar()

    def elapsed_s(self) -> float:
        """Return the sandbox seconds since the start."""
        return self._base_s + (self._monotonic() - self._started) * self._speed

    @property
    def pace(self) -> float:
        """The sandbox seconds that pass in one wall second; 1 for a clock that stands still and is only pushed."""
        return self._speed or 1.0

    def set_speed(self, speed: float) -> None:
        """Run at another speed from now on."""
        self._base_s, self._started, self._speed = self.elapsed_s(), self._monotonic(), speed

    def push_to(self, elapsed_s: float) -> None:
        """Move the sandbox clock forward to `elapsed_s`; never backward."""
        self._base_s += max(0.0, elapsed_s - self.elapsed_s())

    def wall_delay_s(self, due_s: float) -> float | None:
        """Return the wall seconds until the sandbox second `due_s`; None if the clock stands still."""
        left_s = due_s - self.elapsed_s()
        if left_s <= 0:
            return 0.0
        return left_s / self._speed if self._speed else None
