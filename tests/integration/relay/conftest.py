from __future__ import annotations

import pytest

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import open_connection
from tests.integration.relay.relaying import Log, make_relay


@pytest.fixture
def log(redis_url, namespace):
    log = Log(redis_url, namespace)
    yield log
    log.client.close()


@pytest.fixture
def broker(amqp_url, namespace):
    """A channel to RabbitMQ; the test's exchange is gone afterwards, and so are its exclusive queues."""
    connection = open_connection(amqp_url)
    channel = connection.channel()
    topology.events_exchange(namespace)(channel).declare()
    yield channel
    if not channel.is_open:
        channel = connection.channel()
    channel.exchange_delete(topology.events_exchange(namespace).name)
    connection.close()


@pytest.fixture(params=["redis", "amqp"])
def events_url(request):
    """Where the events are published to, once on each broker."""
    if request.param == "redis":
        return request.getfixturevalue("redis_url")
    request.getfixturevalue("broker")
    return request.getfixturevalue("amqp_url")


@pytest.fixture
def relays(redis_url, namespace):
    """Makes relays that are stopped at the end."""
    started = []

    def start(publisher, *, url=redis_url, **options):
        relay = make_relay(url, publisher, namespace, **options)
        started.append(relay)
        relay.start()
        return relay

    yield start
    for relay in started:
        assert relay.stop(10)
