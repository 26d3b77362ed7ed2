from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
import redis

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import open_connection
from orchestrator.adapters.publisher import open_publisher
from orchestrator.ports import PublishedEvent
from workers.cli import main

STATUS = {
    "intent_id": "ord-1",
    "merchant": "default",
    "flow": "card",
    "sequence": 2,
    "status": "requires_action",
    "reason": None,
    "amount_minor": 10000,
    "currency": "AUD",
    "next_action": {"type": "redirect", "purpose": "3ds", "url": "https://bank.example/hidden"},
    "review": ["stale"],
}
REFUSAL = {"code": "no_flow", "message": "No flow\x1b[2J matches.", "field": "method", "intent_id": None}
EVENTS = (
    ("payment.default.card.requires_action", "payment.requires_action", STATUS),
    ("payment.default.payin.accepted", "payment.accepted", STATUS | {"flow": "payin", "status": "accepted"}),
    ("refusal.default.no_flow", "intent.refused", REFUSAL),
)


@pytest.fixture(params=["redis", "amqp"])
def broker(request, environment, monkeypatch):
    """Where events are published: Redis, or RabbitMQ, which is left as it was."""
    if request.param == "redis":
        yield environment["PAYORCH_REDIS_URL"]
        return
    url = request.getfixturevalue("amqp_url")
    monkeypatch.setenv("PAYORCH_EVENTS_URL", url)
    yield url
    connection = open_connection(url)
    connection.channel().exchange_delete(topology.events_exchange(environment["PAYORCH_NAMESPACE"]).name)
    connection.close()


@contextlib.contextmanager
def watching(*arguments):
    """The command in a process of its own, already bound when the body runs."""
    command = [sys.executable, "-m", "workers.cli", "watch", *arguments]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("watching")
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def bindings(client):
    return client.smembers(f"_kombu.binding.{os.environ['PAYORCH_NAMESPACE']}payments.events")


def publish(url, namespace):
    publisher = open_publisher(url, namespace=namespace)
    window = [
        PublishedEvent(
            routing_key=key,
            body=json.dumps({"type": kind, "time": "2026-11-21T02:03:04Z", "data": data}).encode(),
            partition=key,
        )
        for key, kind, data in EVENTS
    ]
    assert publisher.publish(window) == [True] * 3
    publisher.close()


def test_each_event_is_a_line_without_its_address(broker, namespace):
    with watching("#", "--count", "3") as process:
        publish(broker, namespace)
        first, _, third = process.stdout
        assert process.wait(20) == 0
    assert first.startswith("2026-11-21T02:03:04Z  default/ord-1  #2  card  requires_action  100.00 AUD")
    assert "action: redirect" in first
    assert "review: stale" in first
    assert "hidden" not in first
    assert third == "2026-11-21T02:03:04Z  (no id)  intent.refused  no_flow  No flow?[2J matches.\n"


def test_json_lines_follow_the_pattern_and_mask_the_address(broker, namespace):
    with watching("payment.*.card.*", "--json", "--timeout", "5s") as process:
        publish(broker, namespace)
        (line,) = process.stdout
        assert process.wait(20) == 0
    event = json.loads(line)
    assert event["type"] == "payment.requires_action"
    assert event["data"]["next_action"] == {"type": "redirect", "purpose": "3ds", "url": "***"}
    assert event["data"]["amount_minor"] == 10000


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_control_c_is_the_usual_end_and_leaves_no_queue_behind(environment, end):
    with redis.Redis.from_url(environment["PAYORCH_REDIS_URL"]) as client, watching() as process:
        assert len(bindings(client)) == 1
        process.send_signal(end)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
        assert bindings(client) == set()


def test_too_few_events_in_time_end_with_1(environment, capsys):
    assert main(["watch", "--count", "1", "--timeout", "1"]) == 1
    assert capsys.readouterr().out == ""
