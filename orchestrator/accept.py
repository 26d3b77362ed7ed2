"""accept(): from a message to a stored payment, or to one dead letter (I2, I9)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.codec import encode
from orchestrator.commands import Command, parse_command
from orchestrator.errors import RefusedError, RetryError
from orchestrator.events import status_event
from orchestrator.history import Verdict, What
from orchestrator.identity import fingerprint
from orchestrator.intent import PaymentIntent, parse_intent
from orchestrator.message import parse_message
from orchestrator.notes import noted
from orchestrator.observation import CommandSeen, encode_observation
from orchestrator.payment import new_payment
from orchestrator.ports import AcceptOutcome, NotifyOutcome, Record
from orchestrator.refuse import Incoming, refuse
from orchestrator.rules import check_rules, credentials_for, payid_emails
from orchestrator.sighting import Source

if TYPE_CHECKING:
    from orchestrator.engine import Engine


async def accept(incoming: Incoming, *, engine: Engine, claim: bool = False) -> Record | None:
    """Store the intent of a message, due now; once this returns the message may be acknowledged.

    A message that cannot be accepted becomes one dead letter and one event. With `claim` a payment that was
    stored by this very call is returned claimed, for the caller to advance. Raises StoreUnavailableError where
    nothing is certain: the message must then stay on its queue.
    """
    message: dict[str, Any] = {}
    try:
        message = parse_message(incoming.body)
        if incoming.is_command:
            await _keep(parse_command(message), incoming, engine=engine)
            return None
        intent = parse_intent(message)
        return await _stored(intent, fingerprint(message), incoming.origin, engine=engine, claim=claim)
    except RefusedError as refused:
        await refuse(incoming, refused, message, engine=engine)
        return None


async def _stored(intent: PaymentIntent, print_: str, origin: str, *, engine: Engine, claim: bool) -> Record | None:
    known = await engine.store.find_fingerprint(intent.key)
    now_ms = engine.clock.now_ms()
    if known is None:
        check_rules(intent, rules=engine.rules, now=datetime.fromtimestamp(now_ms / 1000, tz=UTC))
        payment = new_payment(
            intent,
            credentials=credentials_for(intent, rules=engine.rules),
            emails=payid_emails(intent, rules=engine.rules),
            dialect=engine.policy.dialect,
            now_ms=now_ms,
        )
        payment = noted(payment, What.INTENT, now_ms=now_ms, said=f"by {origin}", verdict=Verdict.APPLIED)
        event = status_event(
            payment,
            previous=None,
            sequence=1,
            observed_by=Source.INTAKE,
            now_ms=now_ms,
            namespace=engine.namespace,
        )
        acceptance = await engine.store.accept(
            intent.key,
            op=engine.new_id(),
            fingerprint=print_,
            body=encode(payment),
            event=event,
            due_at_ms=now_ms,
            owner=engine.owner if claim else None,
            lease_ms=engine.policy.lease_ms,
        )
        if acceptance.outcome is not AcceptOutcome.CONFLICT:
            engine.journal.info(
                "intent.accepted", payment=str(intent.key), flow=intent.flow, outcome=acceptance.outcome
            )
            return acceptance.record
    elif known == print_:
        engine.journal.info("intent.known", payment=str(intent.key), flow=intent.flow)
        return None
    raise RefusedError(
        "intent_conflict",
        f"intent_id {intent.intent_id!r} was accepted before with other content; the first stands. Use a new id.",
        field="intent_id",
    )


async def _keep(command: Command, incoming: Incoming, *, engine: Engine) -> None:
    """Keep a command with its payment, or for it: the owner applies it, in the order in which all was said."""
    if command.key.merchant not in engine.rules.merchants:
        name = command.key.merchant
        raise RefusedError("unknown_merchant", f"merchant {name!r} is not configured.", field="merchant")
    seen = CommandSeen(at_ms=engine.clock.now_ms(), body=incoming.body.decode(), origin=incoming.origin)
    outcome = await engine.store.notify(command.key, encode_observation(seen), op=engine.new_id(), is_command=True)
    if outcome is NotifyOutcome.FULL:
        message = f"too much waits for {command.key} already"
        raise RetryError(message)
    engine.journal.info("command.kept", payment=str(command.key), command=command.name, outcome=str(outcome))
