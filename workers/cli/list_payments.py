"""`payorch list`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.codec import decode
from orchestrator.errors import StoreCorruptError
from orchestrator.flows import FLOWS
from orchestrator.payment import public_view
from orchestrator.statuses import Status
from workers.bootstrap import build_settings, open_store
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, examples, seconds
from workers.cli.screen import complain, say, say_json, say_table
from workers.cli.views import COLUMNS, row_of, view_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orchestrator.payment import Payment
    from orchestrator.ports import Record
    from workers.bootstrap import Settings

LIMIT = 100
EXAMPLES = examples(
    "payorch list --status in_doubt --older-than 10m",
    "payorch list --status requires_action --flow card",
    "payorch list --limit 100000 --json | jq -r .intent_id",
)
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which payments are wanted; None is any."""

    statuses: frozenset[str]
    flow: str | None
    merchant: str | None
    accepted_before_ms: int | None

    def takes(self, payment: Payment) -> bool:
        """Whether this is one of them, by the status that the world sees."""
        return (
            (not self.statuses or public_view(payment).status in self.statuses)
            and self.flow in {None, payment.flow}
            and self.merchant in {None, payment.key.merchant}
            and (self.accepted_before_ms is None or payment.accepted_at_ms < self.accepted_before_ms)
        )


@dataclass(kw_only=True, slots=True)
class Found:
    """What a scan came upon."""

    records: list[Record]
    unreadable: int = 0
    is_cut: bool = False


@app.command("list", epilog=EXAMPLES)
def list_payments(
    status: Annotated[list[str] | None, typer.Option("--status", "-s", help="Only these; may be repeated.")] = None,
    flow: Annotated[str | None, typer.Option("--flow", "-f", help=f"Only this: {', '.join(FLOWS)}.")] = None,
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant's.")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Accepted longer ago: 90s, 10m, 2h, 7d.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="At most so many, whichever are found first.")
    ] = LIMIT,
    as_json: AsJson = False,
) -> None:
    """Show stored payments, oldest first; with --json one payment a line.

    All of Redis is looked through, without stopping anybody.
    """
    now_ms = int(time.time() * 1000)
    wanted = Filter(
        statuses=frozenset(_known(status or [], tuple(Status), "--status")),
        flow=_known([flow], tuple(FLOWS), "--flow")[0] if flow else None,
        merchant=merchant,
        accepted_before_ms=now_ms - seconds(older_than) * 1000 if older_than else None,
    )
    found = asyncio.run(_scan(build_settings(), wanted, limit))
    _show(found, now_ms=now_ms, as_json=as_json)


def _show(found: Found, *, now_ms: int, as_json: bool) -> None:
    records = sorted(found.records, key=lambda record: decode(record.body).accepted_at_ms)
    if as_json:
        for record in records:
            say_json(view_of(record))
    elif records:
        say_table(COLUMNS, [row_of(record, now_ms=now_ms) for record in records])
    else:
        say("no such payment is stored")
    if found.is_cut:
        complain(f"there are more than these {len(records)}; --limit shows them")
    if found.unreadable:
        complain(f"{found.unreadable} stored payments cannot be read by this version and are left out")
        raise typer.Exit(FAILED)


async def _scan(settings: Settings, wanted: Filter, limit: int) -> Found:
    store = open_store(settings)
    found = Found(records=[])
    seen = set()
    try:
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
    finally:
        await store.close()
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


def _known(given: list[str], words: tuple[str, ...], option: str) -> list[str]:
    for each in given:
        if each not in words:
            raise typer.BadParameter(f"{each!r} is none of {', '.join(words)}", param_hint=option)
    return given
