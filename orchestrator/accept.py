"""accept(): from a message to a stored payment, or to one dead letter (I2, I9)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.card_numbers import mask_body, mask_text
from orchestrator.codec import encode
from orchestrator.errors import RefusedError
from orchestrator.events import Refused, refusal_event, status_event
from orchestrator.identity import DEFAULT_MERCHANT, fingerprint
from orchestrator.intent import PaymentIntent, parse_intent
from orchestrator.message import parse_message
from orchestrator.payment import new_payment
from orchestrator.ports import AcceptOutcome, Record, Refusal
from orchestrator.rules import check_rules
from orchestrator.sighting import Source

if TYPE_CHECKING:
    from orchestrator.engine import Engine

KEPT_BODY_MAX_BYTES = 1024 * 1024
_MERCHANT = re.compile(r"[a-z0-9-]{1,32}")
_COMMAND = re.compile(r"[a-z_]{1,32}")
_INTENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A message as it came off a queue."""

    body: bytes
    origin: str  # stream | amqp | celery | cli | dead
    is_command: bool = False


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
            raise RefusedError("unsupported_command", "Commands are not available in this version.", field="command")
        intent = parse_intent(message)
        return await _stored(intent, fingerprint(message), engine=engine, claim=claim)
    except RefusedError as refused:
        await refuse(incoming, refused, message, engine=engine)
        return None


async def _stored(intent: PaymentIntent, print_: str, *, engine: Engine, claim: bool) -> Record | None:
    known = await engine.store.find_fingerprint(intent.key)
    now_ms = engine.clock.now_ms()
    if known is None:
        check_rules(intent, rules=engine.rules, now=datetime.fromtimestamp(now_ms / 1000, tz=UTC))
        payment = new_payment(intent, now_ms=now_ms)
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


async def refuse(incoming: Incoming, refused: RefusedError, message: dict[str, Any], *, engine: Engine) -> None:
    """Keep one dead letter and publish one event for a message that cannot be accepted, however often it comes."""
    now_ms = engine.clock.now_ms()
    known = Refused(
        code=refused.code,
        message=mask_text(refused.message),
        field=mask_text(refused.field) if refused.field else None,
        body=incoming.body,
        merchant=_merchant(message) if message else None,
        intent_id=_readable(message.get("intent_id"), _INTENT_ID),
        command=_unmasked(message.get("command"), _COMMAND) or "unknown" if incoming.is_command else None,
        command_id=_unmasked(message.get("command_id"), _INTENT_ID) if incoming.is_command else None,
    )
    body, masked = mask_body(incoming.body[:KEPT_BODY_MAX_BYTES])
    attributes = {"merchant": known.merchant, "intent_id": known.intent_id, "command": known.command}
    first = await engine.store.refuse(
        Refusal(
            refusal_id=known.refusal_id,
            code=known.code,
            message=known.message,
            field=known.field,
            origin=incoming.origin,
            at_ms=now_ms,
            body=body,
            redrivable=not masked and len(incoming.body) <= KEPT_BODY_MAX_BYTES,
            event=refusal_event(known, now_ms=now_ms, namespace=engine.namespace),
            attributes={name: value for name, value in attributes.items() if value},
        )
    )
    if first:
        engine.journal.warning(
            "intent.refused",
            refusal_code=known.code,
            field=known.field,
            merchant=known.merchant,
            origin=incoming.origin,
        )


def _merchant(message: dict[str, Any]) -> str | None:
    given = message.get("merchant")
    return DEFAULT_MERCHANT if given is None else _unmasked(given, _MERCHANT)


def _unmasked(value: object, pattern: re.Pattern[str]) -> str | None:
    readable = _readable(value, pattern)
    return readable if readable is not None and mask_text(readable) == readable else None


def _readable(value: object, pattern: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
