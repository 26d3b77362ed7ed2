from __future__ import annotations

import pytest

from orchestrator.adapters import topology
from orchestrator.adapters.topology import TopologyError


def test_declaring_twice_changes_nothing(broker):
    broker.publish(b"1")
    topology.declare(broker.url, namespace=broker.namespace)
    assert broker.ready(broker.topology.intents_queue) == 1


@pytest.mark.parametrize("key", ["intent.requested", "intent.command"])
def test_intents_and_commands_reach_the_same_queue(broker, key):
    broker.publish(b"1", key=key)
    assert broker.ready(broker.topology.intents_queue) == 1


def test_the_namespace_stands_literally_before_every_name():
    named = topology.build("staging.")
    names = [entity.name for entity in (*named.exchanges, *named.queues)]
    assert names == [
        "staging.payments.dead",
        "staging.payments",
        "staging.payments.events",
        "staging.payments.dead",
        "staging.payments.intents",
        "staging.payments.tasks",
    ]
    assert named.intents_queue.queue_arguments["x-dead-letter-exchange"] == "staging.payments.dead"


def test_a_queue_that_differs_is_named_with_what_is_expected(broker):
    queue = broker.topology.intents_queue.name
    broker.channel.queue_delete(queue)
    broker.channel.queue_declare(queue, durable=True, auto_delete=False)
    with pytest.raises(TopologyError, match=r"expected .*'quorum'.*inequivalent arg") as caught:
        topology.declare(broker.url, namespace=broker.namespace)
    assert f"the queue {queue!r} exists with other arguments" in str(caught.value)


def test_an_unreachable_broker_is_an_os_error(unused_port):
    with pytest.raises(OSError):
        topology.declare(f"amqp://guest:guest@127.0.0.1:{unused_port()}//")


def test_on_redis_there_is_nothing_to_declare(redis_url, valkey_server):
    topology.declare(redis_url, namespace="staging.")
    assert valkey_server.command("DBSIZE") == b":0\r\n"
