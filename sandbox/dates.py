"""The provider's ways to write a date."""

from datetime import UTC, datetime, timedelta

REQUEST_FORMATS = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f",
)
DAY_FORMATS = ("%d/%m/%y", "%d/%m/%Y")


def parse_moment(raw: object) -> datetime | None:
    """Read a date and time, UTC unless it says otherwise; None if it is none."""
    for pattern in REQUEST_FORMATS if isinstance(raw, str) else ():
        try:
            moment = datetime.strptime(str(raw), pattern)  # noqa: DTZ007  (the zone is set in the next line)
        except ValueError:
            continue
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    return None


def parse_bound(raw: str, *, end: bool) -> datetime | None:
    """Read a list's bound, a moment or a whole day `DD/MM/YY`; None if it is neither."""
    for pattern in DAY_FORMATS:
        try:
            day = datetime.strptime(raw, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
        return day + timedelta(days=1) - timedelta(microseconds=1) if end else day
    return parse_moment(raw)


def with_offset(moment: datetime | None) -> str:
    """Write `2021-12-23T06:00:00.000+0000`, as in create replies and webhooks; empty for no date."""
    return f"{_thousandths(moment)}+0000" if moment else ""


def with_z(moment: datetime | None) -> str:
    """Write `2024-07-29T15:51:28.071Z`, as in the detail page; empty for no date."""
    return f"{_thousandths(moment)}Z" if moment else ""


def in_whole_seconds(moment: datetime | None) -> str:
    """Write `2024-12-31T23:59:59Z`, as in the v1 pages; empty for no date."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _thousandths(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
