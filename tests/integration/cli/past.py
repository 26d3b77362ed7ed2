"""An event log with a past for `payorch events`, and queues whose bytes a test can compare."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.adapters import topology
from orchestrator.adapters.kombu_entities import Connection, Queue
from tests.integration.relay.relaying import Log, event

SHARDS = 64
HOUR_MS = 3_600_000


class Past(Log):
    """Events that were committed some hours ago and relayed, each with bytes of its own."""

    def __init__(self, url, namespace):
        super().__init__(url, namespace, shards=SHARDS)
        self.bodies: dict[str, bytes] = {}  # by id, as committed

    def now_ms(self):
        seconds, micros = self.client.time()
        return seconds * 1000 + micros // 1000

    def write(self, intent_id, *, hours_ago, merchant="default", relayed=True, status="accepted", padding=0):
        """The payment's next event; returns its id."""
        known = [name for name in self.bodies if name.startswith(f"{merchant}/{intent_id}:")]
        made = event(intent_id, len(known) + 1, status=status)
        made["id"] = f"{merchant}/{intent_id}:{len(known) + 1}"
        made["data"]["merchant"] = merchant
        # Spaces and characters that no second writer would put in the same way.
        body = json.dumps(made | {"note": "ü" * padding}, indent=1, ensure_ascii=False).encode() + b" "
        source = self.source_of(intent_id, merchant=merchant)
        at_ms = self.now_ms() - int(hours_ago * HOUR_MS)
        entry = self.client.xadd(source.stream, {"event": body}, id=f"{at_ms}-*")
        if relayed:
            self.client.set(source.cursor, entry)
        self.bodies[made["id"]] = body
        return made["id"]


class Inbox:
    """A subscriber's durable queue that nobody reads but the test."""

    def __init__(self, url, namespace, *, name="orders", binding="payment.#"):
        self.name = f"{namespace}{name}"
        self._connection = Connection(url)
        exchange = topology.events_exchange(namespace)
        self._queue: Any = Queue(self.name, exchange=exchange, routing_key=binding)(self._connection.channel())
        self._queue.declare()

    def close(self):
        self._queue.delete()
        self._connection.release()

    def take(self):
        """The bytes of every message, in order."""
        taken = []
        while (message := self._queue.get(no_ack=True)) is not None:
            assert message.content_type == "application/cloudevents+json"
            taken.append(message.body if isinstance(message.body, bytes) else message.body.encode())
        return taken

    def ids(self):
        """The ids of every message, in order."""
        return [json.loads(body)["id"] for body in self.take()]
