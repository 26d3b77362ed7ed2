"""What the relay's tests share: a log to append to, relays, and a check of order and gaps."""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from collections import defaultdict

import redis

from orchestrator.adapters.event_log import EventLog, sources_of
from orchestrator.adapters.publisher import open_publisher
from orchestrator.adapters.subscriber import subscribe
from orchestrator.identity import PaymentKey, shard_of
from workers.relay import Relay

SHARDS = 4


class Log:
    """Appends events as a commit would."""

    def __init__(self, url, namespace):
        self.client = redis.Redis.from_url(url)
        self.sources = sources_of(namespace=namespace, shards=SHARDS)
        self.refusals = self.sources[-1]

    def source_of(self, intent_id):
        return self.sources[shard_of(PaymentKey(merchant="default", intent_id=intent_id), shards=SHARDS)]

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


class Alarms(list):
    def __call__(self, name, fields):
        self.append((name, dict(fields)))


def make_relay(redis_url, publisher, namespace, *, alarms=None, retry_s=600, events_days=7, lease_s=1.0, **more):
    return Relay(
        EventLog.connect(redis_url, namespace=namespace, shards=SHARDS),
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


def assert_first_deliveries_in_order(events):
    seen: dict[str, int] = defaultdict(int)
    for received in events:
        sequence = received["data"]["sequence"]
        payment = received["data"]["intent_id"]
        assert sequence <= seen[payment] + 1, f"{payment}: {sequence} came before {seen[payment] + 1}"
        seen[payment] = max(seen[payment], sequence)
    return dict(seen)


def main(redis_url, broker_url, namespace):
    """A relay as a process of its own, to be killed."""
    relay = make_relay(redis_url, open_publisher(broker_url, namespace=namespace), namespace)
    relay.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
