"""Publishing to one queue of a subscriber, past the exchange."""

from __future__ import annotations

import contextlib

import pytest

from orchestrator.adapters import topology
from orchestrator.adapters.kombu_entities import Connection, Queue
from orchestrator.adapters.publisher import QueueMissingError, open_publisher
from orchestrator.adapters.subscriber import subscribe
from tests.integration.relay.relaying import Reader, published, until


@pytest.fixture
def queue(events_url, namespace):
    name = f"{namespace}orders"
    with subscribe(events_url, namespace=namespace, queue=name, binding="payment.*.*.succeeded"):
        pass
    yield name
    delete(events_url, namespace, name)


def delete(url, namespace, name):
    exchange = topology.events_exchange(namespace)
    with Connection(url) as connection:
        # On Redis a channel takes away only the bindings that it knows.
        bound = Queue(name, exchange=exchange, routing_key="payment.*.*.succeeded")(connection.channel())
        bound.declare()
        bound.delete()


@pytest.fixture
def publisher_to(events_url, namespace):
    with contextlib.ExitStack() as opened:

        def make(queue, **options):
            publisher = open_publisher(events_url, namespace=namespace, queue=queue, **options)
            opened.callback(publisher.close)
            return publisher

        yield make


def test_only_that_queue_gets_the_event_whatever_it_is_bound_to(events_url, namespace, queue, publisher_to):
    with Reader(events_url, namespace) as other:
        assert list(publisher_to(queue).publish([published(1), published(2)])) == [True, True]
        with subscribe(events_url, namespace=namespace, queue=queue) as subscription:
            assert [each["subject"] for each in subscription.events(1)] == ["ord-1", "ord-2"]
        publisher_to(None).publish([published(3)])
        until(lambda: other.events)
    assert [each["subject"] for each in other.events] == ["ord-3"]


def test_a_queue_that_nobody_declared_is_an_error_that_names_it(namespace, publisher_to):
    with pytest.raises(QueueMissingError, match=f"{namespace}nobody"):
        publisher_to(f"{namespace}nobody").publish([published(1)])


def test_a_queue_that_goes_away_in_the_middle_is_an_error(events_url, namespace, queue, publisher_to):
    publisher = publisher_to(queue)
    assert list(publisher.publish([published(1)])) == [True]
    delete(events_url, namespace, queue)

    def is_missed():
        with contextlib.suppress(QueueMissingError):
            publisher.publish([published(2)])
            return False
        return True

    until(is_missed)


def test_on_redis_a_queue_of_ones_own_that_is_too_long_rejects(redis_url, namespace, log):
    name = f"{namespace}orders"
    with subscribe(redis_url, namespace=namespace, queue=name):
        pass
    publisher = open_publisher(redis_url, namespace=namespace, queue=name, queue_max=2)
    assert list(publisher.publish([published(1), published(2)])) == [True, True]
    assert list(publisher.publish([published(3)])) == [False]
    assert publisher.answered
    log.client.rpop(name)
    assert list(publisher.publish([published(3)])) == [True]
    publisher.close()


def test_on_redis_a_name_that_holds_something_else_is_no_queue(redis_url, namespace, log):
    log.client.set(f"{namespace}orders", "x")
    publisher = open_publisher(redis_url, namespace=namespace, queue=f"{namespace}orders")
    with pytest.raises(QueueMissingError):
        publisher.publish([published(1)])
    publisher.close()


def test_on_rabbitmq_a_queue_of_another_connection_is_an_error_that_names_it(amqp_url, broker, namespace):
    broker.queue_declare(f"{namespace}private", exclusive=True)
    publisher = open_publisher(amqp_url, namespace=namespace, queue=f"{namespace}private")
    with pytest.raises(QueueMissingError, match=f"{namespace}private"):
        publisher.publish([published(1)])
    publisher.close()
