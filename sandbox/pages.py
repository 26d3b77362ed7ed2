"""The lists: by date, 20 a page, without a filter for the external id."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbox.dates import parse_bound
from sandbox.payments import Payment
from sandbox.replies import Json, unprocessable

PER_PAGE = 20
PER_PAGE_MOST = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of a list."""

    rows: Sequence[Payment]
    page: int
    per_page: int
    count: int

    @property
    def pages(self) -> int:
        """The number of pages."""
        return -(-self.count // self.per_page)


def page_of(payments: Sequence[Payment], query: Mapping[str, str], *, first: str, last: str) -> Page:
    """Return the page that the query asks for; `first` and `last` name its date parameters."""
    start, end = _bound(query, first, end=False), _bound(query, last, end=True)
    found = [
        payment
        for payment in payments
        if (start is None or payment.created_at >= start) and (end is None or payment.created_at <= end)
    ]
    page, per_page = _whole(query, "page", 1), min(_whole(query, "per_page", PER_PAGE), PER_PAGE_MOST)
    rows = found[(page - 1) * per_page : page * per_page]
    return Page(rows=rows, page=page, per_page=per_page, count=len(found))


def written(page: Page, row: Callable[[Payment], Json], **extra: int) -> Json:
    """Return the list's JSON."""
    return {
        **extra,
        "page": page.page,
        "per_page": page.per_page,
        "records": [row(payment) for payment in page.rows],
    }


def _bound(query: Mapping[str, str], key: str, *, end: bool) -> datetime | None:
    raw = query.get(key, "")
    bound = parse_bound(raw, end=end) if raw else None
    if raw and bound is None:
        raise unprocessable(**{key: "is invalid"})
    return bound


def _whole(query: Mapping[str, str], key: str, default: int) -> int:
    raw = query.get(key, str(default))
    if not (raw.isascii() and raw.isdigit()) or int(raw) < 1:
        raise unprocessable(**{key: "is invalid"})
    return int(raw)
