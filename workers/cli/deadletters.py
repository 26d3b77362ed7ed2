"""`payorch deadletters list|show ID`."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from redis.exceptions import RedisError

from orchestrator.adapters.redis_connection import connect, unavailable
from orchestrator.adapters.redis_keys import RedisKeys
from workers.bootstrap import build_settings
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, examples
from workers.cli.redacted import redacted_body
from workers.cli.screen import complain, say, say_json, say_table, without_addresses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from workers.bootstrap import Settings

LIMIT = 50
PAGE = 500
COLUMNS = ("id", "at", "code", "field", "payment", "origin", "message")
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)

Entry = dict[str, Any]


@app.callback()
def deadletters() -> None:
    """Show messages and commands that were refused. Their bodies are shown redacted."""


@app.command("list", epilog=examples("payorch deadletters list", "payorch deadletters list --code invalid_json --json"))
def list_entries(
    code: Annotated[str | None, typer.Option("--code", help="Only those refused with this code.")] = None,
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant's.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = LIMIT,
    as_json: AsJson = False,
) -> None:
    """Show the newest refusals first; with --json one a line."""
    wanted = asyncio.run(_newest(build_settings(), code=code, merchant=merchant, at_most=limit + 1))
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
    if not _ENTRY_ID.fullmatch(entry_id):
        raise typer.BadParameter("an ID looks like 1795228012345-0", param_hint="ID")
    entry = asyncio.run(_one(build_settings(), entry_id))
    if entry is None:
        complain(f"there is no refusal {entry_id}")
        raise typer.Exit(FAILED)
    if as_json:
        say_json(entry)
        return
    body = entry.pop("body")
    for name, value in entry.items():
        if value is not None:
            say(f"{name.ljust(11)}  {value}")
    for line in json.dumps(body, indent=2, ensure_ascii=False).splitlines():
        say(line)


async def _one(settings: Settings, entry_id: str) -> Entry | None:
    async with _stream(settings) as read:
        return next(iter(await read(entry_id, entry_id)), None)


async def _newest(settings: Settings, *, code: str | None, merchant: str | None, at_most: int) -> list[Entry]:
    wanted: list[Entry] = []
    newest = "+"
    async with _stream(settings) as read:
        while len(wanted) < at_most and (page := await read(newest, "-")):
            wanted += [each for each in page if code in {None, each["code"]} and merchant in {None, each["merchant"]}]
            newest = f"({page[-1]['id']}"
    return wanted[:at_most]


@asynccontextmanager
async def _stream(settings: Settings) -> AsyncIterator[Callable[[str, str], Awaitable[list[Entry]]]]:
    """Hand out a function that reads a page between two ids, the newest first."""
    name = RedisKeys(namespace=settings.namespace, shards=settings.shards).dead_letters
    client: Any = connect(settings.redis_url)

    async def read(newest: str, oldest: str) -> list[Entry]:
        try:
            return [_entry(*pair) for pair in await client.xrevrange(name, newest, oldest, count=PAGE)]
        except (RedisError, OSError) as error:
            raise unavailable(error) from error

    try:
        yield read
    finally:
        await client.aclose()


def _entry(entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    text = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items() if name != b"body"}
    known = {name: text.get(name) or None for name in ("at", "code", "field", "origin", "merchant", "intent_id")}
    payment = "/".join(filter(None, (known["merchant"], known["intent_id"]))) or None
    return {
        "id": entry_id.decode(),
        **known,
        "payment": payment,
        "message": without_addresses(text.get("message", "")),
        "command": text.get("command") or None,
        "redrivable": text.get("redrivable") == "true",
        "refusal_id": text.get("refusal_id"),
        "body": redacted_body(fields.get(b"body", b"")),
    }
