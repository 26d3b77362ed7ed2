"""`payorch get ID`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.identity import DEFAULT_MERCHANT
from workers.bootstrap import build_settings, open_store
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, IntentId, Merchant, examples, payment_key
from workers.cli.screen import complain, say_json
from workers.cli.views import say_fields, view_of

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Record
    from workers.bootstrap import Settings

EXAMPLES = examples(
    "payorch get ord-1001",
    "payorch get ord-1001 --merchant books --json",
    "payorch get ord-1001 --show-action",
)
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog=EXAMPLES)
def get(
    intent_id: IntentId,
    merchant: Merchant = DEFAULT_MERCHANT,
    show_action: Annotated[
        bool, typer.Option("--show-action", help="Show the customer's address or payment code too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one payment; exit status 1 if it is not stored."""
    key = payment_key(intent_id, merchant)
    record = asyncio.run(_load(build_settings(), key))
    if record is None:
        complain(f"no payment {key} is stored; a refused intent is in `payorch deadletters list`")
        raise typer.Exit(FAILED)
    view = view_of(record, show_action=show_action)
    if as_json:
        say_json(view)
        return
    say_fields(view)


async def _load(settings: Settings, key: PaymentKey) -> Record | None:
    store = open_store(settings)
    try:
        return await store.load(key)
    finally:
        await store.close()
