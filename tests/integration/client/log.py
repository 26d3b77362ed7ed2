"""Writes the event log as the store does."""

from __future__ import annotations

import json

from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.identity import PaymentKey

SHARDS = 64


def event(intent_id: str, sequence: int, status: str, *, next_action=None, merchant: str = "default") -> dict:
    data = {"intent_id": intent_id, "merchant": merchant, "flow": "card", "sequence": sequence, "status": status}
    return {
        "specversion": "1.0",
        "id": f"{merchant}/{intent_id}:{sequence}",
        "type": f"payment.{status}",
        "data": {**data, "next_action": next_action},
    }


class Log:
    def __init__(self, client, namespace: str) -> None:
        self._client = client
        self._keys = RedisKeys(namespace=namespace, shards=SHARDS)

    def set_up(self) -> None:
        self._client.set(self._keys.shard_count, SHARDS)

    def append(self, intent_id: str, sequence: int, status: str, *, next_action=None, store: bool = True) -> None:
        key = PaymentKey(merchant="default", intent_id=intent_id)
        if store:
            self._client.hset(self._keys.payment(key)[0], "version", sequence)
        body = json.dumps(event(intent_id, sequence, status, next_action=next_action))
        self._client.xadd(self._keys.events(self._keys.shard(key)), {"event": body})

    def crowd(self, intent_id: str, count: int) -> None:
        """Many events of others in the shard of this payment."""
        key = PaymentKey(merchant="default", intent_id=intent_id)
        stream = self._keys.events(self._keys.shard(key))
        with self._client.pipeline(transaction=False) as pipeline:
            for number in range(count):
                pipeline.xadd(stream, {"event": json.dumps(event(f"other-{number}", 1, "accepted"))})
            pipeline.execute()
