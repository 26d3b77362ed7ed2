from __future__ import annotations

import base64
import json
from urllib.parse import urlsplit

import pytest

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_publisher import AmqpPublisher
from orchestrator.adapters.publisher import open_publisher
from orchestrator.adapters.subscriber import subscribe
from tests.integration.relay.relaying import (
    Feeder,
    Log,
    Reader,
    Recorder,
    assert_first_deliveries_in_order,
    make_relay,
    until,
)
from tests.support.fault_proxy import Mode, ThreadedProxy


def test_the_relay_survives_a_restart_of_redis(own_valkey, namespace):
    log = Log(own_valkey.url, namespace)
    recorder = Recorder()
    relay = make_relay(own_valkey.url, recorder, namespace)
    relay.start()
    log.append("ord-1", 1)
    until(lambda: len(recorder.bodies) == 1)
    own_valkey.kill()
    until(lambda: relay.figures()["redis"] == "away")
    own_valkey.start()
    log.append("ord-1", 2)
    until(lambda: b'"sequence": 2}' in recorder.bodies[-1])
    until(lambda: relay.figures()["redis"] == "ok")
    assert relay.stop(5)
    log.client.close()


def test_the_relay_starts_before_redis_and_the_broker_are_there(own_valkey, namespace, unused_port):
    own_valkey.kill()
    publisher = open_publisher(f"amqp://guest:guest@127.0.0.1:{unused_port()}//", namespace=namespace)
    relay = make_relay(own_valkey.url, publisher, namespace)
    relay.start()
    until(lambda: relay.figures()["redis"] == "away")
    own_valkey.start()
    log = Log(own_valkey.url, namespace)
    log.append("ord-1", 1)
    until(lambda: relay.figures()["broker"] == "away")
    assert relay.figures()["waiting"] == 1
    assert relay.stop(5)
    log.client.close()


@pytest.fixture
def amqp_proxy(amqp_url):
    with ThreadedProxy(urlsplit(amqp_url).port or 5672) as proxy:
        yield proxy


def test_connections_and_confirms_that_rabbitmq_loses_cost_no_event_and_no_order(
    log, amqp_url, amqp_proxy, broker, namespace, relays
):
    url = urlsplit(amqp_url)._replace(netloc=f"guest:guest@127.0.0.1:{amqp_proxy.proxy.port}").geturl()
    faults = [Mode.CUT_REPLY, Mode.KEEP_REPLY, Mode.BLACKHOLE, Mode.REFUSE] * 2
    with Reader(amqp_url, namespace) as reader, Feeder(log) as feeder:
        relay = relays(AmqpPublisher(url, namespace=namespace, confirm_timeout_s=0.3), lease_s=30)
        for mode in faults:
            got = len(reader.ids())
            until(lambda more=got: len(reader.ids()) > more + 50, what="events flow before the fault")
            amqp_proxy.set(mode)
            if mode is Mode.REFUSE:
                amqp_proxy.cut()
            until(lambda: relay.figures()["broker"] == "away", what=mode)
            amqp_proxy.set(Mode.PASS)
        expected = feeder.end()
        until(lambda: log.cursors() == log.ends(), limit_s=30)
        until(lambda: len(reader.ids()) == sum(expected.values()))
    assert assert_first_deliveries_in_order(reader.events) == expected
    assert len(reader.events) > sum(expected.values()), "nothing came twice: no confirm was lost"


def test_a_redis_broker_that_is_killed_while_events_are_published_costs_no_event_and_no_order(
    log, own_valkey, namespace, relays
):
    queue = f"{namespace}orders"
    with subscribe(own_valkey.url, namespace=namespace, queue=queue):
        pass
    broker_log = Log(own_valkey.url, namespace)
    with Feeder(log) as feeder:
        relay = relays(open_publisher(own_valkey.url, namespace=namespace, queue_max=10**6), lease_s=30)
        for _ in range(5):
            length = broker_log.client.llen(queue)
            until(lambda more=length: broker_log.client.llen(queue) > more + 50, what="events flow before the kill")
            own_valkey.kill()
            until(lambda: relay.figures()["broker"] == "away")
            own_valkey.start()
        expected = feeder.end()
        until(lambda: log.cursors() == log.ends(), limit_s=30)
    # Not through a consumer: one of kombu's on Redis may itself lose what it had popped.
    stored = [json.loads(each)["body"] for each in reversed(broker_log.client.lrange(queue, 0, -1))]
    events = [json.loads(base64.b64decode(body)) for body in stored]
    assert assert_first_deliveries_in_order(events) == expected
    broker_log.client.close()


def test_a_queue_that_rejects_again_and_again_gets_everything_in_order_and_so_do_the_others(
    log, amqp_url, broker, namespace, relays
):
    small = f"{namespace}small"
    broker.queue_declare(small, exclusive=True, arguments={"x-max-length": 20, "x-overflow": "reject-publish"})
    broker.queue_bind(small, topology.events_exchange(namespace).name, "payment.#")
    taken = []

    def drained(at_least):
        while (message := broker.basic_get(small, no_ack=True)) is not None:
            taken.append(json.loads(message.body))
        return len({event["id"] for event in taken}) >= at_least

    with Reader(amqp_url, namespace) as reader, Feeder(log, payments=200, pause_s=0.02) as feeder:
        relay = relays(open_publisher(amqp_url, namespace=namespace))
        until(lambda: relay.figures()["rejected"] > 100)
        until(lambda: drained(300), limit_s=30)
        expected = feeder.end()
        until(lambda: drained(sum(expected.values())), limit_s=60)
        until(lambda: log.cursors() == log.ends())
        until(lambda: len(reader.ids()) == sum(expected.values()))
    assert assert_first_deliveries_in_order(taken) == expected
    assert assert_first_deliveries_in_order(reader.events) == expected
    assert relay.figures()["given_up"] == 0
