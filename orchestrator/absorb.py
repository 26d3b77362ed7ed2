"""Apply the observations that waited beside a payment. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn

from orchestrator.commands import answered, obey, parse_command
from orchestrator.decisions import decide, remember_refusal
from orchestrator.errors import RefusedError
from orchestrator.flows import FLOWS, reads_of
from orchestrator.history import What
from orchestrator.history import name as name_of
from orchestrator.looks import asked_to_look
from orchestrator.message import parse_message
from orchestrator.notes import commanded, decided, noted, replied, sighted
from orchestrator.observation import (
    CommandSeen,
    DecisionSeen,
    LookSeen,
    ReplySeen,
    WebhookSeen,
    decode_observation,
)
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
            payment = noted(payment, What.UNREADABLE, now_ms=now_ms)
            continue
        if not isinstance(seen, CommandSeen):
            payment, spoke = _applied(payment, seen, policy=policy, now_ms=now_ms)
            source = spoke or source
        elif command is not None:
            try:
                obeyed = obey(payment, command, now_ms=now_ms, dialect=policy.dialect)
                source = Source.COMMAND
                payment = commanded(payment, obeyed, command, now_ms=now_ms, came_ms=seen.at_ms)
            except RefusedError as error:
                known = answered(payment, command)
                payment = commanded(payment, known, command, now_ms=now_ms, came_ms=seen.at_ms, refused=error)
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


def _applied(
    payment: Payment, seen: WebhookSeen | ReplySeen | DecisionSeen | LookSeen, *, policy: Policy, now_ms: int
) -> tuple[Payment, Source | None]:
    belief = belief_of(payment, policy)
    match seen:
        case DecisionSeen():
            return _decided(payment, seen, policy=policy, now_ms=now_ms)
        case LookSeen():
            asked = asked_to_look(payment, dialect=policy.dialect)
            words = f"look asked for by {name_of(seen.actor)}"
            return noted(asked, What.PERSON, now_ms=now_ms, came_ms=seen.at_ms, said=words), None
        case WebhookSeen():
            sighting = replace(
                interpreted(payment, _parsed(seen.body), source=Source.WEBHOOK, policy=policy),
                attempt=seen.attempt,
            )
            changed = observe(payment, sighting, belief=belief, now_ms=now_ms)
            return sighted(payment, changed, sighting, now_ms=now_ms, came_ms=seen.at_ms), Source.WEBHOOK
        case ReplySeen(operation=name, reply=reply, deadline_ms=deadline_ms):
            sighting = interpreted(payment, reply.body, source=Source.REPLY, policy=policy, operation=name)
            changed = after_reply(
                payment,
                name,
                reply,
                sighting,
                deadline_ms=deadline_ms,
                belief=belief,
                policy=policy,
                now_ms=now_ms,
            )
            return replied(payment, changed, name, reply, sighting, now_ms=now_ms, came_ms=seen.at_ms), Source.REPLY


def _decided(payment: Payment, seen: DecisionSeen, *, policy: Policy, now_ms: int) -> tuple[Payment, Source | None]:
    """The payment after a decision; one that is refused is remembered, so that who decided can read why."""
    try:
        changed = decide(payment, seen, policy=policy, now_ms=now_ms)
    except RefusedError as error:
        known = remember_refusal(payment, seen, error)
        return decided(payment, known, seen, now_ms=now_ms, refused=error), None
    return decided(payment, changed, seen, now_ms=now_ms), Source.PERSON


def _parsed(body: str) -> object:
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _no_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)
