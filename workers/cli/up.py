"""`payorch up`."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.options import examples
from workers.cli.screen import complain
from workers.cli.stack import running_stack
from workers.cli.stack_banner import keep_running

EXAMPLES = examples("payorch up", "payorch up --port 8081 --sandbox-port 8901")
app = typer.Typer(rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def up(
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65_535, help="Of the web process; 0 takes any.")] = 0,
    sandbox_port: Annotated[int, typer.Option(min=0, max=65_535, help="Of the sandbox; 0 takes any.")] = 0,
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
) -> None:
    """Run the demo's stack until Ctrl-C, for playing around: sandbox, a worker, the web process.

    Reads no other setting than those three; the sandbox's time runs 3600 times as fast as yours.
    """
    try:
        with running_stack(
            redis_url=redis_url or None,
            broker_url=broker_url or None,
            namespace=namespace or None,
            web_port=port,
            sandbox_port=sandbox_port,
        ) as stack:
            keep_running(stack)
    except KeyboardInterrupt:
        complain("stopped before everything ran")
        raise typer.Exit(130) from None
