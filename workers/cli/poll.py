"""`payorch poll ID`."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.codec import decode
from orchestrator.history import Verdict, What, entry_of
from orchestrator.identity import DEFAULT_MERCHANT
from orchestrator.looks import why_not_asked
from orchestrator.observation import LookSeen, encode_observation
from orchestrator.ports import NotifyOutcome
from workers.bootstrap import build_settings, open_store, policy_of
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, IntentId, Merchant, examples, payment_key, seconds, user
from workers.cli.screen import complain, say, say_json
from workers.cli.standing import open_clock, say_if_it_takes_long, standing_of, wait_until
from workers.cli.views import say_fields, status_word, view_of

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey
    from orchestrator.payment import Payment
    from orchestrator.ports import Record
    from workers.bootstrap import Settings

TIMEOUT = "30s"
EXAMPLES = examples("payorch poll ord-1001", "payorch poll ord-1001 --merchant books --json")
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Polled:
    """What came of it: a record where the payment is stored, words where nobody could be asked."""

    record: Record | None = None
    before: str = ""
    why_not: str | None = None


@app.command(epilog=EXAMPLES)
def poll(
    intent_id: IntentId,
    merchant: Merchant = DEFAULT_MERCHANT,
    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="How long to wait for it.")] = TIMEOUT,
    as_json: AsJson = False,
) -> None:
    """Let a worker ask the provider now how a payment stands, and show it; the shared limits hold.

    A payment whose create was lost is looked up in the provider's list. Exit status 1 if there is nothing to
    ask, or nobody asked in time.
    """
    key = payment_key(intent_id, merchant)
    polled = asyncio.run(_polled(build_settings(), key, seconds(timeout)))
    if polled.record is None:
        complain(polled.why_not or "")
        raise typer.Exit(FAILED)
    payment = decode(polled.record.body)
    if as_json:
        told = {"answer": None if polled.why_not else _answer(payment, polled.before)}
        say_json(view_of(polled.record) | told)
    else:
        say_fields(view_of(polled.record))
        if not polled.why_not:
            say(_WORDS[_answer(payment, polled.before)])
    if polled.why_not:
        complain(polled.why_not)
        raise typer.Exit(FAILED)


_WORDS = {
    "changed": "the provider's answer changed the status",
    "same": "the provider's answer changed nothing",
    "absent": "the provider does not show what was looked for",
    "not_ours": "the provider's answer is of another payment",
    "unknown": "the provider's answer has a status that nobody documents",
    "unusable": "the provider gave no usable answer; it is asked again by itself",
}
_BY_VERDICT = {
    Verdict.ABSENT: "absent",
    Verdict.NOT_OURS: "not_ours",
    Verdict.UNKNOWN: "unknown",
    Verdict.UNUSABLE: "unusable",
}


def _answer(payment: Payment, before: str) -> str:
    """What the last look told; a list that was not read to its end proves no absence."""
    if status_word(payment) != before:
        return "changed"
    looks = [entry for entry in map(entry_of, payment.history) if entry.what in {What.READ, What.SCAN}]
    if not looks or (looks[-1].what == What.SCAN and looks[-1].said):
        return "unusable"
    return next((word for verdict, word in _BY_VERDICT.items() if verdict == looks[-1].verdict), "same")


async def _polled(settings: Settings, key: PaymentKey, timeout_s: float) -> Polled:
    clock = await open_clock(settings)
    policy, store = policy_of(settings), open_store(settings)
    patience = asyncio.create_task(say_if_it_takes_long("for a worker to ask the provider"))
    try:
        record = await store.load(key)
        if record is None:
            return Polled(why_not=f"no payment {key} is stored; a refused intent is in `payorch deadletters list`")
        standing = standing_of(record, policy=policy, now_ms=clock.now_ms())
        why_not = why_not_asked(standing.payment, dialect=policy.dialect)
        if why_not is not None:
            return Polled(record=record, why_not=f"{key} was not asked for: {why_not}")
        until_s = time.monotonic() + timeout_s
        looked_at_ms = decode(record.body).looked_at_ms
        seen = encode_observation(LookSeen(at_ms=clock.now_ms(), actor=user() or "unknown"))
        if await store.notify(key, seen, op=uuid.uuid4().hex, is_command=True) is not NotifyOutcome.STORED:
            return Polled(record=record, why_not=f"too much waits for {key} already")
        looked = await wait_until(
            key,
            lambda payment: payment.looked_at_ms not in {None, looked_at_ms},
            store=store,
            clock=clock,
            until_s=until_s,
        )
        if looked is None:
            late = f"nobody asked within {timeout_s:.0f} s; it is still wanted. `payorch doctor` says more"
            return Polled(record=record, why_not=late)
        return Polled(record=looked, before=status_word(standing.payment))
    finally:
        patience.cancel()
        await store.close()
