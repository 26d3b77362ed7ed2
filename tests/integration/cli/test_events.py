from __future__ import annotations

import contextlib
import json
import time

import pytest

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import open_connection
from orchestrator.adapters.kombu_entities import Connection, Queue
from orchestrator.adapters.publisher import open_publisher
from tests.integration.cli.past import HOUR_MS, SHARDS, Inbox, Past
from tests.integration.relay.relaying import (
    Feeder,
    Reader,
    assert_first_deliveries_in_order,
    event,
    make_relay,
    until,
)


@pytest.fixture
def past(redis_url, namespace):
    past = Past(redis_url, namespace)
    yield past
    past.client.close()


@pytest.fixture(params=["redis", "amqp"])
def events_url(request, environment, monkeypatch, namespace):
    """Where the events are published to, once on each broker."""
    if request.param == "redis":
        yield environment["PAYORCH_REDIS_URL"]
        return
    url = request.getfixturevalue("amqp_url")
    monkeypatch.setenv("PAYORCH_EVENTS_URL", url)
    yield url
    connection = open_connection(url)
    connection.channel().exchange_delete(topology.events_exchange(namespace).name)
    connection.close()


@pytest.fixture
def inbox(events_url, namespace):
    """Makes queues that are gone afterwards."""
    with contextlib.ExitStack() as opened:

        def make(**options):
            inbox = Inbox(events_url, namespace, **options)
            opened.callback(inbox.close)
            return inbox

        yield make


def test_everything_in_the_log_goes_out_again_byte_for_byte_and_in_order(payorch, past, inbox, namespace):
    queue = inbox()
    for hours_ago in (5, 4, 3):
        for number in range(3):
            past.write(f"ord-{number}", hours_ago=hours_ago)
    cursors = past.cursors()

    said = payorch("events", "replay")

    assert (said.status, said.err) == (0, "")
    assert said.out == f"published 9 events of 3 payments to {namespace}payments.events\n"
    taken = queue.take()
    assert sorted(taken) == sorted(past.bodies.values())
    assert_first_deliveries_in_order([json.loads(body) for body in taken])
    assert past.cursors() == cursors
    assert not [source for source in past.sources if past.client.exists(source.lease)]


