"""`payorch list`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.flows import FLOWS
from workers.bootstrap import build_settings, open_store
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, examples
from workers.cli.screen import complain, say, say_json, say_table
from workers.cli.selection import Filter, Found, filter_of, scan
from workers.cli.views import COLUMNS, row_of, view_of

if TYPE_CHECKING:
    from workers.bootstrap import Settings

LIMIT = 100
EXAMPLES = examples(
    "payorch list --status in_doubt --older-than 10m",
    "payorch list --status requires_action --flow card",
    "payorch list --review amount_mismatch --review underpaid",
    "payorch list --limit 100000 --json | jq -r .intent_id",
)
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("list", epilog=EXAMPLES)
def list_payments(
    status: Annotated[list[str] | None, typer.Option("--status", "-s", help="Only these; may be repeated.")] = None,
    flow: Annotated[str | None, typer.Option("--flow", "-f", help=f"Only this: {', '.join(FLOWS)}.")] = None,
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant's.")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Accepted longer ago: 90s, 10m, 2h, 7d.")
    ] = None,
    review: Annotated[list[str] | None, typer.Option("--review", help="Only with one of these reviews.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="At most so many, whichever are found first.")
    ] = LIMIT,
    as_json: AsJson = False,
) -> None:
    """Show stored payments, oldest first; with --json one payment a line.

    All of Redis is looked through, without stopping anybody.
    """
    wanted = filter_of(status=status or [], flow=flow, merchant=merchant, older_than=older_than, review=review or [])
    _show(asyncio.run(_scan(build_settings(), wanted, limit)), now_ms=int(time.time() * 1000), as_json=as_json)


def _show(found: Found, *, now_ms: int, as_json: bool) -> None:
    if as_json:
        for record in found.records:
            say_json(view_of(record))
    elif found.records:
        say_table(COLUMNS, [row_of(record, now_ms=now_ms) for record in found.records])
    else:
        say("no such payment is stored")
    if found.is_cut:
        complain(f"there are more than these {len(found.records)}; --limit shows them")
    if found.unreadable:
        complain(f"{found.unreadable} stored payments cannot be read by this version and are left out")
        raise typer.Exit(FAILED)


async def _scan(settings: Settings, wanted: Filter, limit: int) -> Found:
    store = open_store(settings)
    try:
        return await scan(store, wanted, limit)
    finally:
        await store.close()
