from __future__ import annotations

import json
import threading
import time
from itertools import islice
from typing import Any

import pytest
from redis.connection import AbstractConnection

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_publisher import AmqpPublisher
from orchestrator.adapters.kombu_entities import Connection, Consumer, Exchange, Queue
from orchestrator.adapters.kombu_redis import SOCKET_TIMEOUT_S
from orchestrator.adapters.publisher import open_publisher
from orchestrator.adapters.subscriber import subscribe
from orchestrator.ports import PublishedEvent
from tests.integration.relay.relaying import published, until


@pytest.fixture
def publisher(events_url, namespace):
    publisher = open_publisher(events_url, namespace=namespace)
    yield publisher
    publisher.close()


def test_an_event_without_any_subscriber_is_published(publisher):
    assert list(publisher.publish([published()])) == [True]
    assert publisher.answered


def test_an_empty_window_needs_no_broker(unused_port):
    publisher = open_publisher(f"amqp://guest:guest@127.0.0.1:{unused_port()}//")
    assert list(publisher.publish([])) == []


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_without_a_broker_every_answer_is_no_and_none_is_a_refusal(scheme, unused_port):
    publisher = open_publisher(f"{scheme}://127.0.0.1:{unused_port()}/")
    assert list(publisher.publish([published(1), published(2)])) == [False, False]
    assert not publisher.answered
    assert "refused" in publisher.error


def test_an_ordinary_kombu_consumer_gets_the_bytes_and_the_content_type(publisher, events_url, namespace):
    exchange = Exchange(f"{namespace}payments.events", type="topic", durable=True)
    queue = Queue(f"{namespace}mine", exchange=exchange, routing_key="payment.*.card.#", durable=False, exclusive=True)
    got: list[Any] = []
    with Connection(events_url) as connection, connection.channel() as channel:
        bound = queue(channel)
        bound.declare()
        with Consumer(channel, [bound], on_message=got.append, no_ack=True):
            publisher.publish([published(1, "payment.default.payin.accepted"), published(2)])
            while not got:
                connection.drain_events(timeout=5)
        bound.delete()
    (message,) = got
    assert message.content_type == "application/cloudevents+json"
    assert json.loads(message.body)["id"] == "default/ord-2:1"
    assert message.delivery_info["routing_key"] == "payment.default.card.accepted"


def test_a_window_of_five_hundred_is_confirmed_as_a_whole(publisher, events_url, namespace):
    with subscribe(events_url, namespace=namespace) as subscription:
        assert all(publisher.publish([published(number) for number in range(500)]))
        subjects = [received["subject"] for received in subscription.events(0.5)]
    assert subjects == [f"ord-{number}" for number in range(500)]