def test_since_and_until_take_ages_and_times_and_include_both(payorch, past, inbox):
    queue = inbox()
    six, four, two = (past.write("ord-1", hours_ago=hours) for hours in (6, 4, 2))
    at_ms = [int(entry.decode().partition("-")[0]) for entry, _ in past.client.xrange(past.source_of("ord-1").stream)]
    six_at, four_at, _ = (
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(each // 1000)) + f".{each % 1000:03}Z" for each in at_ms
    )
    for options, expected in {
        ("--since", "5h"): [four, two],
        ("--until", "3h"): [six, four],
        ("--since", "5h", "--until", "180m"): [four],
        ("--since", four_at): [four, two],
        ("--until", four_at): [six, four],
        ("--since", six_at, "--until", six_at): [six],
        ("--since", "1h"): [],
    }.items():
        assert payorch("events", "replay", *options).status == 0
        assert queue.ids() == expected, options


def test_only_one_payment_or_one_merchants_or_one_kind_of_events(payorch, past, inbox):
    queue = inbox()
    first, second = past.write("ord-1", hours_ago=3), past.write("ord-1", hours_ago=2, status="succeeded")
    other = past.write("ord-2", hours_ago=2)
    books = past.write("ord-1", hours_ago=2, merchant="books")
    for options, expected in {
        ("--intent", "ord-1"): [first, second],
        ("--intent", "books/ord-1"): [books],
        ("--intent", "ord-1", "--merchant", "books"): [books],
        ("--merchant", "books"): [books],
        ("--merchant", "default"): [first, other, second],
        ("--binding", "payment.*.*.succeeded"): [second],
    }.items():
        assert payorch("events", "replay", *options).status == 0
        assert sorted(queue.ids()) == sorted(expected), options


def test_refusals_go_out_again_where_the_binding_names_them(payorch, past, inbox):
    queue = inbox(binding="#")
    refusal = event("ord-1", 1) | {"id": "refusal/1", "type": "intent.refused", "data": {"code": "no_flow"}}
    entry = past.client.xadd(past.refusals.stream, {"event": json.dumps(refusal)})
    past.client.set(past.refusals.cursor, entry)
    past.write("ord-1", hours_ago=1)
    payorch("events", "replay")
    assert queue.ids() == ["default/ord-1:1"]
    payorch("events", "replay", "--binding", "refusal.#")
    assert queue.ids() == ["refusal/1"]


def test_into_one_queue_alone_whatever_it_is_bound_to(payorch, past, inbox):
    queue, other = inbox(binding="payment.*.*.failed"), inbox(name="other")
    written = [past.write("ord-1", hours_ago=hours) for hours in (3, 2)]
    said = payorch("events", "replay", "--queue", queue.name, "--json")
    assert said.json == {
        "to": queue.name,
        "dry_run": False,
        "selected": 2,
        "published": 2,
        "payments": 1,
        "not_relayed": 0,
        "unreadable": 0,
        "trimmed_before": None,
    }
    assert queue.take() == [past.bodies[each] for each in written]
    assert other.take() == []


@pytest.mark.parametrize("count", [0, 2])
def test_a_queue_that_nobody_declared_is_a_sentence_and_status_1(payorch, past, events_url, namespace, count):
    for _ in range(count):
        past.write("ord-1", hours_ago=1)
    said = payorch("events", "replay", "--queue", f"{namespace}nobody")
    assert said.status == 1
    assert f"nobody has declared the queue {namespace}nobody" in said.err
    assert "stopped after 0 events" in said.err
    assert said.out == ""


def test_a_dry_run_counts_and_publishes_nothing(payorch, past, inbox, namespace):
    queue = inbox()
    for number in range(150):
        past.write(f"ord-{number}", hours_ago=2)
    past.write("ord-1", hours_ago=1)
    said = payorch("events", "replay", "--dry-run")
    assert said.out == f"151 events of 150 payments would be published to {namespace}payments.events\n"
    assert payorch("events", "replay", "--dry-run", "--since", "90m", "--json").json["selected"] == 1
    assert queue.take() == []


def test_what_the_relay_has_not_published_is_left_to_it(payorch, past, inbox):
    queue = inbox()
    past.write("ord-1", hours_ago=3)
    past.write("ord-1", hours_ago=2, relayed=False)
    said = payorch("events", "replay")
    assert (said.status, said.err) == (0, "left to the relay, which has not passed them yet: 1 event\n")
    assert queue.ids() == ["default/ord-1:1"]


def test_a_log_that_was_trimmed_after_since_is_told(payorch, past, inbox):
    inbox()
    ids = [past.write("ord-1", hours_ago=10 - number / 10, padding=500) for number in range(40)]
    source = past.source_of("ord-1")
    assert past.client.xtrim(source.stream, minid=past.now_ms() - int(8.05 * HOUR_MS), approximate=False) == 20
    first = past.client.xrange(source.stream, count=1)[0][0].decode()
    kept_from = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(first.partition("-")[0]) / 1000))

    said = payorch("events", "replay", "--since", "9h")
    assert said.status == 0
    assert f"the log was trimmed: before {kept_from}" in said.err
    assert "kept 7 days (PAYORCH_EVENTS_DAYS)" in said.err
    assert said.out.startswith(f"published {len(ids) - 20} events")
    assert payorch("events", "replay", "--json").json["trimmed_before"].startswith(kept_from)
    assert payorch("events", "replay", "--since", "7h").err == ""
    assert "trimmed" in payorch("events", "replay", "--intent", "ord-1").err


def test_of_a_payment_whose_first_event_is_kept_nothing_is_missing(payorch, past):
    same = next(f"ord-{n}" for n in range(2, 999) if past.source_of(f"ord-{n}") == past.source_of("ord-1"))
    past.write(same, hours_ago=10)
    past.write("ord-1", hours_ago=5)
    past.client.xtrim(past.source_of("ord-1").stream, maxlen=1, approximate=False)
    assert payorch("events", "replay", "--dry-run", "--intent", "ord-1").err == ""
    assert "trimmed" in payorch("events", "replay", "--dry-run", "--intent", same).err


