"""Apply the observations that waited beside a payment. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn

from orchestrator.commands import answered, obey, parse_command
from orchestrator.errors import RefusedError
from orchestrator.flows import FLOWS, reads_of
from orchestrator.message import parse_message
from orchestrator.observation import CommandSeen, ReplySeen, WebhookSeen, decode_observation
from orchestrator.observe import Belief, observe
from orchestrator.outcome import after_reply
from orchestrator.sighting import Sighting, Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.payment import Payment
    from orchestrator.policy import Policy


@dataclass(frozen=True, kw_only=True, slots=True)
class Absorbed:
    """The payment after its waiting observations, and who spoke last."""

    payment: Payment
    source: Source | None = None
    refused: tuple[tuple[CommandSeen, RefusedError], ...] = ()  # commands that came too late or out of place
    unreadable: int = 0  # observations that no version of ours wrote; passed over, told by the caller


def absorb(payment: Payment, waiting: Iterable[bytes], *, policy: Policy, now_ms: int) -> Absorbed:
    """Apply waiting observations in the order they came; one that cannot be read is passed over and counted."""
    source: Source | None = None
    refused: list[tuple[CommandSeen, RefusedError]] = []
    unreadable = 0
    for stored in waiting:
        try:
            seen = decode_observation(stored)
            command = parse_command(parse_message(seen.body.encode())) if isinstance(seen, CommandSeen) else None
        except (ValueError, KeyError, TypeError, RefusedError):
            unreadable += 1
            continue
        if not isinstance(seen, CommandSeen):
            payment, source = _applied(payment, seen, policy=policy, now_ms=now_ms)
        elif command is not None:
            try:
                payment, source = obey(payment, command, now_ms=now_ms), Source.COMMAND
            except RefusedError as error:
                payment = answered(payment, command)
                refused.append((seen, error))
    return Absorbed(payment=payment, source=source, refused=tuple(refused), unreadable=unreadable)


def belief_of(payment: Payment, policy: Policy) -> Belief:
    """How far the provider's word is taken for this payment's flow."""
    return Belief(
        confirm_by_read=policy.confirm_success_by_read,
        has_read=bool(reads_of(payment.flow, policy.dialect)),
        waiting_is_success=policy.waiting_is_success,
    )


def interpreted(
    payment: Payment, body: object, *, source: Source, policy: Policy, operation: str | None = None
) -> Sighting:
    """The provider's body in the words of the payment's flow."""
    return FLOWS[payment.flow].interpret(
        payment,
        body,
        source=source,
        operation=operation,
        allow_http=policy.allow_http_actions,
        dialect=policy.dialect,
    )


def _applied(payment: Payment, seen: WebhookSeen | ReplySeen, *, policy: Policy, now_ms: int) -> tuple[Payment, Source]:
    belief = belief_of(payment, policy)
    match seen:
        case WebhookSeen():
            sighting = replace(
                interpreted(payment, _parsed(seen.body), source=Source.WEBHOOK, policy=policy),
                attempt=seen.attempt,
            )
            return observe(payment, sighting, belief=belief, now_ms=now_ms), Source.WEBHOOK
        case ReplySeen(operation=name, reply=reply):
            sighting = interpreted(payment, reply.body, source=Source.REPLY, policy=policy, operation=name)
            changed = after_reply(payment, name, reply, sighting, belief=belief, policy=policy, now_ms=now_ms)
            return changed, Source.REPLY


def _parsed(body: str) -> object:
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _no_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)