def test_a_full_queue_is_a_refusal_of_its_events_only(amqp_url, broker, namespace):
    publisher = open_publisher(amqp_url, namespace=namespace)
    broker.queue_declare("", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    queue = broker.queue_declare(
        f"{namespace}full", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
    ).queue
    broker.queue_bind(queue, topology.events_exchange(namespace).name, "payment.*.payin.*")
    window = [published(1, "payment.default.payin.accepted"), published(2)]
    assert list(publisher.publish(window)) == [True, True]
    assert list(publisher.publish(window)) == [False, True]
    assert publisher.answered
    publisher.close()


def test_a_lost_connection_is_opened_again_for_the_next_window(amqp_url, broker, namespace):
    publisher = AmqpPublisher(amqp_url, namespace=namespace)
    assert all(publisher.publish([published(1)]))
    publisher._connection.sock.close()
    assert list(publisher.publish([published(2)])) == [False]
    assert not publisher.answered
    assert list(publisher.publish([published(3)])) == [True]
    publisher.close()


def test_an_exchange_that_was_deleted_comes_back(amqp_url, broker, namespace):
    publisher = open_publisher(amqp_url, namespace=namespace)
    assert all(publisher.publish([published(1)]))
    broker.exchange_delete(topology.events_exchange(namespace).name)
    assert list(publisher.publish([published(2)])) == [False]
    assert list(publisher.publish([published(2)])) == [True]
    publisher.close()


def test_a_broker_that_blocks_publishers_is_an_outage_after_a_bounded_wait(amqp_url, broker, namespace):
    publisher = AmqpPublisher(amqp_url, namespace=namespace, confirm_timeout_s=2)
    assert all(publisher.publish([published(1)]))
    publisher._on_blocked("low on memory")
    started = time.monotonic()
    assert list(publisher.publish([published(2)])) == [False]
    assert 1.9 < time.monotonic() - started < 12
    assert not publisher.answered
    assert list(publisher.publish([published(2)])) == [True]
    publisher.close()


def test_on_redis_whoever_is_bound_when_a_window_begins_gets_all_of_it(redis_url, namespace):
    publisher = open_publisher(redis_url, namespace=namespace)
    assert all(publisher.publish([published(1)]))
    with subscribe(redis_url, namespace=namespace) as subscription:
        assert all(publisher.publish([published(2), published(3)]))
        assert [received["subject"] for received in subscription.events(1)] == ["ord-2", "ord-3"]
    publisher.close()


def test_on_redis_a_server_out_of_memory_makes_the_window_uncertain(own_valkey, namespace):
    publisher = open_publisher(own_valkey.url, namespace=namespace)
    with subscribe(own_valkey.url, namespace=namespace) as subscription:
        own_valkey.command("CONFIG", "SET", "maxmemory", "1")
        assert list(publisher.publish([published(1)])) == [False]
        assert not publisher.answered
        own_valkey.command("CONFIG", "SET", "maxmemory", "0")
        assert list(publisher.publish([published(1)])) == [True]
        assert [received["subject"] for received in subscription.events(0.3)] == ["ord-1"]
    publisher.close()


# The subscriber


def test_a_subscription_of_its_own_leaves_nothing_behind_on_redis(redis_url, namespace, log, publisher):
    with subscribe(redis_url, namespace=namespace):
        pass
    publisher.publish([published(1)])
    assert [key for key in log.client.keys("*") if b"watch" in key] == []


def test_a_subscription_that_is_interrupted_when_it_begins_to_wait_ends_at_once(redis_url, namespace, monkeypatch):
    send = AbstractConnection.send_command

    def interrupted(connection, *arguments, **options):
        if arguments[0] == "BRPOP":
            raise KeyboardInterrupt
        return send(connection, *arguments, **options)

    monkeypatch.setattr(AbstractConnection, "send_command", interrupted)
    with pytest.raises(KeyboardInterrupt), subscribe(redis_url, namespace=namespace) as subscription:
        try:
            next(subscription.events(5))
        finally:
            began_s = time.monotonic()
    assert time.monotonic() - began_s < SOCKET_TIMEOUT_S / 2


def test_a_named_queue_stays_and_keeps_what_was_not_asked_for(publisher, events_url, namespace):
    name = f"{namespace}orders"
    with subscribe(events_url, namespace=namespace, queue=name):
        pass
    publisher.publish([published(number) for number in range(3)])
    with subscribe(events_url, namespace=namespace, queue=name) as subscription:
        # Asking for the second acknowledges the first.
        first, second = islice(subscription.events(2), 2)
    with subscribe(events_url, namespace=namespace, queue=name) as subscription:
        rest = [received["subject"] for received in subscription.events(1)]
    assert (first["subject"], second["subject"]) == ("ord-0", "ord-1")
    assert sorted(rest) == ["ord-1", "ord-2"]
    if events_url.startswith("amqp"):
        with Connection(events_url) as connection:
            connection.channel().queue_delete(name)


def test_a_message_that_is_no_event_is_left_out(publisher, events_url, namespace):
    junk = PublishedEvent(routing_key="payment.a.b.c", body=b"{]", partition="x")
    with subscribe(events_url, namespace=namespace) as subscription:
        publisher.publish([junk, published(1)])
        assert [received["subject"] for received in subscription.events(0.5)] == ["ord-1"]


def test_a_subscription_goes_on_after_a_restart_of_redis(own_valkey, namespace):
    publisher = open_publisher(own_valkey.url, namespace=namespace)
    got: list[dict[str, Any]] = []
    done = threading.Event()

    def read():
        with subscribe(own_valkey.url, namespace=namespace) as subscription:
            while not done.is_set():
                got.extend(subscription.events(0.1))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    until(lambda: bool(publisher.publish([published(1)])) and bool(got))
    own_valkey.restart()
    number = iter(range(2, 10_000))
    try:
        until(lambda: bool(publisher.publish([published(next(number))])) and got[-1]["subject"] != "ord-1")
    finally:
        done.set()
        reader.join(10)
    assert not reader.is_alive()
    publisher.close()
