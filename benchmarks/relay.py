"""How many events a second one relay publishes: `python benchmarks/relay.py --redis URL --broker URL`.

Fills an event log in a namespace of its own, starts one relay and waits until it has delivered all. One queue is
bound to `payment.#`, as one subscriber would; nobody reads it. Everything is removed at the end.
"""

from __future__ import annotations

import argparse
import json
import time
import uuid
from typing import Any

import redis

from orchestrator.adapters import topology
from orchestrator.adapters.event_log import EventLog, sources_of
from orchestrator.adapters.kombu_entities import Connection, Queue
from orchestrator.adapters.publisher import open_publisher
from orchestrator.identity import PaymentKey, shard_of
from workers.relay import Relay

SHARDS = 64
EVENTS_A_PAYMENT = 4
LIMIT_S = 600


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", required=True, help="the event log's server")
    parser.add_argument("--broker", required=True, help="where payments.events lives")
    parser.add_argument("--events", type=int, default=40_000)
    options = parser.parse_args()
    namespace = f"bench{uuid.uuid4().hex[:8]}."
    client = redis.Redis.from_url(options.redis)
    queue = Queue(
        f"{namespace}subscriber", exchange=topology.events_exchange(namespace), routing_key="payment.#", durable=True
    )
    with Connection(options.broker) as connection:
        bound = queue(connection.channel())
        bound.declare()
        try:
            fill(client, namespace, options.events)
            took_s, cpu_s = relayed(options, namespace)
        finally:
            bound.delete()
            topology.events_exchange(namespace)(connection.channel()).delete()
            for key in client.scan_iter(f"*{namespace}*", count=1000):
                client.delete(key)
    rate = {"events": options.events, "took_s": round(took_s, 2), "events_per_s": round(options.events / took_s)}
    print(json.dumps(rate | {"cpu_ms_per_event": round(cpu_s * 1000 / options.events, 3)}))


def fill(client: redis.Redis, namespace: str, count: int) -> None:
    """Append the events of many payments, each payment's in order."""
    sources = sources_of(namespace=namespace, shards=SHARDS)
    payments = count // EVENTS_A_PAYMENT
    pipeline = client.pipeline(transaction=False)
    for number in range(count):
        sequence, payment = divmod(number, payments)
        intent_id = f"ord-{payment}"
        shard = shard_of(PaymentKey(merchant="default", intent_id=intent_id), shards=SHARDS)
        pipeline.xadd(sources[shard].stream, {"event": body(intent_id, sequence + 1)})
        if number % 1000 == 0:
            pipeline.execute()
    pipeline.execute()


def relayed(options: Any, namespace: str) -> tuple[float, float]:
    """Seconds, and seconds of this process's CPU, until one relay has delivered everything."""
    relay = Relay(
        EventLog.connect(options.redis, namespace=namespace, shards=SHARDS),
        open_publisher(options.broker, namespace=namespace, queue_max=10 * options.events),
        owner="bench",
        retry_s=600,
        events_days=7,
        on_alarm=print,
    )
    started_s, started_cpu_s = time.monotonic(), time.process_time()
    relay.start()
    while relay.figures()["relayed"] != options.events:
        assert time.monotonic() - started_s < LIMIT_S, relay.figures()
        time.sleep(0.005)
    took = time.monotonic() - started_s, time.process_time() - started_cpu_s
    relay.stop(10)
    return took


def body(intent_id: str, sequence: int) -> str:
    """An event of the usual size, about 900 bytes."""
    data = {
        "intent_id": intent_id,
        "merchant": "default",
        "flow": "card",
        "sequence": sequence,
        "status": "processing",
        "next_action": {"type": "redirect", "purpose": "3ds", "url": f"https://pay.example/{'x' * 100}"},
        "metadata": {"order": intent_id, "note": "n" * 250},
    }
    event = {
        "specversion": "1.0",
        "id": f"default/{intent_id}:{sequence}",
        "type": "payment.processing",
        "source": "/payorch/default",
        "subject": intent_id,
        "time": "2026-11-21T02:03:04.567Z",
        "datacontenttype": "application/json",
        "sequence": f"{sequence:010d}",
        "data": data,
    }
    return json.dumps(event)


if __name__ == "__main__":
    main()
