"""`payorch events replay`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.errors import PayorchError
from orchestrator.events import rfc3339
from workers.bootstrap import build_settings
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, examples
from workers.cli.progress import Progress
from workers.cli.screen import complain, say, say_json
from workers.replay import ANY_PAYMENT
from workers.replay_request import ReplayRequest, opened_replay, target_of

if TYPE_CHECKING:
    from workers.bootstrap import Settings
    from workers.replay import Replayed

EXAMPLES = examples(
    "payorch events replay --since 2h",
    "payorch events replay --since 2026-11-21T00:00:00Z --until 2026-11-21T06:00:00Z --dry-run",
    "payorch events replay --intent ord-1001",
    "payorch events replay --since 7d --queue orders.events --binding 'payment.*.*.succeeded'",
)
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def events() -> None:
    """Publish status events of the past again."""


@app.command("replay", epilog=EXAMPLES)
def replay(
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="From this moment on: 2026-11-21T02:03:04Z, or 90s, 2h, 7d ago."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Up to this moment, itself included; written alike.")
    ] = None,
    intent: Annotated[
        str | None, typer.Option("--intent", metavar="ID", help="Only this payment's: intent_id or merchant/intent_id.")
    ] = None,
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="Only this merchant's.")] = None,
    queue: Annotated[
        str | None,
        typer.Option("--queue", metavar="NAME", help="Into this queue alone, which its subscriber has declared."),
    ] = None,
    binding: Annotated[
        str, typer.Option("--binding", metavar="PATTERN", help="Only events with such routing keys.")
    ] = ANY_PAYMENT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them and publish nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish events of the log again, with the same ids, sequences and bytes, to payments.events or to one queue.

    Each payment's events come in their order. Subscribers drop what they have passed by its id or sequence. Events
    that the relay has not published yet are left to it. Exit status 1 where --intent finds nothing, the queue is
    not declared, or the broker does not take the events.
    """
    settings = build_settings()
    request = ReplayRequest(since=since, until=until, intent=intent, merchant=merchant, queue=queue, binding=binding)
    try:
        request.selection(now_ms=time.time_ns() // 1_000_000)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    result = _run(settings, request, is_dry=dry_run)
    _tell(settings, request, result, is_dry=dry_run, as_json=as_json)
    if intent is not None and not result.selected:
        raise typer.Exit(FAILED)


def _run(settings: Settings, request: ReplayRequest, *, is_dry: bool) -> Replayed:
    complaints = _Complaints(settings)
    with (
        Progress(None) as progress,
        opened_replay(
            settings,
            request,
            is_dry=is_dry,
            on_progress=lambda result: progress.reached(result.selected if is_dry else result.published),
            on_rejected=complaints.rejected,
            on_skipped=complaints.skipped,
        ) as run,
    ):
        try:
            return run.run()
        except PayorchError:
            complain(f"stopped after {_count(run.result.published, 'event')}; it may be run again as it was")
            raise


class _Complaints:
    """What is said while it runs, each thing once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._said_rejected = False

    def rejected(self) -> None:
        if not self._said_rejected:
            complain(f"a queue rejects an event; trying again for {self._settings.events_retry_s:g} s")
        self._said_rejected = True

    def skipped(self, queue: str, length: int | None) -> None:
        if length is None:
            complain(f"{queue} holds something that is no queue, and is left out")
        else:
            complain(f"the queue {queue} has {length} events (PAYORCH_EVENTS_QUEUE_MAX), and is left out")


def _tell(settings: Settings, request: ReplayRequest, result: Replayed, *, is_dry: bool, as_json: bool) -> None:
    target = target_of(request, settings)
    if as_json:
        say_json(
            {
                "to": target,
                "dry_run": is_dry,
                "selected": result.selected,
                "published": result.published,
                "payments": result.payments,
                "not_relayed": result.not_relayed,
                "unreadable": result.unreadable,
                "trimmed_before": rfc3339(result.trimmed_before_ms),
            }
        )
        return
    for note in _notes(settings, result):
        complain(note)
    amount = f"{_count(result.selected, 'event')} of {_count(result.payments, 'payment')}"
    say(f"{amount} would be published to {target}" if is_dry else f"published {amount} to {target}")


def _notes(settings: Settings, result: Replayed) -> list[str]:
    notes = {
        f"left to the relay, which has not passed them yet: {_count(result.not_relayed, 'event')}": result.not_relayed,
        f"left out, because they are no events: {result.unreadable} of the log": result.unreadable,
        (
            f"the log was trimmed: before {rfc3339(result.trimmed_before_ms)} events are missing; "
            f"it is kept {settings.events_days} days (PAYORCH_EVENTS_DAYS)"
        ): result.trimmed_before_ms is not None,
    }
    return [note for note, holds in notes.items() if holds]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
