from __future__ import annotations

import itertools

from orchestrator.adapters import topology
from orchestrator.adapters.publisher import open_publisher
from tests.integration.relay.relaying import Alarms, Reader, Recorder, assert_first_deliveries_in_order, until
from workers.relay_lane import READ_AHEAD_MAX


def test_a_queue_that_rejects_holds_back_only_its_payments(log, amqp_url, broker, namespace, relays):
    exchange = topology.events_exchange(namespace).name
    broker.queue_declare(
        f"{namespace}full", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
    )
    broker.queue_bind(f"{namespace}full", exchange, "payment.*.*.requires_action")
    with Reader(amqp_url, namespace, binding="payment.#") as reader:
        relay = relays(open_publisher(amqp_url, namespace=namespace))
        log.append("stuck", 1)
        log.append("stuck", 2, status="requires_action")  # fills the queue
        until(lambda: relay.figures()["relayed"] == 2)
        log.append("stuck", 3, status="requires_action")
        log.append("stuck", 4)
        for sequence in range(1, 6):
            log.append("free", sequence)
        until(lambda: "default/free:5" in reader.ids())
        until(lambda: relay.figures()["rejected"] >= 2)
        assert "default/stuck:4" not in reader.ids()
        broker.queue_purge(f"{namespace}full")
        until(lambda: "default/stuck:4" in reader.ids())
        until(lambda: log.cursors() == log.ends())
    assert assert_first_deliveries_in_order(reader.events) == {"stuck": 4, "free": 5}


def test_a_rejected_event_is_given_up_after_its_time_with_an_alarm(log, relays):
    alarms = Alarms()
    recorder = Recorder(answer=lambda each: b'"sequence": 1}' not in each.body)
    relay = relays(recorder, retry_s=0.5, alarms=alarms)
    log.append("ord-1", 1)
    log.append("ord-1", 2)
    until(lambda: log.cursors() == log.ends())
    assert [name for name, _ in alarms] == ["event_given_up"]
    assert recorder.bodies.count(recorder.bodies[0]) >= 2
    assert b'"sequence": 2}' in recorder.bodies[-1]
    assert until(lambda: relay.figures()["given_up"]) == 1


def test_nothing_is_given_up_while_the_broker_is_away(log, relays):
    alarms = Alarms()
    recorder = Recorder(answer=lambda _each: False)
    recorder.answered = False
    relay = relays(recorder, retry_s=0.0, alarms=alarms)
    log.append("ord-1", 1)
    log.append("ord-1", 2)
    until(lambda: len(recorder.windows) >= 4)
    assert relay.figures()["broker"] == "away"
    recorder.answer, recorder.answered = (lambda _each: True), True
    until(lambda: log.cursors() == log.ends())
    assert alarms == []
    assert until(lambda: relay.figures()["broker"] == "ok")
    assert b'"sequence": 2}' in recorder.bodies[-1]
    assert all(b'"sequence": 1}' in body for body in recorder.bodies[:-1])


def test_what_rejected_events_hold_back_takes_no_room_from_other_payments(log, relays):
    same_source = [f"ord-{n}" for n in range(200) if log.source_of(f"ord-{n}") == log.source_of("free")]
    for sequence, intent_id in itertools.product(range(1, 2 * READ_AHEAD_MAX // len(same_source) + 2), same_source):
        log.append(intent_id, sequence)
    recorder = Recorder(answer=lambda each: each.partition == "default/free")
    relay = relays(recorder)
    until(lambda: relay.figures()["held_back"] > READ_AHEAD_MAX)
    log.append("free", 1)
    log.append("free", 2)
    until(lambda: relay.figures()["relayed"] == 2)
    assert log.client.get(log.source_of("free").cursor) is None, "the cursor waits for the rejected ones"

    recorder.answer = lambda _each: True
    until(lambda: relay.figures()["held_back"] == 0, limit_s=30)
    until(lambda: log.cursors() == log.ends())
    assert relay.figures()["given_up"] == 0


def test_no_more_is_held_back_than_the_memory_has_room_for(log, relays, monkeypatch):
    monkeypatch.setattr("workers.relay.HELD_BACK_MAX", 50)
    for sequence, number in itertools.product(range(1, 11), range(40)):
        log.append(f"ord-{number}", sequence)
    recorder = Recorder(answer=lambda _each: False)
    relay = relays(recorder)
    until(lambda: relay.figures()["held_back"] >= 50)
    later = log.append("later", 1)
    until(lambda: relay.figures()["rejected"] > 200)
    assert b"later" not in b"".join(recorder.bodies)
    recorder.answer = lambda _each: True
    until(lambda: log.cursors() == log.ends(), limit_s=30)
    assert later in log.ends().values()


def test_an_outage_takes_nothing_of_the_time_that_a_rejected_event_has(log, relays):
    alarms = Alarms()
    recorder = Recorder(answer=lambda _each: False)
    now_s = 1000.0
    relay = relays(recorder, retry_s=600, alarms=alarms, monotonic_s=lambda: now_s, lease_s=1e6)
    log.append("ord-1", 1)
    until(lambda: relay.figures()["rejected"] == 1)
    recorder.answered = False
    now_s += 599
    until(lambda: relay.figures()["broker"] == "away")
    recorder.answered = True
    now_s += 599
    until(lambda: relay.figures()["rejected"] == 2)
    now_s += 599
    until(lambda: relay.figures()["rejected"] == 3)
    assert alarms == []
    now_s += 2
    until(lambda: relay.figures()["given_up"] == 1)


def test_on_rabbitmq_an_event_is_given_up_for_all_when_one_queue_rejects_it_too_long(
    log, amqp_url, broker, namespace, relays
):
    alarms = Alarms()
    full = f"{namespace}full"
    broker.queue_declare(full, exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    broker.queue_bind(full, topology.events_exchange(namespace).name, "payment.*.*.requires_action")
    with Reader(amqp_url, namespace, binding="payment.#") as reader:
        relay = relays(open_publisher(amqp_url, namespace=namespace), retry_s=0.5, alarms=alarms)
        for sequence, status in enumerate(("accepted", "requires_action", "requires_action", "succeeded"), start=1):
            log.append("ord-1", sequence, status=status)
        until(lambda: log.cursors() == log.ends())
        until(lambda: "default/ord-1:4" in reader.ids())
    assert [name for name, _ in alarms] == ["event_given_up"]
    assert relay.figures()["given_up"] == 1
    # The queue that was not full had it at the first try.
    assert assert_first_deliveries_in_order(reader.events) == {"ord-1": 4}
