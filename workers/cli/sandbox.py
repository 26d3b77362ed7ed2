"""`payorch sandbox`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from workers.bootstrap import SettingsError, build_settings
from workers.cli.options import examples

EXAMPLES = examples(
    "payorch sandbox",
    "payorch sandbox --port 9000 --speed 60 --latency-ms 50",
)
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog=EXAMPLES, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sandbox(
    context: typer.Context,
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65_535)] = 8900,
) -> None:
    """Run the provider's stand-in until it is stopped; further options are its own.

    Its credentials are SANDBOX_APP_ID and SANDBOX_SECRET_KEY, or else those in the settings.
    Its options are listed by `python -m sandbox --help`.
    """
    environment = {**_credentials(), **os.environ}
    arguments = [sys.executable, "-m", "sandbox", "--host", host, "--port", str(port), *context.args]
    # It takes the place of this process, so that signals reach it and its exit status is ours.
    os.execve(sys.executable, arguments, environment)  # noqa: S606  # no shell is wanted


def _credentials() -> dict[str, str]:
    """Those which the worker uses, where the settings are complete; the stand-in says what it lacks."""
    try:
        settings = build_settings()
    except SettingsError:
        return {}
    return {
        "SANDBOX_APP_ID": settings.provider_app_id,
        "SANDBOX_SECRET_KEY": settings.provider_secret_key.get_secret_value(),
    }
