"""The same promises with RabbitMQ as the broker."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.celery_client import send_command_task, send_task
from tests.support.intents import card, gateway_link, mobile_money, payid, payin
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


def test_commands_over_the_queue_and_as_celery_tasks_are_obeyed_or_refused_once(amqp_stack, amqp_broker, refusals):
    method = {"token": "tok_canary3ds", "return_url": "https://shop.example/back", "capture": "manual"}
    intents = [card(method=method), mobile_money(), payid(), gateway_link()]
    manual, mobile, *others = ids = [intent["intent_id"] for intent in intents]
    for intent in intents:
        amqp_broker.publish(json.dumps(intent))
    amqp_stack.wait_status(ids, "requires_action")
    amqp_stack.desk.act_on_all([manual, *others], "pay")
    amqp_stack.wait_status([manual], "requires_capture")

    for _ in range(2):
        amqp_broker.publish(json.dumps(command("capture", manual)), key="intent.command")
        amqp_broker.publish(json.dumps(command("cancel", manual, number="2")), key="intent.command")
        send_command_task(amqp_broker.url, amqp_broker.namespace, command("confirm_otp", mobile, code="424242"))

    wait_for(lambda: amqp_stack.desk.counts("confirm_otp")[mobile], what=amqp_stack.tails)
    amqp_stack.desk.act(mobile, "pay")
    amqp_stack.wait_status(ids, "succeeded")
    amqp_stack.judge(ids)
    assert [letter["code"] for letter in amqp_stack.dead_letters()] == ["already_sent"]
    wait_for(lambda: refusals.events, what=amqp_stack.tails)
    (event,) = {event["id"]: event for event in refusals.events}.values()
    assert (event["type"], event["data"]["command"], event["subject"]) == ("command.refused", "cancel", manual)


@pytest.fixture
def refusals(amqp_broker):
    subscriber = Subscriber(amqp_broker.url, "refusal.#", namespace=amqp_broker.namespace)
    yield subscriber
    subscriber.stop()


def command(name, intent_id, number="1", **fields):
    who = {"merchant": "default", "intent_id": intent_id, "command_id": f"{intent_id}-{number}"}
    return {"command": name} | who | fields
