"""`payorch watch [PATTERN]`."""

from __future__ import annotations

import contextlib
import signal
from itertools import islice
from typing import Annotated, Any

import typer

from orchestrator.adapters.subscriber import subscribe
from workers.bootstrap import build_settings
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, examples, seconds
from workers.cli.screen import amount, complain, masked_view, say, say_json, without_addresses
from workers.cli.views import status_of

EXAMPLES = examples(
    "payorch watch",
    "payorch watch 'payment.*.card.*'",
    "payorch watch 'payment.*.*.succeeded' --json",
    "payorch watch 'refusal.#'",
)
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog=EXAMPLES)
def watch(
    pattern: Annotated[str, typer.Argument(help="A binding: * is one word, # any number of them.")] = "payment.#",
    count: Annotated[int | None, typer.Option("--count", "-c", min=1, help="End after so many events.")] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="End when nothing came for so long: 30s, 5m.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show status events as they are published, until Ctrl-C.

    A real subscriber of the exchange payments.events, with a queue of its own that goes with it.
    Exit status 1 if --timeout passed before --count events came.
    """
    settings = build_settings()
    # Otherwise the queue would stay behind, and fill.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    shown = 0
    with (
        contextlib.suppress(KeyboardInterrupt),
        subscribe(settings.events_url, namespace=settings.namespace, binding=pattern) as subscription,
    ):
        complain(f"watching {pattern}")
        for event in islice(subscription.events(seconds(timeout) if timeout else None), count):
            shown += 1
            _show(event, as_json=as_json)
    if count is not None and shown < count:
        raise typer.Exit(FAILED)


def _show(event: dict[str, Any], *, as_json: bool) -> None:
    data = event.get("data")
    if not isinstance(data, dict):
        data = {}
    if as_json:
        say_json(event | {"data": masked_view(data)})
    elif "status" in data:
        say(_status_line(event, data))
    else:
        say(_refusal_line(event, data))


def _status_line(event: dict[str, Any], data: dict[str, Any]) -> str:
    action = data.get("next_action") or {}
    words = (
        str(event.get("time", "")),
        f"{data.get('merchant')}/{data.get('intent_id')}",
        f"#{data.get('sequence')}",
        str(data.get("flow")),
        status_of(data),
        amount(data.get("amount_minor"), str(data.get("currency"))),
        f"action: {action.get('type')}" if action else "",
        f"review: {', '.join(map(str, data['review']))}" if data.get("review") else "",
    )
    return "  ".join(filter(None, words))


def _refusal_line(event: dict[str, Any], data: dict[str, Any]) -> str:
    words = (
        str(event.get("time", "")),
        str(data.get("intent_id") or "(no id)"),
        str(event.get("type", "")),
        str(data.get("code") or ""),
        without_addresses(str(data.get("message") or "")),
    )
    return "  ".join(filter(None, words))
