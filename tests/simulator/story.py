"""What happened in a run, in order: the trace whose hash tells two runs apart, and the story for a person."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Story:
    """Lines of a run, each with its virtual time."""

    def __init__(self, *, time_s: Callable[[], float], began_s: float) -> None:
        self._time_s = time_s
        self._began_s = began_s
        self._lines: list[tuple[float, str]] = []

    def tell(self, line: str) -> None:
        """Add what happened now."""
        self._lines.append((self._time_s(), line))

    @property
    def trace_hash(self) -> str:
        """The same for two runs exactly if the same happened at the same times."""
        text = "\n".join(f"{at_s:.6f} {line}" for at_s, line in self._lines)
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()

    def told(self) -> list[str]:
        """The story: the time since the beginning, and what happened."""
        return [f"{_clock(at_s - self._began_s)}  {line}" for at_s, line in self._lines]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    return f"{days}d {hours:02}:{minutes:02}:{rest:06.3f}"
