"""`payorch deadletters list|show|redrive|drop`."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Annotated

import typer

from workers.bootstrap import build_settings
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, examples
from workers.cli.redriving import Chosen, carry_out
from workers.cli.refusals import open_refusals
from workers.cli.screen import complain, say, say_json, say_table

if TYPE_CHECKING:
    from workers.bootstrap import Settings
    from workers.cli.redriving import Deed
    from workers.cli.refusals import Letter

LIMIT = 50
COLUMNS = ("id", "at", "code", "field", "payment", "origin", "message")
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)

Code = Annotated[str | None, typer.Option("--code", help="Only those refused with this code.")]
Merchant = Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant's.")]
EntryIds = Annotated[list[str] | None, typer.Argument(metavar="ID", help="As `payorch deadletters list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="All there are.")]


@app.callback()
def deadletters() -> None:
    """Show messages and commands that were refused, send them again, drop them. Their bodies are shown redacted."""


@app.command("list", epilog=examples("payorch deadletters list", "payorch deadletters list --code invalid_json --json"))
def list_entries(
    code: Code = None,
    merchant: Merchant = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = LIMIT,
    as_json: AsJson = False,
) -> None:
    """Show the newest refusals first; with --json one a line."""
    letters = asyncio.run(_newest(build_settings(), code=code, merchant=merchant, at_most=limit + 1))
    wanted = [letter.entry for letter in letters]
    if as_json:
        for each in wanted[:limit]:
            say_json({name: value for name, value in each.items() if name != "body"})
    elif wanted:
        say_table(COLUMNS, [[str(each[name] or "") for name in COLUMNS] for each in wanted[:limit]])
    else:
        say("no message was refused" if code is None and merchant is None else "no such message was refused")
    if len(wanted) > limit:
        complain("there are older ones; --limit shows them")


@app.command(
    "show", epilog=examples("payorch deadletters show 1795228012345-0", "payorch deadletters show 17952…-0 --json")
)
def show(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="As `payorch deadletters list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show one refusal with its redacted body; exit status 1 if there is none."""
    _check(entry_id)
    letter = asyncio.run(_one(build_settings(), entry_id))
    if letter is None:
        complain(f"there is no refusal {entry_id}")
        raise typer.Exit(FAILED)
    entry = letter.entry
    if as_json:
        say_json(entry)
        return
    body = entry.pop("body")
    for name, value in entry.items():
        if value is not None:
            say(f"{name.ljust(11)}  {value}")
    for line in json.dumps(body, indent=2, ensure_ascii=False).splitlines():
        say(line)


@app.command(
    "redrive",
    epilog=examples(
        "payorch deadletters redrive 1795228012345-0", "payorch deadletters redrive --code unknown_merchant"
    ),
)
def redrive(
    entry_ids: EntryIds = None,
    code: Code = None,
    merchant: Merchant = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Send refused messages again as they came, the oldest first, after what was wrong has been put right.

    A message that is refused again is a new entry. Exit status 1 if one was left where it was.
    """
    _carry_out("redriven", entry_ids or [], code=code, merchant=merchant, everything=everything, as_json=as_json)


@app.command(
    "drop", epilog=examples("payorch deadletters drop 1795228012345-0", "payorch deadletters drop --code invalid_json")
)
def drop(
    entry_ids: EntryIds = None,
    code: Code = None,
    merchant: Merchant = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Take refused messages out for ever; who did it stays in the audit stream. Exit status 1 if one was not there."""
    _carry_out("dropped", entry_ids or [], code=code, merchant=merchant, everything=everything, as_json=as_json)


def _carry_out(
    deed: Deed, entry_ids: list[str], *, code: str | None, merchant: str | None, everything: bool, as_json: bool
) -> None:
    for entry_id in entry_ids:
        _check(entry_id)
    if bool(entry_ids) + bool(code or merchant) + everything != 1:
        raise typer.BadParameter("give IDs, or --code or --merchant, or --all", param_hint="ID")
    chosen = Chosen(letter_ids=tuple(entry_ids), code=code, merchant=merchant)
    told = asyncio.run(carry_out(chosen, build_settings(), deed=deed))
    if as_json:
        say_json(
            {
                deed: told.done,
                "left": [{"id": each, "why": why} for each, why in told.left.items()],
                "error": told.error or None,
            }
        )
    else:
        say(f"{len(told.done)} {deed}" + (f", {len(told.left)} left" if told.left else ""))
        for letter_id, why in told.left.items():
            complain(f"{letter_id}: {why}")
    if told.error:
        complain(told.error)
    if told.left or told.error:
        raise typer.Exit(FAILED)


def _check(entry_id: str) -> None:
    if not _ENTRY_ID.fullmatch(entry_id):
        raise typer.BadParameter("an ID looks like 1795228012345-0", param_hint="ID")


async def _one(settings: Settings, entry_id: str) -> Letter | None:
    async with open_refusals(settings) as refusals:
        return await refusals.one(entry_id)


async def _newest(settings: Settings, *, code: str | None, merchant: str | None, at_most: int) -> list[Letter]:
    async with open_refusals(settings) as refusals:
        return await refusals.newest(code=code, merchant=merchant, at_most=at_most)
