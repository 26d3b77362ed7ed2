"""`payorch demo`."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from workers.cli.demo_listener import Listener
from workers.cli.demo_players import SandboxControl
from workers.cli.demo_run import Result, Run
from workers.cli.demo_screen import Board, show_settings, show_summary, summary
from workers.cli.demo_ways import Ways
from workers.cli.options import AsJson, examples
from workers.cli.screen import complain, say_json
from workers.cli.stack import Stack, running_stack
from workers.cli.stack_banner import keep_running

EXAMPLES = examples(
    "payorch demo",
    "payorch demo --fast --json",
    "payorch demo --keep",
    "PAYORCH_BROKER_URL=amqp://guest:guest@127.0.0.1:5672// payorch demo",
)
INTERRUPTED = 130
app = typer.Typer(rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def demo(
    redis_url: Annotated[
        str | None, typer.Option(envvar="PAYORCH_REDIS_URL", help="Use this Redis instead of an embedded one.")
    ] = None,
    broker_url: Annotated[
        str | None, typer.Option(envvar="PAYORCH_BROKER_URL", help="Use this broker, such as amqp://…, for messages.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(envvar="PAYORCH_NAMESPACE", help="What names begin with on given servers; a given one stays."),
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="One payment of each kind.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running at the end, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole path on this machine: some hundred payments of every flow and method, to every ending.

    Reads no other setting than those three. Exit status 0 only if every payment ended as expected and the
    provider's ledger, the events and the stored payments agree; else 1 with the differences.
    """
    listener = Listener()
    try:
        with running_stack(
            redis_url=redis_url or None,
            broker_url=broker_url or None,
            namespace=namespace or None,
            before_worker=listener.start,
        ) as stack:
            try:
                result = _run(stack, listener, fast=fast)
            finally:
                listener.stop()
            _report(result, stack, as_json=as_json)
            if keep:
                keep_running(stack)
    except KeyboardInterrupt:
        complain("stopped; nothing is left running")
        raise typer.Exit(INTERRUPTED) from None
    if result.differences:
        raise typer.Exit(1)


def _run(stack: Stack, listener: Listener, *, fast: bool) -> Result:
    show_settings(stack.settings.shown())
    with Ways(stack.settings) as ways, SandboxControl(stack.settings.sandbox_url) as control, Board() as board:
        name = secrets.token_hex(3)
        run = Run(name, fast=fast, stack=stack, listener=listener, ways=ways, control=control, show=board.show)
        return run.go()


def _report(result: Result, stack: Stack, *, as_json: bool) -> None:
    if as_json:
        say_json(summary(result, settings=stack.settings.shown()))
    else:
        show_summary(result)
    if result.differences:
        for child in stack.children:
            complain(f"--- the last lines of {child.name}:\n{child.tail()}")
