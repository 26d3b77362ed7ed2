"""The relay on a cluster: sources in all slots, none of which can be waited for together."""

from __future__ import annotations

import time

import pytest

from orchestrator.adapters.event_history import EventHistory
from orchestrator.adapters.event_log import EventLog
from tests.integration.relay.relaying import Log, Recorder, assert_all_arrive_although_a_relay_is_killed, until
from tests.support.cluster import ValkeyCluster
from tests.support.pace import slowness

SHARDS = 16


@pytest.fixture
def cluster_log(cluster_url, namespace):
    log = Log(cluster_url, namespace, shards=SHARDS)
    yield log
    log.client.close()


def test_every_event_arrives_in_order_although_a_relay_is_killed(cluster_log, cluster_url, redis_url, namespace):
    assert_all_arrive_although_a_relay_is_killed(cluster_log, cluster_url, redis_url, namespace, shards=SHARDS)


def test_a_new_event_ends_the_wait(cluster_log, cluster_url, namespace, relays):
    recorder = Recorder()
    relays(recorder, url=cluster_url, shards=SHARDS)
    cluster_log.append("ord-0", 1)
    until(lambda: recorder.bodies)
    waits = []
    for number in range(1, 11):
        committed_s = time.monotonic()
        cluster_log.append(f"ord-{number}", 1)
        until(lambda expected=number + 1: len(recorder.bodies) == expected)
        waits.append(time.monotonic() - committed_s)
    assert sorted(waits)[len(waits) // 2] < 0.1 * slowness()


def test_a_wait_without_events_ends_in_time(cluster_url, namespace):
    log = EventLog.connect(cluster_url, namespace=namespace, shards=SHARDS)
    try:
        after = dict.fromkeys(log.sources, "0-0")
        began_s = time.monotonic()
        assert log.read(after, count=10, block_ms=300) == []
        assert 0.3 <= time.monotonic() - began_s < 2
        assert log.read(after, count=10, block_ms=0) == []
        assert not log.has_replica()
    finally:
        log.close()


def test_the_past_is_read_from_every_master(cluster_log, cluster_url, namespace):
    for payment in range(50):
        cluster_log.append(f"ord-{payment}", 1)
    history = EventHistory.connect(cluster_url, namespace=namespace, shards=SHARDS)
    try:
        extents = history.extents(history.sources)
        assert sum(extent.first_ms is not None for extent in extents.values()) > 3
        pages = history.pages(dict.fromkeys(history.sources, "0-0"), until_ms=history.now_ms() + 1000, count=100)
        assert sum(len(page) for page in pages.values()) == 50
    finally:
        history.close()


def test_nothing_is_published_before_the_replicas_of_its_master_have_it(tmp_path, namespace, relays):
    cluster = ValkeyCluster(tmp_path / "cluster", replicas=True)
    try:
        cluster.start()
        log, recorder = Log(cluster.url, namespace, shards=SHARDS), Recorder()
        relay = relays(recorder, url=cluster.url, shards=SHARDS, lease_s=30)
        log.append("ord-1", 1)
        until(lambda: recorder.bodies)
        assert relay.figures()["replica"] == "ok"

        stuck = cluster.masters.index(cluster.master_of(log.source_of("ord-1").stream))
        cluster.replicas[stuck].pause()
        log.append("ord-1", 2)
        until(lambda: relay.figures()["replica"] == "behind")
        assert len(recorder.bodies) == 1
        cluster.replicas[stuck].resume()
        until(lambda: len(recorder.bodies) == 2)
        log.client.close()
        assert relay.stop(10)
    finally:
        cluster.end()
