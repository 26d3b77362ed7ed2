"""The public view as CloudEvents 1.0, and refusals too (interface 1 and 2)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.identity import DEFAULT_MERCHANT
from orchestrator.payment import Payment, PublicView, public_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.sighting import Source

PROVIDER_NAME = "hello_clever"
SEQUENCE_DIGITS = 10


def rfc3339(moment_ms: int | None) -> str | None:
    """Milliseconds since the epoch as RFC 3339 in UTC with milliseconds."""
    if moment_ms is None:
        return None
    moment = datetime.fromtimestamp(moment_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def source_of(merchant: str, *, namespace: str) -> str:
    """The CloudEvents source: `/payorch/<merchant>`, the namespace between where there is one."""
    return f"/payorch/{namespace}/{merchant}" if namespace else f"/payorch/{merchant}"


def status_event(
    payment: Payment,
    *,
    previous: PublicView | None,
    sequence: int,
    observed_by: Source,
    now_ms: int,
    namespace: str,
) -> bytes:
    """The event of a change of the public view: the whole view, once per sequence."""
    view = public_view(payment)
    data = view_data(payment, view, sequence=sequence) | {
        "previous_status": previous.status if previous else None,
        "observed_by": observed_by,
    }
    return _dumped(
        {
            "specversion": "1.0",
            "id": f"{payment.key}:{sequence}",
            "type": f"payment.{view.status}",
            "source": source_of(payment.key.merchant, namespace=namespace),
            "subject": payment.key.intent_id,
            "time": rfc3339(now_ms),
            "datacontenttype": "application/json",
            "sequence": f"{sequence:0{SEQUENCE_DIGITS}d}",
            "data": data,
        }
    )


def view_data(payment: Payment, view: PublicView, *, sequence: int) -> dict[str, Any]:
    """The public view as the JSON of events and of `GET /v1/payments`."""
    return {
        "intent_id": payment.key.intent_id,
        "merchant": payment.key.merchant,
        "flow": payment.flow,
        "sequence": sequence,
        "status": view.status,
        "reason": view.reason,
        "amount_minor": view.amount_minor,
        "currency": payment.currency,
        "total_minor": view.total_minor,
        "paid_minor": view.paid_minor,
        "refunded_minor": view.refunded_minor,
        "customer_paid": view.customer_paid,
        "settled": view.settled,
        "next_action": view.next_action,
        "failure": view.failure,
        "review": list(view.review),
        "provider": {
            "name": PROVIDER_NAME,
            "reference": view.reference,
            "status": payment.provider_status,
            "stage": payment.provider_stage,
        },
        "expires_at": rfc3339(view.expires_at_ms),
        "metadata": payment.terms.get("metadata", {}),
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """What is known of a message or command that cannot be accepted."""

    code: str
    message: str
    field: str | None
    body: bytes
    merchant: str | None = None
    intent_id: str | None = None
    command: str | None = None
    command_id: str | None = None

    @property
    def body_sha256(self) -> str:
        """The fingerprint of the message as received."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def refusal_id(self) -> str:
        """The event's id: the same however often the message is redelivered."""
        if self.command_id is not None:
            return f"refusal/{self.merchant or DEFAULT_MERCHANT}/{self.command_id}"
        return f"refusal/{self.body_sha256}"


def refusal_event(refused: Refused, *, now_ms: int, namespace: str) -> bytes:
    """`intent.refused` or `command.refused`."""
    merchant = refused.merchant or "unknown"
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": refused.refusal_id,
        "type": "command.refused" if refused.command is not None else "intent.refused",
        "source": source_of(merchant, namespace=namespace),
        "time": rfc3339(now_ms),
        "datacontenttype": "application/json",
        "data": {
            "code": refused.code,
            "message": refused.message,
            "field": refused.field,
            "command": refused.command,
            "intent_id": refused.intent_id,
            "body_sha256": refused.body_sha256,
        },
    }
    if refused.intent_id:
        event["subject"] = refused.intent_id
    return _dumped(event)


def payment_routing_key(data: Mapping[str, Any]) -> str:
    """`payment.<merchant>.<flow>.<status>` of an event's data; raises KeyError or TypeError where it is none."""
    return ".".join(("payment", data["merchant"], data["flow"], data["status"]))


def _dumped(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
