from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import open_connection
from tests.integration.client.log import Log

if TYPE_CHECKING:
    from collections.abc import Iterator

    import amqp


@pytest.fixture
def server(redis_url) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def log(server, namespace) -> Log:
    return Log(server, namespace)


@pytest.fixture
def channel(amqp_url) -> Iterator[amqp.Channel]:
    """A raw channel, to see what the broker has."""
    connection = open_connection(amqp_url)
    yield connection.channel()
    connection.close()


@pytest.fixture
def set_up(amqp_url, namespace, channel) -> Iterator[str]:
    """The namespace in which everything is declared, and nothing is left behind."""
    topology.declare(amqp_url, namespace=namespace)
    built = topology.build(namespace)
    yield namespace
    for queue in built.queues:
        channel.queue_delete(queue.name)
    for exchange in built.exchanges:
        channel.exchange_delete(exchange.name)
