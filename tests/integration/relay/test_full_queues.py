"""Subscribers on Redis that do not read: left out with an alarm, while the others get everything."""

from __future__ import annotations

import pytest

from orchestrator.adapters.redis_publisher import ALARM_EVERY_S, RedisPublisher
from orchestrator.adapters.subscriber import subscribe
from tests.integration.relay.relaying import published, until


@pytest.fixture
def queues(redis_url, namespace):
    """Two queues that are bound to all events and that nobody reads."""
    names = [f"{namespace}absent", f"{namespace}present"]
    for name in names:
        with subscribe(redis_url, namespace=namespace, queue=name):
            pass
    return names


class Watched:
    """A publisher with a clock of its own, and what it said of queues left out."""

    def __init__(self, url, namespace):
        self.now_s = 0.0
        self.skipped: list[tuple[str, int | None]] = []
        self.publisher = RedisPublisher(
            url,
            namespace=namespace,
            queue_max=2,
            on_skipped=lambda *what: self.skipped.append(what),
            monotonic_s=lambda: self.now_s,
        )

    def publish(self, count=1):
        for number in range(count):
            assert list(self.publisher.publish([published(number)])) == [True]


@pytest.fixture
def watched(redis_url, namespace):
    watched = Watched(redis_url, namespace)
    yield watched
    watched.publisher.close()


def test_a_queue_that_is_too_long_gets_nothing_more_and_the_others_everything(watched, queues, log):
    absent, present = queues
    for _ in range(5):
        watched.publish()
        log.client.delete(present)
    assert log.client.llen(absent) == 2
    assert watched.skipped == [(absent, 2)]
    assert watched.publisher.figures() == {"queues_skipped": 1, "copies_skipped": 3}

    log.client.delete(absent)
    watched.publish()
    assert (log.client.llen(absent), log.client.llen(present)) == (1, 1)
    assert watched.publisher.figures() == {"queues_skipped": 0, "copies_skipped": 3}


def test_the_alarm_comes_once_in_a_period_however_often_the_queue_fills(watched, queues, log):
    absent, present = queues
    for _ in range(3):
        watched.publish(4)
        log.client.delete(absent, present)
    assert sorted(watched.skipped) == [(absent, 2), (present, 2)]
    watched.now_s += ALARM_EVERY_S - 1
    watched.publish(3)
    assert len(watched.skipped) == 2
    watched.now_s += 2
    watched.publish()
    assert len(watched.skipped) == 4


def test_a_name_that_holds_no_queue_is_left_out_and_stops_nothing(watched, queues, log):
    absent, present = queues
    log.client.set(absent, "not a list")
    watched.publish(2)
    assert watched.skipped == [(absent, None)]
    assert log.client.llen(present) == 2


def test_the_counts_outlive_a_connection(watched, queues, log):
    watched.publish(3)
    watched.publisher.close()
    watched.publish(1)
    assert watched.publisher.figures()["copies_skipped"] == 4


def test_the_relays_figures_show_what_was_left_out(watched, queues, log, relays):
    relay = relays(watched.publisher)
    for sequence in range(1, 6):
        log.append("ord-1", sequence)
    until(lambda: log.cursors() == log.ends())
    until(lambda: relay.figures()["copies_skipped"] == 6)
    assert relay.figures()["queues_skipped"] == 2
