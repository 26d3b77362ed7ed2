from __future__ import annotations

import asyncio

import amqp
import pytest

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import open_connection
from workers.amqp_intake import AmqpIntake


class Broker:
    """The declared topology of one namespace, a publisher with confirms, and a look into the queues."""

    def __init__(self, url, namespace):
        self.url = url
        self.namespace = namespace
        self.topology = topology.build(namespace)
        self.connection = open_connection(url, confirm_publish=True)
        self.channel = self.connection.channel()
        topology.declare_on(self.connection, self.topology)

    def publish(self, body, *, key="intent.requested", **properties):
        message = amqp.Message(body, **({"delivery_mode": 2} | properties))
        self.channel.basic_publish(
            message, exchange=self.topology.intents_exchange.name, routing_key=key, mandatory=True, timeout=5
        )

    def ready(self, queue):
        """Messages of a queue that nobody holds."""
        return self.channel.queue_declare(queue.name, passive=True).message_count

    def consumers(self, queue):
        """How many consume from a queue."""
        return self.channel.queue_declare(queue.name, passive=True).consumer_count

    def hand_out_and_take_back(self, times):
        """Raise the delivery count of the one message in the queue."""
        for _ in range(times):
            message = self.channel.basic_get(self.topology.intents_queue.name)
            self.channel.basic_reject(message.delivery_tag, requeue=True)

    def remove(self):
        if not self.channel.is_open:
            self.channel = self.connection.channel()
        for queue in self.topology.queues:
            self.channel.queue_delete(queue.name)
        for exchange in self.topology.exchanges:
            self.channel.exchange_delete(exchange.name)
        self.connection.close()


@pytest.fixture
def broker(amqp_url, namespace):
    broker = Broker(amqp_url, namespace)
    yield broker
    broker.remove()


@pytest.fixture
async def intakes(broker):
    """Makes intakes on the test's loop; stopped at the end, off the loop as `stop` demands."""
    started = []

    def start(take, *, take_dead=None, prefetch=20):
        async def unexpected(incoming):
            raise AssertionError(incoming)

        intake = AmqpIntake(
            broker.url,
            namespace=broker.namespace,
            prefetch=prefetch,
            take=take,
            take_dead=take_dead or unexpected,
            loop=asyncio.get_running_loop(),
        )
        intake.start()
        started.append(intake)
        return intake

    yield start
    for intake in started:
        assert await asyncio.to_thread(intake.stop, 10)
