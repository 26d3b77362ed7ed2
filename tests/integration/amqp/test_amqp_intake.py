from __future__ import annotations

import asyncio
import socket
import time

from orchestrator.adapters import topology
from orchestrator.errors import StoreUnavailableError


class Taker:
    """Takes what comes, and fails as often as told."""

    def __init__(self, *failures):
        self.got = []
        self.failures = list(failures)

    async def __call__(self, incoming):
        self.got.append(incoming)
        if self.failures:
            raise self.failures.pop(0)

    @property
    def bodies(self):
        return [incoming.body for incoming in self.got]


async def until(condition, *, limit_s=10.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.005)


def lose(intake):
    """Cut the intake's connection without a word to either side."""
    intake._session._connection.sock.shutdown(socket.SHUT_RDWR)


async def test_a_message_is_handed_over_as_it_came_and_acknowledged(broker, intakes):
    taker = Taker()
    intake = intakes(taker)
    broker.publish(b'{"intent_id": "ord-1"}', key="intent.command")
    await until(lambda: intake.figures()["taken"] == 1)
    (incoming,) = taker.got
    assert incoming.body == b'{"intent_id": "ord-1"}'
    assert (incoming.routing_key, incoming.deliveries, incoming.origin) == ("intent.command", 0, "amqp")
    assert await asyncio.to_thread(intake.stop, 5)
    assert broker.ready(broker.topology.intents_queue) == 0


async def test_nothing_is_acknowledged_before_it_is_taken(broker, intakes):
    release = asyncio.Event()
    deliveries = []

    async def take(incoming):
        deliveries.append(incoming.deliveries)
        await release.wait()

    intake = intakes(take)
    broker.publish(b"1")
    await until(lambda: deliveries and intake.figures()["connected"])
    assert intake.figures()["taken"] == 0
    lose(intake)
    await until(lambda: len(deliveries) == 2)
    assert deliveries == [0, 1]
    release.set()
    await until(lambda: intake.figures()["taken"] == 1)
    assert await asyncio.to_thread(intake.stop, 5)
    assert broker.ready(broker.topology.intents_queue) == 0


async def test_an_outage_of_the_store_holds_the_message_and_raises_no_count(broker, intakes):
    taker = Taker(*[StoreUnavailableError("away")] * 3)
    intake = intakes(taker)
    broker.publish(b"1")
    started = time.monotonic()
    await until(lambda: intake.figures()["taken"] == 1)
    assert time.monotonic() - started > 0.5  # 0.1 + 0.2 + 0.4: no hot loop
    assert [incoming.deliveries for incoming in taker.got] == [0, 0, 0, 0]
    assert intake.figures()["retried"] == 3


async def test_a_held_message_holds_up_no_other(broker, intakes):
    async def take(incoming):
        taken.append(incoming.body)
        if incoming.body == b"held":
            raise StoreUnavailableError("away")

    taken = []
    intake = intakes(take)
    broker.publish(b"held")
    for number in range(10):
        broker.publish(str(number).encode())
    await until(lambda: intake.figures()["taken"] == 10)
    assert intake.figures()["in_flight"] == 1


async def test_the_content_type_does_not_matter(broker, intakes):
    taker = Taker()
    intakes(taker)
    bodies = [b'{"a": 1}', b"\xff\xfe not text", b"<xml/>", b'{"a": 2}', b""]
    broker.publish(bodies[0])
    broker.publish(bodies[1], content_encoding="utf-8", content_type="application/json")
    broker.publish(bodies[2], content_type="text/xml")
    broker.publish(bodies[3], content_encoding="gzip", application_headers={"compression": "application/x-gzip"})
    broker.publish(bodies[4], content_type="application/x-python-serialize")
    await until(lambda: len(taker.got) == len(bodies))
    assert taker.bodies == bodies
    assert {type(body) for body in taker.bodies} == {bytes}


async def test_a_message_that_came_back_five_times_is_taken_alone(broker, intakes):
    broker.publish(b"suspect")
    broker.hand_out_and_take_back(5)
    for number in range(5):
        broker.publish(str(number).encode())
    now: set[bytes] = set()
    most: dict[bytes, int] = {}

    async def take(incoming):
        now.add(incoming.body)
        await asyncio.sleep(0.02)
        most[incoming.body] = max(most.get(incoming.body, 0), len(now))
        now.discard(incoming.body)

    intake = intakes(take)
    await until(lambda: intake.figures()["taken"] == 6)
    assert most.pop(b"suspect") == 1
    assert max(most.values()) > 1


