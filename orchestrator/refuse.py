"""refuse(): one dead letter and one event for a message or command that cannot be accepted (interface 1)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.card_numbers import mask_body, mask_text
from orchestrator.errors import RefusedError
from orchestrator.events import Refused, refusal_event
from orchestrator.identity import DEFAULT_MERCHANT
from orchestrator.message import parse_message
from orchestrator.payment import REFUND_PREFIX
from orchestrator.ports import Refusal

if TYPE_CHECKING:
    from orchestrator.engine import Engine
    from orchestrator.observation import CommandSeen
    from orchestrator.payment import Operation, Payment

KEPT_BODY_MAX_BYTES = 1024 * 1024
_MERCHANT = re.compile(r"[a-z0-9-]{1,32}")
_COMMAND = re.compile(r"[a-z_]{1,32}")
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INTENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A message as it came off a queue."""

    body: bytes
    origin: str  # stream | amqp | celery | cli | dead | provider
    is_command: bool = False
    redrivable: bool = True  # False: sent again it would change nothing


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
            redrivable=incoming.redrivable and not masked and len(incoming.body) <= KEPT_BODY_MAX_BYTES,
            event=refusal_event(known, now_ms=now_ms, namespace=engine.namespace),
            attributes={name: value for name, value in attributes.items() if value},
        )
    )
    if first:
        engine.journal.warning(
            "command.refused" if incoming.is_command else "intent.refused",
            refusal_code=known.code,
            field=known.field,
            merchant=known.merchant,
            origin=incoming.origin,
        )


async def refuse_command(seen: CommandSeen, refused: RefusedError, *, engine: Engine) -> None:
    """The same for a command that was kept and turned out not to be possible."""
    body = seen.body.encode()
    incoming = Incoming(body=body, origin=seen.origin, is_command=True)
    await refuse(incoming, refused, parse_message(body), engine=engine)


async def tell_refusal(operation: Operation, payment: Payment, *, engine: Engine) -> None:
    """The same for a refund that was accepted, and refused only when it was to be sent or by the provider.

    Its command is written down again from the operation. Sent again it would only be known or in conflict: what is
    still wanted needs a new refund_id and a new command_id.
    """
    code, sentence = operation.untold or ("not_refundable", "The refund was not made.")
    message: dict[str, Any] = {
        "command": "refund",
        "merchant": payment.key.merchant,
        "intent_id": payment.key.intent_id,
        "command_id": operation.command_id,
        "refund_id": operation.name.removeprefix(REFUND_PREFIX),
        "amount_minor": operation.amount_minor,
        "reason": operation.note,
    }
    # The code becomes a word of a routing key; the provider's own may be anything.
    code = code if _CODE.fullmatch(code) else "provider_refused"
    incoming = Incoming(body=json.dumps(message).encode(), origin="provider", is_command=True, redrivable=False)
    await refuse(incoming, RefusedError(code, sentence, field="refund_id"), message, engine=engine)


def _merchant(message: dict[str, Any]) -> str | None:
    given = message.get("merchant")
    return DEFAULT_MERCHANT if given is None else _unmasked(given, _MERCHANT)


def _unmasked(value: object, pattern: re.Pattern[str]) -> str | None:
    readable = _readable(value, pattern)
    return readable if readable is not None and mask_text(readable) == readable else None


def _readable(value: object, pattern: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
