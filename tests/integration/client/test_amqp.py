from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from amqp import Message

from orchestrator.client import AsyncIntentClient, IntentClient, NotConfirmedError, NotSetUpError, UnsupportedUrlError
from orchestrator.client.amqp_way import AmqpWay
from tests.integration.client.log import event


def taken(channel, namespace):
    """Everything in the queue of intents, in order."""
    found = []
    while message := channel.basic_get(f"{namespace}payments.intents", no_ack=True):
        found.append(message)
    return found


def publish(channel, namespace, sent):
    data = sent["data"]
    key = f"payment.{data['merchant']}.{data['flow']}.{data['status']}"
    channel.basic_publish(Message(json.dumps(sent)), f"{namespace}payments.events", key)


def cut(connection):
    """As a firewall does that forgets a connection."""
    connection.sock.shutdown(2)


def test_an_intent_is_in_the_queue_persistently_when_submit_returns(amqp_url, set_up, channel):
    with IntentClient(amqp_url, namespace=set_up) as client:
        client.submit({"intent_id": "ord-1"})
        client.command("cancel", "ord-1", command_id="c-1")
        intent, command = taken(channel, set_up)
    assert json.loads(intent.body) == {"intent_id": "ord-1"}
    assert intent.delivery_info["routing_key"] == "intent.requested"
    assert (intent.properties["delivery_mode"], intent.properties["content_type"]) == (2, "application/json")
    assert json.loads(command.body)["command"] == "cancel"
    assert command.delivery_info["routing_key"] == "intent.command"


def test_many_intents_are_confirmed_in_their_order(amqp_url, set_up, channel):
    with IntentClient(amqp_url, namespace=set_up) as client:
        assert client.submit_many({"intent_id": f"ord-{number}"} for number in range(1203)) == 1203
    ids = [json.loads(message.body)["intent_id"] for message in taken(channel, set_up)]
    assert ids == [f"ord-{number}" for number in range(1203)]


def test_without_any_setup_the_error_says_what_to_run(amqp_url, namespace):
    with IntentClient(amqp_url, namespace=namespace) as client:
        for _ in range(2):
            with pytest.raises(NotSetUpError, match="payorch setup"):
                client.submit({"intent_id": "ord-1"})
        with pytest.raises(NotSetUpError, match="payorch setup"):
            client.wait("default", "ord-1", timeout=5)


def test_an_exchange_without_its_queue_is_an_error_and_the_next_message_works(amqp_url, set_up, channel):
    with IntentClient(amqp_url, namespace=set_up) as client:
        channel.queue_unbind(f"{set_up}payments.intents", f"{set_up}payments", "intent.requested")
        with pytest.raises(NotSetUpError, match="payorch setup"):
            client.submit({"intent_id": "ord-1"})
        channel.queue_bind(f"{set_up}payments.intents", f"{set_up}payments", "intent.requested")
        client.submit({"intent_id": "ord-2"})
    assert [json.loads(message.body)["intent_id"] for message in taken(channel, set_up)] == ["ord-2"]


