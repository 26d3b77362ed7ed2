"""An observation as the bytes that wait beside a payment until its owner applies them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.ports import Reply


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookSeen:
    """A verified webhook, as received."""

    attempt: int
    at_ms: int
    body: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplySeen:
    """A reply whose worker was not the owner any more when it came."""

    operation: str
    at_ms: int
    reply: Reply
    deadline_ms: int | None = None  # of the mark whose call was answered: it tells which sending this was


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandSeen:
    """A command as received; its shape was found to be right."""

    at_ms: int
    body: str
    origin: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionSeen:
    """What a person found out and decided of a payment, and who answers for it.

    `attempt` and `paid_minor` are those that the person saw: where the payment went on since, nothing is done.
    """

    decision_id: str
    at_ms: int
    actor: str
    reason: str
    evidence: str
    outcome: str
    operation: str | None = None
    attempt: int = 1
    reference: str | None = None
    paid_minor: int | None = None
    reviews: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LookSeen:
    """Somebody wants to know how the payment stands now."""

    at_ms: int
    actor: str


Observation = WebhookSeen | ReplySeen | CommandSeen | DecisionSeen | LookSeen


def encode_observation(seen: Observation) -> bytes:
    """The stored form."""
    flat: dict[str, Any] = {"kind": type(seen).__name__, "at_ms": seen.at_ms}
    match seen:
        case WebhookSeen():
            flat |= {"attempt": seen.attempt, "body": seen.body}
        case CommandSeen():
            flat |= {"body": seen.body, "origin": seen.origin}
        case ReplySeen(reply=reply):
            flat |= {
                "operation": seen.operation,
                "deadline_ms": seen.deadline_ms,
                "sent": reply.sent,
                "http_status": reply.http_status,
                "body": reply.body,
                "is_json": reply.is_json,
                "retry_after_s": reply.retry_after_s,
                "error": reply.error,
            }
        case DecisionSeen() | LookSeen():
            flat |= asdict(seen)
    # Decimals become strings: the provider's numbers are read from either (D-14).
    return json.dumps(flat, separators=(",", ":"), default=str).encode()


def decode_observation(stored: bytes) -> Observation:
    """The observation in its stored form; raises ValueError or KeyError where it is none of ours."""
    flat = json.loads(stored)
    kind, at_ms = flat.pop("kind"), flat.pop("at_ms")
    if kind == "WebhookSeen":
        return WebhookSeen(at_ms=at_ms, attempt=flat["attempt"], body=flat["body"])
    if kind == "CommandSeen":
        return CommandSeen(at_ms=at_ms, body=flat["body"], origin=flat["origin"])
    if kind == "ReplySeen":
        operation, deadline_ms = flat.pop("operation"), flat.pop("deadline_ms", None)
        return ReplySeen(at_ms=at_ms, operation=operation, deadline_ms=deadline_ms, reply=Reply(**flat))
    if kind == "DecisionSeen":
        return DecisionSeen(at_ms=at_ms, **flat | {"reviews": tuple(flat["reviews"])})
    if kind == "LookSeen":
        return LookSeen(at_ms=at_ms, actor=flat["actor"])
    message = f"unknown kind of observation: {kind!r}"
    raise ValueError(message)
