from __future__ import annotations

import pytest

from workers.moments import moment_ms

NOW_MS = 1_795_228_984_567  # 2026-11-21T02:43:04.567Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", NOW_MS - 90_000),
        ("10m", NOW_MS - 600_000),
        ("2h", NOW_MS - 7_200_000),
        (" 7d ", NOW_MS - 7 * 86_400_000),
        ("999999999d", 0),
        ("1970-01-01T00:00:01Z", 1000),
        ("2026-11-21T02:43:04.567Z", NOW_MS),
        ("2026-11-21T03:43:04.567+01:00", NOW_MS),
        ("1960-01-01T00:00:00Z", 0),
    ],
)
def test_a_time_or_an_age_is_a_moment(text, expected):
    assert moment_ms(text, now_ms=NOW_MS) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2", "2 h", "2w", "-2h", "2026-11-21T02:03:04", "2026-11-21"])
def test_anything_else_is_refused_with_what_would_do(text):
    with pytest.raises(ValueError, match="2026-11-21T02:03:04Z, or how long ago"):
        moment_ms(text, now_ms=NOW_MS)