def test_a_queue_that_refuses_is_told_as_not_confirmed(amqp_url, namespace, channel):
    exchange, queue = f"{namespace}payments", f"{namespace}full"
    channel.exchange_declare(exchange, "topic", durable=True, auto_delete=False)
    channel.queue_declare(queue, auto_delete=False, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.queue_bind(queue, exchange, "intent.requested")
    try:
        with (
            IntentClient(amqp_url, namespace=namespace) as client,
            pytest.raises(NotConfirmedError, match="full") as told,
        ):
            client.submit_many({"intent_id": f"ord-{number}"} for number in range(5))
        assert 1 <= told.value.confirmed < 5
    finally:
        channel.queue_delete(queue)
        channel.exchange_delete(exchange)


def test_a_connection_that_was_cut_while_it_rested_is_opened_anew(amqp_url, set_up, channel):
    with IntentClient(amqp_url, namespace=set_up) as client:
        client.submit({"intent_id": "ord-1"})
        assert isinstance(client._way, AmqpWay)
        cut(client._way._connection)
        client.submit({"intent_id": "ord-2"})
    assert [json.loads(message.body)["intent_id"] for message in taken(channel, set_up)] == ["ord-1", "ord-2"]


def test_a_broker_that_is_down_is_told_without_its_address(unused_port):
    url = f"amqp://user:hidden@127.0.0.1:{unused_port()}//"
    with IntentClient(url) as client, pytest.raises(NotConfirmedError) as caught:
        client.submit({"intent_id": "ord-1"})
    assert "hidden" not in str(caught.value)


def test_events_since_listen_are_kept_for_the_wait(amqp_url, set_up, channel):
    with IntentClient(amqp_url, namespace=set_up) as client:
        client.listen()
        publish(channel, set_up, event("ord-1", 1, "accepted"))
        publish(channel, set_up, event("ord-2", 1, "requires_action", next_action={"type": "redirect"}))
        publish(channel, set_up, event("ord-3", 1, "succeeded", merchant="other"))
        publish(channel, set_up, event("ord-1", 2, "failed"))
        assert client.wait("default", "ord-1", until="final", timeout=10)["sequence"] == 2
        assert client.wait("default", "ord-2", timeout=10)["next_action"] == {"type": "redirect"}
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            client.wait("default", "ord-3", timeout=0.5)
        assert time.monotonic() - started < 5


def test_a_listener_that_lost_its_connection_hears_again(amqp_url, set_up, channel):
    with IntentClient(amqp_url, namespace=set_up) as client:
        client.listen()
        assert isinstance(client._way, AmqpWay)
        cut(client._way._listener._connection)
        stop = threading.Event()

        def repeat() -> None:
            while not stop.wait(0.1):
                publish(channel, set_up, event("ord-1", 1, "succeeded"))

        publisher = threading.Thread(target=repeat)
        publisher.start()
        try:
            assert client.wait("default", "ord-1", until="final", timeout=15)["sequence"] == 1
        finally:
            stop.set()
            publisher.join()


async def test_many_wait_at_once_on_one_event_loop(amqp_url, set_up, channel):
    async with AsyncIntentClient(amqp_url, namespace=set_up) as client:
        await client.listen()
        await client.submit({"intent_id": "ord-0"})
        assert await client.submit_many([{"intent_id": "ord-1"}, {"intent_id": "ord-2"}]) == 2
        await client.command("capture", "ord-0", command_id="c-1")
        waits = [asyncio.create_task(client.wait("default", f"ord-{number}", timeout=15)) for number in range(50)]
        gives_up = asyncio.create_task(client.wait("default", "ord-99", timeout=0.3))
        for number in reversed(range(50)):
            publish(channel, set_up, event(f"ord-{number}", 1, "succeeded"))
        assert [data["intent_id"] for data in await asyncio.gather(*waits)] == [f"ord-{number}" for number in range(50)]
        with pytest.raises(TimeoutError):
            await gives_up
    assert len(taken(channel, set_up)) == 4


def test_events_may_be_waited_for_in_the_event_log_of_redis(amqp_url, set_up, log, redis_url):
    log.set_up()
    log.append("ord-1", 1, "succeeded")
    with IntentClient(amqp_url, namespace=set_up, events_url=redis_url) as client:
        client.submit({"intent_id": "ord-1"})
        assert client.wait("default", "ord-1", until="final", timeout=5)["status"] == "succeeded"


@pytest.mark.parametrize("url", ["http://127.0.0.1", "sentinel://hidden@127.0.0.1", "hidden"])
def test_a_url_that_is_no_way_in_is_refused_by_its_scheme_alone(url):
    with pytest.raises(UnsupportedUrlError) as caught:
        IntentClient(url)
    assert "hidden" not in str(caught.value)
    with pytest.raises(UnsupportedUrlError):
        AsyncIntentClient(url)
