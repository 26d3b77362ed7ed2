"""The same promises with RabbitMQ as the broker."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.celery_client import send_task
from tests.support.intents import card, payin
from tests.support.process import wait_for
from tests.support.subscriber import Subscriber


@pytest.fixture
def subscriber(amqp_broker):
    subscriber = Subscriber(amqp_broker.url, "payment.#", namespace=amqp_broker.namespace)
    yield subscriber
    subscriber.stop()


def test_the_quorum_queue_and_a_celery_task_on_rabbitmq_take_intents(amqp_stack, amqp_broker):
    intents = [payin("vn_other_vietqr_vnd"), payin(), card()]
    ids = [intent["intent_id"] for intent in intents]
    wrapped = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.placed", "data": intents[1]}

    amqp_broker.publish(json.dumps(intents[0]))
    amqp_broker.publish(json.dumps(wrapped), content_type="application/cloudevents+json")
    send_task(amqp_broker.url, amqp_broker.namespace, intents[2])
    amqp_stack.succeed(ids)

    assert [amqp_stack.events.last(each)["status"] for each in ids] == ["succeeded"] * 3
    amqp_stack.judge(ids)
    wait_for(lambda: amqp_broker.ready() == 0, what="the queue is not empty")


def test_a_killed_and_a_stopped_worker_lose_and_double_nothing_and_subscribers_get_all_in_order(
    amqp_stack, amqp_broker, subscriber
):
    intents = [card() if number % 2 else payin() for number in range(60)]
    ids = [intent["intent_id"] for intent in intents]
    killed, stopped = amqp_stack.workers[0], amqp_stack.start_worker()
    for intent in intents[:30]:
        amqp_broker.publish(json.dumps(intent))
    wait_for(lambda: amqp_stack.desk.requests(method="POST"), what=amqp_stack.tails)
    killed.kill()
    for intent in intents[30:]:
        amqp_broker.publish(json.dumps(intent))
    amqp_stack.start_worker()
    stopped.signal(signal.SIGTERM)

    assert stopped.wait(20) == 0
    amqp_stack.succeed_after_a_kill(ids)
    wait_for(lambda: amqp_broker.ready() == 0, what="the queue is not empty")
    expected = {each: [event["sequence"] for event in amqp_stack.events.read()[each]] for each in ids}
    wait_for(
        lambda: {each: subscriber.first_deliveries(each) for each in ids} == expected,
        what=lambda: f"{len(subscriber.events)} events\n{amqp_stack.tails()}",
    )
