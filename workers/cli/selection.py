"""Which payments are meant: the filters of `list` and `resolve`, and the scan that finds them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from orchestrator.codec import decode
from orchestrator.errors import StoreCorruptError
from orchestrator.flows import FLOWS
from orchestrator.payment import public_view
from orchestrator.statuses import Review, Status
from workers.cli.options import seconds
from workers.cli.screen import complain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from orchestrator.adapters.redis_store import RedisStore
    from orchestrator.payment import Payment
    from orchestrator.ports import Record

KEYS = ("status", "flow", "merchant", "older-than", "review")
REPEATABLE = frozenset({"status", "review"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which payments are wanted; None is any. Of several statuses or reviews one is enough."""

    statuses: frozenset[str]
    flow: str | None
    merchant: str | None
    accepted_before_ms: int | None
    reviews: frozenset[str] = frozenset()

    def takes(self, payment: Payment) -> bool:
        """Whether this is one of them, by the status that the world sees."""
        return (
            (not self.statuses or public_view(payment).status in self.statuses)
            and self.flow in {None, payment.flow}
            and self.merchant in {None, payment.key.merchant}
            and (self.accepted_before_ms is None or payment.accepted_at_ms < self.accepted_before_ms)
            and (not self.reviews or not self.reviews.isdisjoint(payment.review))
        )


@dataclass(kw_only=True, slots=True)
class Found:
    """What a scan came upon."""

    records: list[Record]
    unreadable: int = 0
    is_cut: bool = False


def filter_of(
    *,
    status: Sequence[str] = (),
    flow: str | None = None,
    merchant: str | None = None,
    older_than: str | None = None,
    review: Sequence[str] = (),
    option: str | None = None,
) -> Filter:
    """The filter in these words; raises typer.BadParameter, naming `option` or the one of the word at fault."""
    return Filter(
        statuses=frozenset(_known(status, tuple(Status), option or "--status")),
        flow=_known([flow], tuple(FLOWS), option or "--flow")[0] if flow else None,
        merchant=merchant,
        accepted_before_ms=int(time.time() * 1000) - seconds(older_than) * 1000 if older_than else None,
        reviews=frozenset(_known(review, tuple(Review), option or "--review")),
    )


def parsed_filter(words: Iterable[str], *, option: str = "--filter") -> Filter:
    """The filter in `status=in_doubt`, `older-than=10m` and the like; raises typer.BadParameter."""
    given: dict[str, list[str]] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if name not in KEYS or not sign or not value:
            raise typer.BadParameter(f"{word!r} is not NAME=VALUE with one of {', '.join(KEYS)}", param_hint=option)
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        if len(values) > 1 and name not in REPEATABLE:
            raise typer.BadParameter(f"{name} is given twice", param_hint=option)
    single = {name.replace("-", "_"): values[0] for name, values in given.items() if name not in REPEATABLE}
    return filter_of(status=given.get("status", ()), review=given.get("review", ()), option=option, **single)


async def scan(store: RedisStore, wanted: Filter, limit: int) -> Found:
    """The first payments that the filter takes, without stopping anybody."""
    found = Found(records=[])
    seen = set()
    async for record in _each(store.scan()):
        if record.key in seen:
            continue
        seen.add(record.key)
        try:
            is_wanted = wanted.takes(decode(record.body))
        except StoreCorruptError:
            found.unreadable += 1
            continue
        if is_wanted and len(found.records) == limit:
            found.is_cut = True
            break
        if is_wanted:
            found.records.append(record)
    found.records.sort(key=lambda record: decode(record.body).accepted_at_ms)
    return found


async def _each(records: AsyncIterator[Record]) -> AsyncIterator[Record]:
    """The scan as it comes, with a word on standard error where it takes long."""
    started_s = told_s = time.monotonic()
    count = 0
    async for record in records:
        count += 1
        if time.monotonic() - told_s > 1:
            told_s = time.monotonic()
            complain(f"looked at {count} payments in {told_s - started_s:.0f} s …")
        yield record


def _known(given: Sequence[str], words: tuple[str, ...], option: str) -> Sequence[str]:
    for each in given:
        if each not in words:
            raise typer.BadParameter(f"{each!r} is none of {', '.join(words)}", param_hint=option)
    return given
