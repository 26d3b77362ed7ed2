"""From an entry of the event log to a routing key, and to the payment whose order must be kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from orchestrator.events import payment_routing_key
from orchestrator.ports import PublishedEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "unknown"
ROUTING_KEY_MAX = 255  # bytes, by AMQP


def route(body: bytes) -> PublishedEvent:
    """Return the event as it goes out: bytes unchanged, routing key by interface 1 (refusals) and 2.

    Raises ValueError where the body is no CloudEvent of ours.
    """
    try:
        event = json.loads(body)
        is_refusal = event["type"].endswith(".refused")
        routing_key = _refusal_key(event) if is_refusal else payment_routing_key(event["data"])
        partition = str(event["id"]) if is_refusal else f"{event['data']['merchant']}/{event['data']['intent_id']}"
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an event of this program: {type(error).__name__}") from error
    if len(routing_key.encode()) > ROUTING_KEY_MAX:
        raise ValueError("the routing key is too long")
    return PublishedEvent(routing_key=routing_key, body=body, partition=partition)


def _refusal_key(event: Mapping[str, Any]) -> str:
    return ".".join(("refusal", _merchant_of(event), event["data"]["code"]))


def _merchant_of(event: Mapping[str, Any]) -> str:
    # A refusal's data has no merchant; the source is /payorch/<merchant> or /payorch/<namespace>/<merchant>.
    merchant = event["data"].get("merchant") or event["source"].rpartition("/")[2]
    readable = merchant and all(char in _MERCHANT for char in merchant) and event["source"] != "/payorch"
    return str(merchant) if readable else UNKNOWN


_MERCHANT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
