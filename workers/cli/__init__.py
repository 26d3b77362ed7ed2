"""The command `payorch`: a table of commands, each imported when it is called, so that `--help` is quick."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

# Each module has a typer application called `app`.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("workers.cli.demo", "Run the whole path on this machine and check it against the provider's ledger."),
    "up": ("workers.cli.up", "Run the demo's stack until Ctrl-C, for playing around."),
    "setup": ("workers.cli.setup", "Declare queues, streams and exchanges; run it before the first producer."),
    "submit": ("workers.cli.submit", "Send payment intents from a file."),
    "get": ("workers.cli.get", "Show one payment."),
    "explain": ("workers.cli.explain", "Tell what happened to a payment, in order, and what it waits for."),
    "list": ("workers.cli.list_payments", "Show stored payments."),
    "resolve": ("workers.cli.resolve", "Decide what no look at the provider can tell; audited."),
    "poll": ("workers.cli.poll", "Ask the provider now how a payment stands."),
    "watch": ("workers.cli.watch", "Show status events as they are published."),
    "deadletters": ("workers.cli.deadletters", "Show messages that were refused, send them again, drop them."),
    "events": ("workers.cli.events", "Publish status events of the past again."),
    "audit": ("workers.cli.audit", "Check stored payments against their events and the provider."),
    "erase": ("workers.cli.erase", "Delete a payment that is over; its id stays remembered."),
    "contracts": ("workers.cli.contracts", "Print the messages as JSON Schema, and AsyncAPI of where they go."),
    "doctor": ("workers.cli.doctor", "Say what is wrong with this installation, and what to do."),
    "sandbox": ("workers.cli.sandbox", "Run the provider's stand-in on this machine."),
}


class CommandTable(TyperGroup):
    """Lists the commands from the table alone; imports the one that is run."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # typer's signature
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1], rich_markup_mode=None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        if found is None or name not in COMMANDS:
            return name, found, rest
        command: Any = typer.main.get_command(import_module(COMMANDS[name][0]).app)
        command.name = name
        return name, command, rest


app = typer.Typer(
    cls=CommandTable,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they would show local variables
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.callback()
def _payorch() -> None:
    """Payment intents in, status events out: what operators run.

    Settings come from the environment (PAYORCH_…) and from .env. Exit status: 0 done, 1 not found or failed,
    2 wrong usage or settings.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status. No error leaves a traceback that could hold an address."""
    try:
        app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="payorch")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:  # noqa: BLE001 - what is not known to `explain` is raised again
        from workers.cli.failures import explain

        return explain(error)
    return 0