async def test_a_message_that_breaks_the_taker_ends_among_the_dead_and_the_next_goes_on(broker, intakes):
    async def take(incoming):
        if incoming.body == b"poison":
            raise ZeroDivisionError
        taken.append(incoming.body)

    taken: list[bytes] = []
    dead = Taker(StoreUnavailableError("away"))
    intake = intakes(take, take_dead=dead)
    broker.publish(b"poison", key="intent.command")
    broker.publish(b"next")
    await until(lambda: intake.figures()["dead"] == 1)
    assert taken == [b"next"]
    assert intake.figures()["rejected"] == 1
    assert [(each.body, each.routing_key, each.origin) for each in dead.got] == [
        (b"poison", "intent.command", "dead")
    ] * 2
    assert await asyncio.to_thread(intake.stop, 5)
    assert broker.ready(broker.topology.dead_queue) == 0


async def test_a_message_that_the_broker_gave_up_is_drained_from_the_dead(broker, intakes):
    broker.publish(b"unlucky")
    message = broker.channel.basic_get(broker.topology.intents_queue.name)
    broker.channel.basic_reject(message.delivery_tag, requeue=False)
    taker, dead = Taker(), Taker()
    intakes(taker, take_dead=dead)
    await until(lambda: dead.bodies == [b"unlucky"])
    assert taker.got == []


async def test_stopping_lets_takes_end_and_leaves_the_rest_in_the_queue(broker, intakes):
    release = asyncio.Event()
    begun = []

    async def take(incoming):
        begun.append(incoming.body)
        await release.wait()

    intake = intakes(take, prefetch=2)
    for number in range(5):
        broker.publish(str(number).encode())
    await until(lambda: len(begun) == 2)
    stopping = asyncio.create_task(asyncio.to_thread(intake.stop, 10))
    # That of the intents is cancelled before, and counts until its messages are settled.
    await until(lambda: broker.consumers(broker.topology.dead_queue) == 0)
    assert not stopping.done()
    release.set()
    assert await stopping
    assert intake.figures()["taken"] == 2
    await until(lambda: broker.ready(broker.topology.intents_queue) == 3)


async def test_stopping_does_not_wait_for_a_message_held_for_the_store(broker, intakes):
    async def take(_incoming):
        raise StoreUnavailableError("away")

    intake = intakes(take)
    broker.publish(b"1")
    await until(lambda: intake.figures()["retried"] >= 3)
    started = time.monotonic()
    assert await asyncio.to_thread(intake.stop, 10)
    assert time.monotonic() - started < 2
    await until(lambda: broker.ready(broker.topology.intents_queue) == 1)


async def test_consuming_goes_on_after_each_loss_of_the_connection(broker, intakes):
    taker = Taker()
    intake = intakes(taker)
    for number in range(3):
        body = str(number).encode()
        broker.publish(body)
        await until(lambda body=body: body in taker.bodies)
        await until(lambda number=number: intake.figures()["connects"] == number + 1)
        lose(intake)
    broker.publish(b"last")
    await until(lambda: b"last" in taker.bodies)


async def test_a_deleted_queue_is_declared_again(broker, intakes):
    taker = Taker()
    intake = intakes(taker)
    await until(lambda: intake.figures()["connected"])
    broker.channel.queue_delete(broker.topology.intents_queue.name)
    await until(lambda: intake.figures()["connects"] == 2)
    broker.publish(b"1")
    await until(lambda: taker.bodies == [b"1"])


async def test_a_queue_with_other_arguments_is_named_until_it_is_repaired(broker, intakes):
    queue = broker.topology.intents_queue.name
    broker.channel.queue_delete(queue)
    broker.channel.queue_declare(queue, durable=True, auto_delete=False)
    taker = Taker()
    intake = intakes(taker)
    await until(lambda: intake.figures()["error"])
    assert queue in str(intake.figures()["error"])
    broker.channel.queue_delete(queue)
    topology.declare(broker.url, namespace=broker.namespace)
    broker.publish(b"1")
    await until(lambda: taker.bodies == [b"1"])


async def test_many_messages_are_taken_once_each(broker, intakes):
    taker = Taker()
    intake = intakes(taker, prefetch=100)
    for number in range(500):
        broker.publish(str(number).encode())
    await until(lambda: intake.figures()["taken"] == 500)
    assert sorted(taker.bodies) == sorted(str(number).encode() for number in range(500))
