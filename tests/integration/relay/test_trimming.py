from __future__ import annotations

import itertools
import json

import pytest

from orchestrator.adapters.event_log import EventLog
from tests.integration.relay.relaying import SHARDS, Recorder, event, until
from workers.relay_leases import Leases

DAY_MS = 86_400_000
COUNT = 60  # some nodes of a stream, as whole nodes are trimmed


@pytest.fixture
def event_log(redis_url, namespace):
    event_log = EventLog.connect(redis_url, namespace=namespace, shards=SHARDS)
    yield event_log
    event_log.close()


def fill(log, intent_id="ord-1", *, age_days=8, count=COUNT, source=None):
    """Entries of about 1 KB, as old as was asked for; returns their ids."""
    seconds, micros = log.client.time()
    at_ms = seconds * 1000 + micros // 1000 - int(age_days * DAY_MS)
    written = []
    stream = (source or log.source_of(intent_id)).stream
    for sequence in range(1, count + 1):
        body = json.dumps(event(intent_id, sequence) | {"note": "n" * 1000})
        written.append(log.client.xadd(stream, {"event": body}, id=f"{at_ms + sequence}-0"))
    return written


def entries(log, stream):
    return [entry for entry, _ in log.client.xrange(stream)]


def test_what_is_relayed_and_old_is_trimmed_and_the_end_stays(log, relays):
    old = fill(log)
    young = fill(log, age_days=6)
    relay = relays(Recorder(), trim_every_s=0.1)
    stream = log.source_of("ord-1").stream
    until(lambda: log.cursors() == log.ends())
    until(lambda: len(entries(log, stream)) < 1.5 * COUNT)
    kept = entries(log, stream)
    assert kept[-COUNT:] == young
    assert kept == (old + young)[-len(kept) :]
    until(lambda: relay.figures()["trimmed"] == 2 * COUNT - len(entries(log, stream)))


def test_refusals_are_trimmed_likewise(log, relays):
    fill(log, source=log.refusals)
    relays(Recorder(), trim_every_s=0.1)
    until(lambda: log.cursors() == log.ends())
    until(lambda: log.client.xlen(log.refusals.stream) < COUNT / 2)


def test_nothing_is_trimmed_before_it_is_relayed_however_old(log, relays):
    stuck, free = "stuck", next(f"ord-{n}" for n in range(99) if log.source_of(f"ord-{n}") != log.source_of("stuck"))
    written = fill(log, stuck)
    fill(log, free)
    recorder = Recorder(answer=lambda each: each.partition != "default/stuck" or b'"sequence": 1,' in each.body)
    relays(recorder, trim_every_s=0.05)
    until(lambda: log.client.xlen(log.source_of(free).stream) < COUNT / 2)  # trimming is at work
    trimmed_once = log.client.xlen(log.source_of(free).stream)
    fill(log, free, age_days=7.5)
    until(lambda: log.client.xlen(log.source_of(free).stream) <= trimmed_once)
    assert entries(log, log.source_of(stuck).stream) == written
    recorder.answer = lambda _each: True
    until(lambda: log.client.xlen(log.source_of(stuck).stream) < COUNT / 2)


def test_without_a_relay_that_holds_the_source_nothing_is_trimmed(log, event_log):
    written = fill(log)
    source = log.source_of("ord-1")
    sources = event_log.sources

    assert event_log.trim(sources, owner="nobody", older_than_ms=0) == 0

    assert event_log.hold(sources, owner="me", lease_ms=60_000) == frozenset(sources)
    assert event_log.trim(sources, owner="me", older_than_ms=0) == 0, "no cursor: nothing is relayed"

    middle = written[COUNT // 2].decode()
    assert not event_log.advance({source: middle}, owner="me")
    assert event_log.trim(sources, owner="somebody-else", older_than_ms=0) == 0
    assert entries(log, source.stream) == written

    assert event_log.trim(sources, owner="me", older_than_ms=0) > 0
    kept = entries(log, source.stream)
    assert middle.encode() in kept
    assert kept == written[-len(kept) :]


def test_a_source_is_trimmed_at_most_once_a_minute(log, event_log):
    now_s = 0.0
    leases = Leases(event_log, owner="me", lease_s=1000, trim_every_s=60, monotonic_s=lambda: now_s)
    leases.renew_if_due()
    trimmed_at = []
    for second in range(0, 200, 10):
        now_s = float(second)
        written = fill(log, age_days=8 - second / 1000)
        event_log.advance({log.source_of("ord-1"): written[-1].decode()}, owner="me")
        if leases.trim(older_than_ms=7 * DAY_MS):
            trimmed_at.append(second)
    assert trimmed_at[0] <= 60
    assert [later - earlier for earlier, later in itertools.pairwise(trimmed_at)] == [60] * (len(trimmed_at) - 1)
    assert len(trimmed_at) >= 3
