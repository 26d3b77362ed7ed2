from __future__ import annotations

import json
import time

from orchestrator.adapters.publisher import open_publisher
from orchestrator.ports import PublishedEvent
from tests.integration.relay.relaying import (
    Alarms,
    Reader,
    Recorder,
    assert_all_arrive_although_a_relay_is_killed,
    event,
    until,
)
from tests.support.pace import slowness


def test_every_event_arrives_in_order_although_a_relay_is_killed(log, redis_url, events_url, namespace):
    assert_all_arrive_although_a_relay_is_killed(log, redis_url, events_url, namespace)


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
    assert sorted(waits)[len(waits) // 2] < 0.05 * slowness()


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


def test_published_bytes_are_those_of_the_log(log, relays):
    recorder = Recorder()
    relays(recorder)
    data = '{"merchant": "m", "intent_id": "é", "flow": "f", "status": "s"}'
    body = '{"type": "payment.accepted",  "id": "x",   "data": ' + data + "}"
    log.client.xadd(log.sources[0].stream, {"event": body})
    until(lambda: recorder.windows)
    assert recorder.windows[0] == [PublishedEvent(routing_key="payment.m.f.s", body=body.encode(), partition="m/é")]
