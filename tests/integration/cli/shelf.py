"""Stores payments and refusals through the real store, each with a connection of its own."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_store import RedisStore
from orchestrator.codec import encode
from orchestrator.events import status_event
from orchestrator.identity import PaymentKey
from orchestrator.intent import parse_intent
from orchestrator.observation import WebhookSeen, encode_observation
from orchestrator.payment import new_payment
from orchestrator.ports import Refusal
from orchestrator.sighting import Source

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def intent(intent_id: str = "ord-1", **changes: Any) -> dict[str, Any]:
    return {
        "intent_id": intent_id,
        "amount_minor": 12345,
        "currency": "AUD",
        "description": "Order",
        "method": {"token": "tok_hidden", "return_url": "https://shop.example/return"},
        **changes,
    }


class Shelf:
    def __init__(self, redis_url: str, namespace: str) -> None:
        self._redis_url = redis_url
        self._namespace = namespace

    def put(self, message: dict[str, Any], *, age_s: int = 0, **changes: Any) -> None:
        """Store the payment of an intent, as if accepted so long ago and changed since."""
        accepted_at_ms = int(time.time() - age_s) * 1000
        payment = new_payment(parse_intent(message), now_ms=accepted_at_ms)
        event = status_event(
            payment, previous=None, sequence=1, observed_by=Source.INTAKE, now_ms=accepted_at_ms, namespace=""
        )
        body = encode(replace(payment, **changes))
        self._run(
            lambda store: store.accept(
                payment.key, op="op", fingerprint="print", body=body, event=event, due_at_ms=accepted_at_ms
            )
        )

    def damage(self, message: dict[str, Any]) -> None:
        """Store a payment that no version can read."""
        key = parse_intent(message).key
        self._run(lambda store: store.accept(key, op="op", fingerprint="print", body=b"?", event=b"{}", due_at_ms=0))

    def hear(self, intent_id: str, body: dict[str, Any]) -> None:
        """Let a webhook wait beside a stored payment."""
        seen = WebhookSeen(attempt=1, at_ms=int(time.time() * 1000), body=json.dumps(body))
        key = PaymentKey(merchant="default", intent_id=intent_id)
        self._run(lambda store: store.notify(key, encode_observation(seen), op="hook"))

    def refuse(
        self,
        number: int,
        code: str,
        *,
        body: bytes,
        message: str = "It is wrong.",
        redrivable: bool = True,
        **attributes: str,
    ) -> None:
        refusal = Refusal(
            refusal_id=f"refusal/{number}",
            code=code,
            message=message,
            field="amount_minor",
            origin="stream",
            at_ms=1_795_228_012_345 + number,
            body=body,
            redrivable=redrivable,
            event=b"{}",
            attributes=attributes,
        )
        self._run(lambda store: store.refuse(refusal))

    def _run(self, call: Callable[[RedisStore], Awaitable[object]]) -> None:
        async def run() -> None:
            store = RedisStore(connect(self._redis_url), namespace=self._namespace)
            await call(store)
            await store.close()

        asyncio.run(run())
