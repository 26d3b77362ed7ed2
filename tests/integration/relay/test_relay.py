from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from orchestrator.adapters import topology
from orchestrator.adapters.publisher import open_publisher
from orchestrator.ports import PublishedEvent
from tests.integration.relay.relaying import (
    Alarms,
    Log,
    Reader,
    assert_first_deliveries_in_order,
    event,
    make_relay,
    until,
)


@pytest.fixture
def relays(redis_url, namespace):
    """Makes relays that are stopped at the end."""
    started = []

    def start(publisher, **options):
        relay = make_relay(redis_url, publisher, namespace, **options)
        started.append(relay)
        relay.start()
        return relay

    yield start
    for relay in started:
        assert relay.stop(10)


class Recorder:
    """A publisher that takes down each window and answers as told."""

    def __init__(self, answer=lambda _event: True):
        self.windows = []
        self.answered = True
        self.error = ""
        self.answer = answer

    def publish(self, events):
        self.windows.append(list(events))
        return [self.answer(each) for each in self.windows[-1]]

    def close(self):
        pass

    @property
    def bodies(self):
        return [each.body for window in self.windows for each in window]


def test_every_event_arrives_in_order_although_a_relay_is_killed(log, redis_url, events_url, namespace):
    command = [sys.executable, "-m", "tests.integration.relay.relaying", redis_url, events_url, namespace]
    with Reader(events_url, namespace) as reader:
        relays = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        try:
            assert all(relay.stdout and relay.stdout.readline() for relay in relays)
            for sequence in range(1, 21):
                for payment in range(50):
                    log.append(f"ord-{payment}", sequence)
                if sequence == 10:
                    until(lambda: len(reader.events) > 100)
                    relays[0].send_signal(signal.SIGKILL)
            until(lambda: len(reader.ids()) == 1000, limit_s=20)
            until(lambda: {**log.cursors()} == log.ends())
        finally:
            for relay in relays:
                relay.kill()
                relay.communicate()
    assert assert_first_deliveries_in_order(reader.events) == {f"ord-{n}": 20 for n in range(50)}


