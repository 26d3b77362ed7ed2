"""`payorch audit`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from workers.audit_request import AuditRequest
from workers.audit_run import opened_audit
from workers.bootstrap import build_settings
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, examples
from workers.cli.progress import Progress
from workers.cli.screen import complain, say, say_json

if TYPE_CHECKING:
    from workers.audit_findings import Audited, Finding
    from workers.bootstrap import Settings

EXAMPLES = examples(
    "payorch audit",
    "payorch audit ord-1001 --provider",
    "payorch audit --provider --since 24h --merchant books",
    "payorch audit --json | jq -r .payment",
)
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog=EXAMPLES)
def audit(
    intent_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Only this payment: intent_id or merchant/intent_id.")
    ] = None,
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant's.")] = None,
    provider: Annotated[
        bool, typer.Option("--provider", help="Ask the provider too, within what its limit leaves over.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Accepted since: 2026-11-21T02:03:04Z, or 90s, 2h, 7d ago."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every stored payment against its events, its due time and, if asked, the provider.

    Nothing is stopped and nothing is changed; a payment that changes meanwhile is looked at again. One finding a
    line, the figures last. Exit status 1 where anything was found.
    """
    settings = build_settings()
    request = AuditRequest(intent=intent_id, merchant=merchant, since=since, provider=provider)
    try:
        chosen = request.chosen(now_ms=time.time_ns() // 1_000_000)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    audited = asyncio.run(_run(settings, request, as_json=as_json))
    _tell(audited, as_json=as_json)
    if chosen.payment is not None and not audited.payments and audited.is_clean:
        complain(f"no payment {chosen.payment} is stored; a refused intent is in `payorch deadletters list`")
        raise typer.Exit(FAILED)
    if not audited.is_clean:
        raise typer.Exit(FAILED)


async def _run(settings: Settings, request: AuditRequest, *, as_json: bool) -> Audited:
    with Progress(None) as progress:
        async with opened_audit(
            settings,
            request,
            on_finding=_say_json if as_json else _say,
            on_progress=lambda audited: progress.reached(audited.payments),
        ) as run:
            try:
                return await run.run()
            except Exception:
                complain(f"stopped after {run.audited.payments} payments; nothing was changed")
                raise


def _say(finding: Finding) -> None:
    say(f"{finding.payment}  {finding.invariant}  {finding.sentence}  -> {finding.to_do}")


def _say_json(finding: Finding) -> None:
    say_json(
        {
            "payment": finding.payment,
            "invariant": finding.invariant,
            "sentence": finding.sentence,
            "to_do": finding.to_do,
        }
    )


def _tell(audited: Audited, *, as_json: bool) -> None:
    """The figures, last."""
    figures = {
        "payments": audited.payments,
        "events": audited.events,
        "checked_at_the_provider": audited.at_the_provider,
        "not_asked": audited.not_asked,
        "unsettled": audited.unsettled,
        "findings": audited.findings.total(),
    }
    if as_json:
        say_json(figures | {"by_invariant": dict(sorted(audited.findings.items()))})
        return
    say(", ".join(f"{number} {_words(name, number)}" for name, number in figures.items()))


def _words(name: str, number: int) -> str:
    words = name.replace("_", " ")
    return words.removesuffix("s") if number == 1 else words
