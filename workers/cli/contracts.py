"""`payorch contracts [NAME]`."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from orchestrator.contracts import NAMES, contract, summary
from workers.cli.options import AsJson, examples
from workers.cli.screen import say, say_json, say_table

EXAMPLES = examples(
    "payorch contracts",
    "payorch contracts status-event > status-event.schema.json",
    "payorch contracts --out contracts/",
)
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog=EXAMPLES)
def contracts(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them; left out, all are listed.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write all of them into this directory.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print what order services send and subscribers get, for programs: JSON Schema 2020-12 and AsyncAPI 3.0.

    Needs no settings.
    """
    if name is not None and (name not in NAMES or out is not None):
        raise typer.BadParameter(f"give one of {', '.join(NAMES)}, or --out", param_hint="NAME")
    if name is not None:
        for line in written(name).splitlines():
            say(line)
    elif out is not None:
        _write(out)
    elif as_json:
        for each in NAMES:
            say_json({"name": each, "summary": summary(each)})
    else:
        say_table(("name", "what"), [[each, summary(each)] for each in NAMES])


def file_name(name: str) -> str:
    """The file that holds the contract of this name."""
    return f"{name}.json" if name == "asyncapi" else f"{name}.schema.json"


def written(name: str) -> str:
    """The contract as the text of its file."""
    return json.dumps(contract(name), indent=2, ensure_ascii=False) + "\n"


def _write(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            (directory / file_name(name)).write_text(written(name), encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot be written ({type(error).__name__})", param_hint="--out") from error
    say(f"{len(NAMES)} files in {directory}")
