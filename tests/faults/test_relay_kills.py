"""`kill -9` of relays again and again, as real workers, while events are committed and published."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from tests.integration.relay.relaying import Feeder, Log, Reader, assert_first_deliveries_in_order, until
from tests.support.process import Program
from tests.support.stack import settings

KILLS = 10
SHARDS = 16
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def start_relay(tmp_path, own_valkey, events_broker, namespace):
    """Starts workers that relay and do nothing else."""
    started: list[Program] = []

    def start():
        environment = settings(
            redis_url=own_valkey.url,
            provider_url=NOBODY,
            web_url=NOBODY,
            broker_url=events_broker,
            namespace=namespace,
            shards=str(SHARDS),
            roles="relay",
            lease_s="2",
        )
        name = f"relay{len(started) + 1}"
        arguments = ["-m", "celery", "-A", "workers.app", "worker", "-n", f"{name}@%h"]
        started.append(Program(name, arguments, environment=environment, directory=tmp_path))
        started[-1].start()
        return started[-1]

    yield start
    for program in started:
        program.kill()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_kills_of_relays_under_a_stream_of_events_leave_no_gap_and_every_first_delivery_in_order(
    start_relay, own_valkey, events_broker, namespace, record_property
):
    log = Log(own_valkey.url, namespace, shards=SHARDS)

    def held():
        """How many sources each process holds."""
        owners = filter(None, (log.client.get(source.lease) for source in log.sources))
        return Counter(int(owner.decode().split(":")[1]) for owner in owners)

    relays = [start_relay(), start_relay()]
    with Reader(events_broker, namespace) as reader, Feeder(log, pause_s=0.002) as feeder:
        until(lambda: len(held()) == 2, limit_s=40, what="both relay")
        for _ in range(KILLS):
            # The one that has held sources longest goes, in the midst of publishing.
            victim = next(relay for relay in relays if held()[relay.process.pid])
            got = len(reader.events)
            until(lambda more=got: len(reader.events) > more + 20, what="events flow")
            victim.kill()
            relays.remove(victim)
            relays.append(start_relay())
            pids = [relay.process.pid for relay in relays]
            until(lambda those=pids: all(held()[pid] for pid in those), limit_s=40, what="the other and the new relay")
        expected = feeder.end()
        until(lambda: log.cursors() == log.ends(), limit_s=40)
        until(lambda: len(reader.ids()) == sum(expected.values()), limit_s=40)

    assert assert_first_deliveries_in_order(reader.events) == expected
    again = len(reader.events) - sum(expected.values())
    record_property("events", sum(expected.values()))
    record_property("redelivered", again)
    sys.stdout.write(f"{sum(expected.values())} events, {KILLS} kills, {again} redelivered\n")
    log.client.close()
