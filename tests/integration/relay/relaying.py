"""What the relay's tests share: a log to append to, relays, and a check of order and gaps."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from typing import Any

from orchestrator.adapters.event_log import EventLog, sources_of
from orchestrator.adapters.publisher import open_publisher
from orchestrator.adapters.redis_blocking import open_blocking
from orchestrator.adapters.subscriber import subscribe
from orchestrator.identity import PaymentKey, shard_of
from orchestrator.ports import PublishedEvent
from workers.relay import Relay

SHARDS = 4


class Log:
    """Appends events as a commit would."""

    def __init__(self, url, namespace, *, shards=SHARDS):
        self.client: Any = open_blocking(url, socket_timeout=5)
        self.sources = sources_of(namespace=namespace, shards=shards)
        self._shards = shards
        self.refusals = self.sources[-1]

    def source_of(self, intent_id, *, merchant="default"):
        return self.sources[shard_of(PaymentKey(merchant=merchant, intent_id=intent_id), shards=self._shards)]

    def append(self, intent_id, sequence, *, status="accepted"):
        body = json.dumps(event(intent_id, sequence, status=status))
        return self.client.xadd(self.source_of(intent_id).stream, {"event": body})

    def cursors(self):
        return {source.name: self.client.get(source.cursor) for source in self.sources}

    def ends(self):
        found = {source.name: self.client.xrevrange(source.stream, count=1) for source in self.sources}
        return {name: entries[0][0] if entries else None for name, entries in found.items()}


def event(intent_id, sequence, *, status="accepted"):
    data = {"intent_id": intent_id, "merchant": "default", "flow": "card", "status": status}
    return {
        "specversion": "1.0",
        "id": f"default/{intent_id}:{sequence}",
        "type": f"payment.{status}",
        "source": "/payorch/default",
        "subject": intent_id,
        "data": data | {"sequence": sequence},
    }


def published(number=0, key="payment.default.card.accepted"):
    body = json.dumps(event(f"ord-{number}", 1)).encode()
    return PublishedEvent(routing_key=key, body=body, partition=f"default/ord-{number}")


class Alarms(list):
    def __call__(self, name, fields):
        self.append((name, dict(fields)))


def make_relay(
    redis_url, publisher, namespace, *, shards=SHARDS, alarms=None, retry_s=600, events_days=7, lease_s=1.0, **more
):
    return Relay(
        EventLog.connect(redis_url, namespace=namespace, shards=shards),
        publisher,
        owner=uuid.uuid4().hex,
        retry_s=retry_s,
        events_days=events_days,
        on_alarm=Alarms() if alarms is None else alarms,
        lease_s=lease_s,
        **more,
    )


def until(condition, *, limit_s=15.0, what=""):
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {limit_s} s: {what or condition}")
        time.sleep(0.005)
    return found


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

    def figures(self):
        return {}

    def close(self):
        pass

    @property
    def bodies(self):
        return [each.body for window in self.windows for each in window]


class Reader:
    """A subscriber in a thread of its own, which keeps what it got in order."""

    def __init__(self, url, namespace, *, binding="#"):
        self.events = []
        self._ready = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(url, namespace, binding), daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _read(self, url, namespace, binding):
        with subscribe(url, namespace=namespace, binding=binding) as subscription:
            self._ready.set()
            while not self._done.is_set():
                self.events.extend(subscription.events(0.1))

    def ids(self):
        return {event["id"] for event in self.events}


class Feeder:
    """Appends events in a thread of its own, payment after payment, until it is told to end."""

    def __init__(self, log, *, payments=50, pause_s=0.005):
        self._log = log
        self._ids = [f"ord-{number}" for number in range(payments)]
        self._pause_s = pause_s
        self._ending = threading.Event()
        self._appended: dict[str, int] = defaultdict(int)
        self._thread = threading.Thread(target=self._feed, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """How many events each payment has, and there are no more."""
        self._ending.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        return dict(self._appended)

    @property
    def appended(self):
        return sum(self._appended.values())

    def _feed(self):
        for intent_id in itertools.cycle(self._ids):
            if self._ending.wait(self._pause_s):
                return
            self._log.append(intent_id, self._appended[intent_id] + 1)
            self._appended[intent_id] += 1


def assert_first_deliveries_in_order(events):
    """No gap, the first deliveries of each payment in order, and what came again the same as before."""
    seen: dict[str, int] = defaultdict(int)
    bodies: dict[str, object] = {}
    for received in events:
        assert bodies.setdefault(received["id"], received) == received
        sequence = received["data"]["sequence"]
        payment = received["data"]["intent_id"]
        assert sequence <= seen[payment] + 1, f"{payment}: {sequence} came before {seen[payment] + 1}"
        seen[payment] = max(seen[payment], sequence)
    return dict(seen)


def assert_all_arrive_although_a_relay_is_killed(log, redis_url, events_url, namespace, *, shards=SHARDS):
    """Two relays, one of which is killed under load: each event at least once, each payment's in order."""
    command = [sys.executable, "-m", "tests.integration.relay.relaying", redis_url, events_url, namespace, str(shards)]
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


def main(redis_url, broker_url, namespace, shards=SHARDS):
    """A relay as a process of its own, to be killed."""
    relay = make_relay(redis_url, open_publisher(broker_url, namespace=namespace), namespace, shards=int(shards))
    relay.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