def test_an_entry_that_cannot_be_read_is_told_and_left_out(payorch, past, inbox):
    queue = inbox()
    past.client.xadd(past.source_of("ord-1").stream, {"event": b"{]"}, id="1-0")
    past.write("ord-1", hours_ago=1)
    assert payorch("events", "replay").err == "left out, because they are no events: 1 of the log\n"
    assert queue.ids() == ["default/ord-1:1"]


def test_a_payment_without_any_event_is_status_1(payorch, past):
    past.write("ord-1", hours_ago=1)
    assert payorch("events", "replay", "--intent", "ord-2").status == 1
    assert payorch("events", "replay", "--intent", "ord-1", "--dry-run").status == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--since", "yesterday"], "how long ago"),
        (["--until", "2026-11-21T02:03:04"], "no time zone"),
        (["--since", "1h", "--until", "2h"], "1h is later than 2h"),
    ],
)
def test_a_moment_that_is_none_is_status_2(payorch, options, sentence):
    said = payorch("events", "replay", *options)
    assert said.status == 2
    assert sentence in " ".join(said.err.split())


def test_without_a_broker_it_stops_at_once_without_telling_addresses(payorch, past, monkeypatch, unused_port):
    port = unused_port()
    past.write("ord-1", hours_ago=1)
    monkeypatch.setenv("PAYORCH_EVENTS_URL", f"amqp://guest:hidden@127.0.0.1:{port}//")
    said = payorch("events", "replay")
    assert said.status == 1
    assert "the broker does not answer (ConnectionRefusedError)" in said.err
    assert str(port) not in said.err + said.out


def test_on_redis_a_queue_that_stays_full_ends_it_after_the_retry_time(
    payorch, past, redis_url, namespace, monkeypatch
):
    monkeypatch.setenv("PAYORCH_EVENTS_RETRY_S", "0.5")
    monkeypatch.setenv("PAYORCH_EVENTS_QUEUE_MAX", "1")
    for _ in range(3):
        past.write("ord-1", hours_ago=1)
    queue = Inbox(redis_url, namespace)
    said = payorch("events", "replay", "--queue", queue.name)
    assert said.status == 1
    assert "a queue rejects an event; trying again for 0.5 s" in said.err
    assert "stopped after 1 event;" in said.err
    assert "a queue is full" in said.err
    assert queue.ids() == ["default/ord-1:1"]
    queue.close()


def test_on_rabbitmq_a_queue_that_stays_full_ends_it_after_the_retry_time(
    payorch, past, amqp_url, namespace, monkeypatch
):
    monkeypatch.setenv("PAYORCH_EVENTS_URL", amqp_url)
    monkeypatch.setenv("PAYORCH_EVENTS_RETRY_S", "0.5")
    for number in range(5):
        past.write(f"ord-{number}", hours_ago=1)
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    with Connection(amqp_url) as connection:
        queue = Queue(f"{namespace}small", auto_delete=True, durable=False, queue_arguments=full)(connection.channel())
        queue.declare()
        said = payorch("events", "replay", "--queue", queue.name)
        queue.delete()
    assert said.status == 1
    assert "a queue is full" in said.err


def test_a_replay_while_the_relay_publishes_breaks_no_order_and_leaves_no_gap(
    payorch, past, events_url, redis_url, namespace
):
    relay = make_relay(redis_url, open_publisher(events_url, namespace=namespace), namespace, shards=SHARDS)
    with Reader(events_url, namespace) as reader, Feeder(past) as feeder:
        relay.start()
        for _ in range(5):
            got = len(reader.events)
            until(lambda more=got: len(reader.events) > more + 100)
            assert payorch("events", "replay").status == 0
        expected = feeder.end()
        until(lambda: past.cursors() == past.ends())
        until(lambda: len(reader.ids()) == sum(expected.values()))
        assert relay.stop(10)
    assert assert_first_deliveries_in_order(reader.events) == expected
    assert len(reader.events) > sum(expected.values()) + 500
