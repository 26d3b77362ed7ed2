"""The messages as contracts for programs: JSON Schema 2020-12 of each, and AsyncAPI 3.0 of where they go. Pure.

What a worker takes or publishes always fits them. An intent or command that fits may still be refused by a rule that
no schema says: what a flow needs of `customer`, deadlines, configured merchants, card numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from orchestrator.commands import OtpCommand, PlainCommand, RefundCommand
from orchestrator.events import SEQUENCE_DIGITS
from orchestrator.intent import PaymentIntent
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Status

_CLOUD_EVENT = "application/cloudevents+json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
Flow = Literal["card", "payin", "gateway_link", "payid"]
Minor = Annotated[int, Field(ge=0, description="Minor units of the currency.")]


class _Published(BaseModel):
    """All that is said is always there; a later version may say more."""

    model_config = ConfigDict(extra="allow")


class _Provider(_Published):
    name: Literal["hello_clever"]
    reference: str | None
    status: str | None
    stage: str | None


class StatusData(_Published):
    """The public view of a payment."""

    intent_id: str
    merchant: str
    flow: Flow
    sequence: Annotated[int, Field(ge=1, description="Without gaps per payment; 1 is `accepted`.")]
    status: Status
    previous_status: Status | None
    reason: Reason | None
    amount_minor: Minor | None
    currency: str
    total_minor: Minor | None
    paid_minor: Minor
    refunded_minor: Minor
    customer_paid: bool
    settled: bool
    next_action: Annotated[dict[str, Any] | None, Field(description="What the customer has to do; `type` names it.")]
    failure: dict[str, Any] | None
    review: Annotated[list[str], Field(description="Reasons for a person to look; more may come.")]
    provider: _Provider
    expires_at: datetime | None
    metadata: dict[str, str]
    observed_by: Source


class _CloudEvent(_Published):
    specversion: Literal["1.0"]
    source: str
    time: datetime
    datacontenttype: Literal["application/json"]


class StatusEvent(_CloudEvent):
    """A change of the public view, at least once; `id` is the same however often it comes."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+/[A-Za-z0-9_-]+:[0-9]+$")]
    type: Annotated[str, Field(pattern=r"^payment\.[a-z_]+$")]
    subject: str
    sequence: Annotated[str, Field(pattern=f"^[0-9]{{{SEQUENCE_DIGITS}}}$")]
    data: StatusData


class RefusalData(_Published):
    """Why a message or command cannot be accepted."""

    code: str
    message: str
    field: str | None
    command: str | None
    intent_id: str | None
    body_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class RefusalEvent(_CloudEvent):
    """A message or command that cannot be accepted; the queue goes on."""

    id: Annotated[str, Field(pattern="^refusal/")]
    type: Literal["intent.refused", "command.refused"]
    subject: str | None = None
    data: RefusalData


class _Generator(GenerateJsonSchema):
    """Without the titles that only repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


_Command = PlainCommand | OtpCommand | RefundCommand
_MESSAGES: dict[str, tuple[TypeAdapter[Any], str]] = {
    "intent": (TypeAdapter(PaymentIntent), "What an order service asks for."),
    "command": (TypeAdapter(_Command), "What it wants done with a payment that it asked for before."),
    "status-event": (TypeAdapter(StatusEvent), "A change of a payment's public view."),
    "refusal-event": (TypeAdapter(RefusalEvent), "A message or command that cannot be accepted."),
}
NAMES = (*_MESSAGES, "asyncapi")


def summary(name: str) -> str:
    """What the contract of this name is about, as a sentence. Raises KeyError."""
    return "Where the messages go, for RabbitMQ and Redis (AsyncAPI 3.0)." if name == "asyncapi" else _MESSAGES[name][1]


def contract(name: str) -> dict[str, Any]:
    """The contract of this name, of `NAMES`. Raises KeyError."""
    if name == "asyncapi":
        return _asyncapi()
    adapter, description = _MESSAGES[name]
    schema = adapter.json_schema(schema_generator=_Generator)
    return {"$schema": DIALECT, "title": name, **schema, "description": description}


def _asyncapi() -> dict[str, Any]:
    """Where the messages go: on RabbitMQ by exchange and routing key, on Redis by stream (interface 1 and 2)."""
    schemas: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for name, (adapter, description) in _MESSAGES.items():
        schema = adapter.json_schema(schema_generator=_Generator, ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
        messages[name] = {
            "name": name,
            "summary": description,
            "contentType": _CLOUD_EVENT if name.endswith("event") else "application/json",
            "payload": {"$ref": f"#/components/schemas/{name}"},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "payorch",
            "version": "1.0.0",
            "description": "Payment intents and commands in, normalised status events out. "
            "With PAYORCH_NAMESPACE set, its text stands before the names of exchanges, queues and streams.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name, row) for name, row in _CHANNELS.items()},
        "operations": {
            name: {
                "action": row.action,
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": row.summary,
            }
            for name, row in _CHANNELS.items()
        },
        "components": {"messages": messages, "schemas": schemas},
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Channel:
    address: str
    messages: tuple[str, ...]
    action: Literal["receive", "send"]
    summary: str
    exchange: str | None = None  # of RabbitMQ; None: a stream of Redis
    parameters: tuple[str, ...] = ()


_CHANNELS = {
    "intents": _Channel(
        address="intent.requested",
        messages=("intent",),
        action="receive",
        summary="Publish persistent and mandatory, with confirms; the queue is `payments.intents`.",
        exchange="payments",
    ),
    "commands": _Channel(
        address="intent.command",
        messages=("command",),
        action="receive",
        summary="As intents, to the same queue.",
        exchange="payments",
    ),
    "intentStream": _Channel(
        address="payments.intents",
        messages=("intent", "command"),
        action="receive",
        summary="XADD without MAXLEN; the JSON is in the field `intent` or `command`.",
    ),
    "statusEvents": _Channel(
        address="payment.{merchant}.{flow}.{status}",
        messages=("status-event",),
        action="send",
        summary="Bind a queue of your own, as with `payment.*.*.succeeded`.",
        exchange="payments.events",
        parameters=("merchant", "flow", "status"),
    ),
    "refusals": _Channel(
        address="refusal.{merchant}.{code}",
        messages=("refusal-event",),
        action="send",
        summary="`merchant` is `unknown` where the message could not be read.",
        exchange="payments.events",
        parameters=("merchant", "code"),
    ),
    "eventLog": _Channel(
        address="payorch:{shard}:events",
        messages=("status-event",),
        action="send",
        summary="Streams `s00` to `s63` of Redis, the JSON in the field `event`: the subscription that misses nothing.",
        parameters=("shard",),
    ),
}


def _channel(name: str, row: _Channel) -> dict[str, Any]:
    exchange = {"name": row.exchange, "type": "topic", "durable": True}
    return {
        "address": row.address,
        "title": name,
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in row.messages},
        **({"parameters": {parameter: {} for parameter in row.parameters}} if row.parameters else {}),
        **({"bindings": {"amqp": {"is": "routingKey", "exchange": exchange}}} if row.exchange else {}),
    }
