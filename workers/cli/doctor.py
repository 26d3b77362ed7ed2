"""`payorch doctor`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from orchestrator.adapters.subscriber import LOST
from orchestrator.errors import PayorchError
from workers.bootstrap import SettingsError, build_settings
from workers.cli.checks import Finding, Level
from workers.cli.checks_broker import check_broker, check_events
from workers.cli.checks_merchants import check_merchants
from workers.cli.checks_provider import check_provider, check_webhook_address
from workers.cli.checks_redis import check_redis
from workers.cli.failures import FAILED, MISUSED
from workers.cli.options import AsJson, examples
from workers.cli.screen import say, say_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workers.bootstrap import Settings

app = typer.Typer(rich_markup_mode=None, add_completion=False)
CHECKS: dict[str, Callable[[Settings], list[Finding]]] = {
    "redis": check_redis,
    "broker": check_broker,
    "events": check_events,
    "provider": check_provider,
    "accounts": check_merchants,
    "webhooks": check_webhook_address,
}
_COLOURS = {Level.OK: typer.colors.GREEN, Level.WARNING: typer.colors.YELLOW, Level.WRONG: typer.colors.RED}


@app.command(epilog=examples("payorch doctor", "payorch doctor --json | jq '.[] | select(.level != \"ok\")'"))
def doctor(as_json: AsJson = False) -> None:
    """Say what is wrong with this installation, and what to do; nothing is changed and nothing is paid.

    Exit status 0 if nothing is wrong (warnings are allowed), 1 if something is, 2 if the settings are.
    """
    findings = []
    for finding in _findings():
        findings.append(finding)
        if not as_json:
            _say(finding)
    if as_json:
        say_json([finding.plain() for finding in findings])
    wrong = [finding for finding in findings if finding.level is Level.WRONG]
    if wrong:
        raise typer.Exit(MISUSED if wrong[0].check == "settings" else FAILED)


def _findings() -> Iterator[Finding]:
    try:
        settings = build_settings()
    except SettingsError as error:
        for problem in error.problems:
            yield Finding.wrong("settings", problem, "set it in the environment or in .env, see .env.example")
        return
    yield Finding.ok("settings", "complete")
    for name, check in CHECKS.items():
        try:
            yield from check(settings)
        except PayorchError as error:
            yield Finding.wrong(name, str(error), "see the settings named here and the log of that server")
        except LOST as error:
            yield Finding.wrong(name, f"does not answer ({type(error).__name__})", "is it started, is the URL right?")


def _say(finding: Finding) -> None:
    level = str(finding.level).ljust(7)
    if sys.stdout.isatty():
        level = typer.style(level, fg=_COLOURS[finding.level], bold=True)
        sys.stdout.write(level)
        say(f"  {finding.check.ljust(8)}  {finding.said}")
    else:
        say(f"{level}  {finding.check.ljust(8)}  {finding.said}")
    if finding.advice:
        say(f"{' ' * 19}→ {finding.advice}")
