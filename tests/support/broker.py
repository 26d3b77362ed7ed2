"""RabbitMQ as an order service sees it, and the removal of all that a namespace left there."""

from __future__ import annotations

import contextlib
from typing import Any

import amqp

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import open_connection


class Broker:
    """The declared topology of one namespace, a publisher with confirms, a look into the queue of intents."""

    def __init__(self, url: str, namespace: str) -> None:
        self.url = url
        self.namespace = namespace
        self.topology = topology.build(namespace)
        self._connection: Any = open_connection(url, confirm_publish=True)
        topology.declare_on(self._connection, self.topology)

    def publish(self, body: str | bytes, *, key: str = "intent.requested", **properties: Any) -> None:
        """Publish to the exchange `payments`, confirmed and mandatory."""
        channel = self._connection.channel()
        message = amqp.Message(body, delivery_mode=2, **properties)
        exchange = self.topology.intents_exchange.name
        channel.basic_publish(message, exchange=exchange, routing_key=key, mandatory=True, timeout=5)
        channel.close()

    def ready(self) -> int:
        """Messages of the queue of intents that nobody holds."""
        channel = self._connection.channel()
        count = channel.queue_declare(self.topology.intents_queue.name, passive=True).message_count
        channel.close()
        return int(count)

    def close(self) -> None:
        """Leave everything as it is."""
        self._connection.close()

    def remove(self) -> None:
        """Delete every queue and exchange of the namespace; the programs that use them are gone by then."""
        channel = self._connection.channel()
        for queue in self.topology.queues:
            channel.queue_delete(queue.name)
        celerys = [f"{self.namespace}{name}" for name in ("celery.pidbox", "celeryev", "payments.tasks")]
        celerys.append(f"reply.{self.namespace}celery.pidbox")
        for name in (*(exchange.name for exchange in self.topology.exchanges), *celerys):
            with contextlib.suppress(amqp.exceptions.AMQPError):
                channel.exchange_delete(name)
        self._connection.close()