def test_an_event_is_published_within_fifty_milliseconds_at_low_load(log, events_url, namespace, relays):
    waits = []
    with Reader(events_url, namespace) as reader:
        relays(open_publisher(events_url, namespace=namespace))
        log.append("warm-up", 1)
        until(lambda: reader.events)
        for number in range(1, 11):
            committed = time.monotonic()
            log.append("ord-1", number)
            until(lambda expected=number + 1: len(reader.events) == expected)
            waits.append(time.monotonic() - committed)
    assert sorted(waits)[len(waits) // 2] < 0.05


def test_a_subscriber_gets_what_its_binding_names(log, events_url, namespace, relays):
    with Reader(events_url, namespace, binding="payment.*.*.succeeded") as reader:
        relays(open_publisher(events_url, namespace=namespace))
        log.append("ord-1", 1)
        log.append("ord-1", 2, status="succeeded")
        until(lambda: reader.events)
        until(lambda: log.cursors() == log.ends())
    assert [received["id"] for received in reader.events] == ["default/ord-1:2"]


def test_an_absent_subscriber_holds_nothing_back(log, events_url, namespace, relays):
    relay = relays(open_publisher(events_url, namespace=namespace))
    log.append("ord-1", 1)
    until(lambda: log.cursors() == log.ends())
    until(lambda: relay.figures()["relayed"] == 1)


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


def test_a_window_never_holds_two_events_of_one_payment(log, relays):
    for sequence in range(1, 11):
        for payment in range(20):
            log.append(f"ord-{payment}", sequence)
    recorder = Recorder()
    relays(recorder)
    until(lambda: log.cursors() == log.ends())
    assert len(recorder.bodies) == 200
    for window in recorder.windows:
        assert len({each.partition for each in window}) == len(window)


def test_nothing_is_trimmed_before_it_is_relayed(log, relays):
    recorder = Recorder(answer=lambda each: b'"sequence": 2}' not in each.body)
    entries = [log.append("ord-1", sequence) for sequence in range(1, 5)]
    relay = relays(recorder, events_days=0)
    until(lambda: relay.figures()["rejected"] >= 1)
    relay._trim_at_s = 0.0  # the next round trims
    until(lambda: relay.figures()["trimmed"] == 0 and relay._trim_at_s > 0)
    stream = log.source_of("ord-1").stream
    assert [entry for entry, _ in log.client.xrange(stream)] == entries
    recorder.answer = lambda _each: True
    until(lambda: log.cursors() == log.ends())
    relay._trim_at_s = 0.0
    until(lambda: relay.figures()["trimmed"] == 3)
    assert [entry for entry, _ in log.client.xrange(stream)] == entries[-1:]


def test_young_entries_stay_in_the_log_after_they_are_relayed(log, relays):
    relay = relays(Recorder(), events_days=7)
    entries = [log.append("ord-1", sequence) for sequence in range(1, 5)]
    until(lambda: log.cursors() == log.ends())
    relay._trim_at_s = 0.0
    until(lambda: relay._trim_at_s > 0)
    assert log.client.xlen(log.source_of("ord-1").stream) == len(entries)


def test_refusals_go_out_under_their_own_routing_key(log, relays):
    recorder = Recorder()
    relays(recorder)
    refusals = [
        ("/payorch/shop", "no_flow"),
        ("/payorch", "not_json"),
        ("/payorch/staging./shop-2", "no_flow"),
    ]
    for number, (source, code) in enumerate(refusals):
        refusal = event("ord-1", 1) | {
            "id": f"refusal/{number}",
            "type": "intent.refused",
            "source": source,
            "data": {"code": code, "intent_id": None},
        }
        log.client.xadd(log.refusals.stream, {"event": json.dumps(refusal)})
    until(lambda: len(recorder.bodies) == 3)
    keys = {each.routing_key for window in recorder.windows for each in window}
    assert keys == {"refusal.shop.no_flow", "refusal.unknown.not_json", "refusal.shop-2.no_flow"}


def test_an_entry_that_is_no_event_alarms_and_stops_nothing(log, relays):
    alarms = Alarms()
    recorder = Recorder()
    log.client.xadd(log.source_of("ord-1").stream, {"event": b"{]"})
    log.append("ord-1", 1)
    relays(recorder, alarms=alarms)
    until(lambda: log.cursors() == log.ends())
    assert [name for name, _ in alarms] == ["event_unreadable"]
    assert len(recorder.bodies) == 1


def test_two_relays_share_the_sources_and_one_that_stops_leaves_all_to_the_other(relays):
    first = relays(Recorder())
    until(lambda: first.figures()["sources"] == 5)
    second = relays(Recorder())
    until(lambda: first.figures()["sources"] == 3 and second.figures()["sources"] == 2)
    assert first.stop(5)
    until(lambda: second.figures()["sources"] == 5)


def test_a_relay_whose_leases_ran_out_moves_no_cursor(log, redis_url, namespace, relays):
    usurped = []

    def usurp(_each):
        # Somebody else takes the source while our window is out.
        source = log.source_of("ord-1")
        log.client.set(source.lease, "somebody-else", px=60_000)
        usurped.append(source)
        return True

    relay = relays(Recorder(answer=usurp))
    log.append("ord-1", 1)
    until(lambda: usurped and relay.figures()["sources"] < 5)
    assert log.client.get(log.source_of("ord-1").cursor) is None


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


def test_published_bytes_are_those_of_the_log(log, relays):
    recorder = Recorder()
    relays(recorder)
    data = '{"merchant": "m", "intent_id": "é", "flow": "f", "status": "s"}'
    body = '{"type": "payment.accepted",  "id": "x",   "data": ' + data + "}"
    log.client.xadd(log.sources[0].stream, {"event": body})
    until(lambda: recorder.windows)
    assert recorder.windows[0] == [PublishedEvent(routing_key="payment.m.f.s", body=body.encode(), partition="m/é")]
