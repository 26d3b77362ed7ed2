"""`payorch erase ID`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.codec import decode
from orchestrator.identity import DEFAULT_MERCHANT
from orchestrator.retention import is_over
from workers.bootstrap import build_settings, open_audit, open_store, retention_of
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, IntentId, Merchant, examples, payment_key, user
from workers.cli.screen import complain, say, say_json

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey
    from workers.bootstrap import Settings

EXAMPLES = examples("payorch erase ord-1001 --reason 'the customer asked for it, ticket 4711'")
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog=EXAMPLES)
def erase(
    intent_id: IntentId,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit stream, never with the payment.")],
    merchant: Merchant = DEFAULT_MERCHANT,
    as_json: AsJson = False,
) -> None:
    """Delete all that is stored of a payment that is over; its id stays remembered, so that it is not made again.

    Its events stay in the event log for PAYORCH_EVENTS_DAYS. Exit status 1 if it is not stored, or not over.
    """
    key = payment_key(intent_id, merchant)
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    why_not = asyncio.run(_erased(build_settings(), key, reason.strip()))
    if as_json:
        say_json({"payment": str(key), "erased": why_not is None, "why_not": why_not})
    elif why_not is None:
        say(f"{key} is erased; its id stays remembered")
    if why_not is not None:
        complain(why_not)
        raise typer.Exit(FAILED)


async def _erased(settings: Settings, key: PaymentKey, reason: str) -> str | None:
    """Erase; why not, where that is refused. Audited before it happens: what is gone cannot be told of any more."""
    store, audit = open_store(settings), open_audit(settings)
    try:
        record = await store.load(key)
        if record is None:
            return f"no payment {key} is stored"
        payment = decode(record.body)
        if not is_over(payment):
            return f"{key} is {payment.status}: only what is over can be erased, or money would be forgotten"
        entry = {"merchant": key.merchant, "intent_id": key.intent_id, "outcome": "erase", "reason": reason}
        await audit.append(entry | {"actor": user() or "unknown"})
        if await store.erase(record, remember_ms=retention_of(settings).id_ms):
            return None
        return f"{key} is being worked on; try again"
    finally:
        await store.close()
        await audit.close()
