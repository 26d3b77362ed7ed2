"""`payorch explain ID`."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from orchestrator.codec import decode
from orchestrator.doubt import abandoned
from orchestrator.events import rfc3339
from orchestrator.identity import DEFAULT_MERCHANT
from orchestrator.observation import decode_observation
from orchestrator.waiting_for import next_move, waiting_for
from workers.bootstrap import build_settings, open_limiter, open_store, policy_of
from workers.cli.explained import lines_of
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, IntentId, Merchant, examples, payment_key
from workers.cli.screen import complain, say, say_json, span
from workers.cli.standing import open_clock
from workers.cli.telling import REVIEWS, told
from workers.cli.views import view_of

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey
    from orchestrator.payment import Operation, Payment
    from orchestrator.policy import Policy
    from orchestrator.ports import Record
    from workers.bootstrap import Settings

LATE_MS = 5_000  # a payment that is due is taken within a second where workers run
EXAMPLES = examples("payorch explain ord-1001", "payorch explain ord-1001 --merchant books --json | jq .waits_for")
_KINDS = {
    "WebhookSeen": "webhook",
    "ReplySeen": "late reply",
    "CommandSeen": "command",
    "DecisionSeen": "decision of a person",
    "LookSeen": "wish to look",
}
_KEPT = (
    *("merchant", "intent_id", "flow", "status", "reason"),
    *("amount_minor", "paid_minor", "refunded_minor", "currency", "failure"),
)
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A payment as it is stored, and what is kept about it beside its record."""

    record: Record
    due_at_ms: int | None
    paused: str | None  # why the calls of its merchant are paused


@app.command(epilog=EXAMPLES)
def explain(intent_id: IntentId, merchant: Merchant = DEFAULT_MERCHANT, as_json: AsJson = False) -> None:
    """Tell a payment's history in plain words, what it waits for and when it is looked at next.

    Each message, command, call, reply, webhook and read: what it said and what became of it. Addresses, codes and
    customers are not shown. Exit status 1 if the payment is not stored.
    """
    key = payment_key(intent_id, merchant)
    settings = build_settings()
    found = asyncio.run(_find(settings, key))
    if found is None:
        complain(f"no payment {key} is stored; a refused intent is in `payorch deadletters list`")
        raise typer.Exit(FAILED)
    now_ms = asyncio.run(open_clock(settings)).now_ms()
    explained = explained_of(found, policy=policy_of(settings), now_ms=now_ms)
    if as_json:
        say_json(explained)
        return
    for line in lines_of(explained):
        say(line)


async def _find(settings: Settings, key: PaymentKey) -> Found | None:
    store, limiter = open_store(settings), open_limiter(settings)
    try:
        record = await store.load(key)
        if record is None:
            return None
        paused = await limiter.paused()
        return Found(
            record=record,
            due_at_ms=await store.due_at(key),
            paused=paused.get(key.merchant) or paused.get(_account(record)),
        )
    finally:
        await store.close()
        await limiter.close()


def _account(record: Record) -> str:
    return decode(record.body).credentials


def explained_of(found: Found, *, policy: Policy, now_ms: int) -> dict[str, Any]:
    """All that the command tells, for programs; raises StoreCorruptError."""
    record, view = found.record, view_of(found.record)
    is_owned = record.owner is not None and (record.owned_until_ms or 0) > now_ms
    payment = _as_found(record, is_owned=is_owned, now_ms=now_ms)
    is_as_observed = payment.status == view["status"]
    is_by_itself = found.due_at_ms is not None and not is_owned
    look_ms = max(now_ms, found.due_at_ms or now_ms)
    return {
        **{name: view[name] for name in _KEPT},
        "since": view["since"] if is_as_observed else None,  # what an operation makes of it has no time of its own
        "provider": view["provider"],
        "review": [{"name": name, "meaning": REVIEWS.get(name, "")} for name in view["review"]],
        "history": told(payment.history),
        "operations": {name: _operation(operation) for name, operation in payment.operations.items()},
        "waiting_observations": _waiting(record),
        "waits_for": list(waiting_for(payment, policy=policy, now_ms=now_ms)),
        "next_look_at": rfc3339(found.due_at_ms),
        "next_look": _next_look(found.due_at_ms, is_owned=is_owned, now_ms=now_ms),
        "next_move": next_move(payment, policy=policy, now_ms=look_ms) if is_by_itself else None,
        "owner": {"name": record.owner, "until": rfc3339(record.owned_until_ms)} if is_owned else None,
        "leases_that_ran_out": record.claims,
        "times_put_aside": record.rests,
        "merchant_paused": found.paused,
    }


def _as_found(record: Record, *, is_owned: bool, now_ms: int) -> Payment:
    """The payment as a worker finds it: a call whose worker is gone is in doubt since its lease ran out."""
    payment = decode(record.body)
    gone_ms = min(record.owned_until_ms or now_ms, now_ms)
    return payment if is_owned else abandoned(payment, now_ms=gone_ms)


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "state": str(operation.state),
        "attempt": operation.attempt,
        "since": rfc3339(operation.at_ms),
        "deadline": rfc3339(operation.deadline_ms),
        "amount_minor": operation.amount_minor,
        "looks": operation.looks,
        "tries_not_executed": operation.unsent,
        "outcome": str(operation.outcome) if operation.outcome else None,
    }


def _waiting(record: Record) -> dict[str, int]:
    """How many observations of each kind wait to be applied."""
    return dict(Counter(_kind(stored) for stored in record.observations))


def _kind(stored: bytes) -> str:
    try:
        seen = decode_observation(stored)
    except (ValueError, KeyError, TypeError):
        return "unreadable"
    return _KINDS.get(type(seen).__name__, "other")


def _next_look(due_at_ms: int | None, *, is_owned: bool, now_ms: int) -> str:
    if is_owned:
        return "a worker has it in hand now"
    if due_at_ms is None:
        return "never by itself: only when something is said of it"
    late_ms = now_ms - due_at_ms
    if late_ms >= LATE_MS:
        return f"due since {rfc3339(due_at_ms)}, {span(late_ms)} ago, and no worker took it: is one running?"
    return f"{rfc3339(due_at_ms)}, " + (f"in {span(-late_ms)}" if late_ms < 0 else "now")
