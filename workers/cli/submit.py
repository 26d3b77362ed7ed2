"""`payorch submit FILE`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.card_numbers import mask_text
from orchestrator.client import IntentClient, NotConfirmedError
from orchestrator.errors import RefusedError
from orchestrator.intent import parse_intent
from orchestrator.message import parse_message
from workers.bootstrap import build_settings
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, examples
from workers.cli.progress import Progress
from workers.cli.screen import complain, say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WINDOW = 200
EXAMPLES = examples(
    "payorch submit order.json",
    "payorch submit orders.jsonl --json",
    "generate-orders | payorch submit -",
)
app = typer.Typer(rich_markup_mode=None, add_completion=False)

Item = tuple[int, bytes]  # the line or the number, and what stands there


@dataclass(frozen=True, kw_only=True, slots=True)
class Bad:
    """An intent that was not sent, and why; says what the worker would have said."""

    number: int  # the line of a file of lines
    code: str
    field: str | None
    message: str


@app.command(epilog=EXAMPLES)
def submit(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A .json file (an object or a list), .jsonl (one a line), or -.")
    ],
    no_check: Annotated[bool, typer.Option("--no-check", help="Send without looking; the worker refuses.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send payment intents, each confirmed by the broker; those with an error are told and not sent.

    May be run again with the same file: nothing happens twice. Exit status 1 if not all were sent.
    """
    settings = build_settings()
    items, total = _items(source)
    bad: list[Bad] = []
    lost = ""
    sent = 0
    with IntentClient(settings.broker_url, namespace=settings.namespace) as client, Progress(total) as progress:
        intents: list[dict[str, Any]] = []
        try:
            for count, item in enumerate(items, start=1):
                _sort(item, intents, bad, no_check=no_check)
                if len(intents) == WINDOW:
                    sent += client.submit_many(intents)
                    intents.clear()
                progress.reached(count)
            sent += client.submit_many(intents)
        except NotConfirmedError as error:
            sent += error.confirmed
            lost = f"{error}; run it again, nothing happens twice"
    _tell(sent, bad, lost, as_json=as_json)


def _tell(sent: int, bad: list[Bad], lost: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"submitted": sent, "refused": [asdict(each) for each in bad], "error": lost or None})
    else:
        for each in bad:
            complain(f"{each.number}: {each.code}: {each.message}")
        say(f"{sent} submitted" + (f", {len(bad)} refused" if bad else ""))
    if lost:
        complain(lost)
    if bad or lost:
        raise typer.Exit(FAILED)


def _sort(item: Item, intents: list[dict[str, Any]], bad: list[Bad], *, no_check: bool) -> None:
    number, body = item
    try:
        intents.append(_object(body) if no_check else _checked(body))
    except RefusedError as error:
        bad.append(Bad(number=number, code=error.code, field=error.field, message=mask_text(error.message)))


def _checked(body: bytes) -> dict[str, Any]:
    message = parse_message(body)
    parse_intent(message)
    return message


def _object(body: bytes) -> dict[str, Any]:
    """Only what the client needs: an object of JSON."""
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RefusedError("invalid_json", "The message is not UTF-8 JSON.") from error
    if not isinstance(value, dict):
        raise RefusedError("not_an_object", "The message must be one JSON object.")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _items(source: str) -> tuple[Iterable[Item], int | None]:
    """The messages and how many there are, where that is known before they are read."""
    if source != "-" and Path(source).suffix in {".jsonl", ".ndjson"}:
        return _lines(Path(source)), _count(Path(source))
    try:
        text = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise _unreadable(source, error) from error
    bodies = list(enumerate(_split(text, is_lines=source == "-"), start=1))
    return [(line, body) for line, body in bodies if body.strip()], len(bodies)


def _split(text: bytes, *, is_lines: bool) -> list[bytes]:
    """One object, the objects of a list, or, from a pipe, the lines."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return text.splitlines() if is_lines else [text]
    if not isinstance(whole, list):
        return [text]
    return [json.dumps(each, ensure_ascii=False).encode("utf-8", "surrogatepass") for each in whole]


def _lines(path: Path) -> Iterator[Item]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


def _count(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for line in file if line.strip())
    except OSError as error:
        raise _unreadable(str(path), error) from error


def _unreadable(source: str, error: OSError) -> typer.BadParameter:
    return typer.BadParameter(f"{source} cannot be read ({type(error).__name__})", param_hint="FILE")
