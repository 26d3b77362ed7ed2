"""Points in time as a person writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGE = re.compile(r"(\d{1,9})([smhd])")
_MILLISECOND = timedelta(milliseconds=1)
WANTED = "a time such as 2026-11-21T02:03:04Z, or how long ago: 90s, 10m, 2h, 7d"


def moment_ms(text: str, *, now_ms: int) -> int:
    """Milliseconds since the epoch of an RFC 3339 time or of an age such as `2h`; raises ValueError."""
    age = _AGE.fullmatch(text.strip())
    if age is not None:
        return max(now_ms - int(age[1]) * _UNITS_MS[age[2]], 0)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"give {WANTED}") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone; give {WANTED}")
    return max((moment - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND, 0)
