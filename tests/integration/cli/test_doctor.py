from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import open_connection
from tests.support.servers import free_port


@contextlib.contextmanager
def sandbox(*arguments, **variables):
    """`payorch sandbox` as a process of its own, answering."""
    port = free_port()
    command = [sys.executable, "-m", "workers.cli", "sandbox", "--port", str(port), *arguments]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": ":".join(sys.path), **variables})
    try:
        deadline_s = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_sandbox/health") as it:
                assert it.status == 200
                break
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        yield process, port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def provider_port():
    with sandbox(SANDBOX_APP_ID="app", SANDBOX_SECRET_KEY="hidden-secret") as (_, port):
        yield port


@pytest.fixture
def provider(environment, provider_port, monkeypatch):
    """The settings lead to a provider that answers."""
    monkeypatch.setenv("PAYORCH_PROVIDER_BASE_URL", f"http://127.0.0.1:{provider_port}")


def found(said, check):
    return [(finding["level"], finding["said"]) for finding in said.json if finding["check"] == check]


def test_the_sandbox_takes_the_settings_credentials_and_stops_on_sigterm(environment):
    with sandbox("--speed", "60") as (process, port):
        headers = {"app-id": "app", "secret-key": "hidden-secret"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v2/payins/all?page=1", headers=headers)
        with urllib.request.urlopen(request) as reply:
            assert reply.status == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_sandbox/settings") as reply:
            assert b'"speed":60' in reply.read().replace(b" ", b"")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in {0, -signal.SIGTERM}


def test_the_sandbox_says_what_it_does_not_know(environment):
    done = subprocess.run(
        [sys.executable, "-m", "workers.cli", "sandbox", "--nonsense", "1"],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--nonsense" in done.stderr


def test_an_installation_in_order_has_nothing_wrong(payorch, provider):
    assert payorch("setup").status == 0
    said = payorch("doctor", "--json")
    assert said.status == 0
    assert found(said, "settings") == [("ok", "complete")]
    assert found(said, "provider") == [("ok", "127.0.0.1 answers and accepts the credentials")]
    assert ("ok", "AOF always: nothing is lost to a killed server or a lost host") in found(said, "redis")
    assert ("ok", "64 shards") in found(said, "redis")
    assert found(said, "webhooks")[0][0] == "ok"
    assert found(said, "workers")[0][0] == "warning"
    assert "nobody takes intents" in found(said, "broker")[0][1]
    assert {finding["level"] for finding in said.json} == {"ok", "warning"}
    assert all(finding["advice"] for finding in said.json if finding["level"] != "ok")
    assert "hidden" not in said.out


def test_each_finding_is_a_line_with_what_to_do(payorch, provider):
    said = payorch("doctor")
    assert said.status == 0
    assert said.out.splitlines()[0].split() == ["ok", "settings", "complete"]
    assert "→ run `payorch setup`" in said.out


def test_bad_settings_end_with_2_and_are_named(payorch, monkeypatch):
    monkeypatch.delenv("PAYORCH_REDIS_URL")
    monkeypatch.setenv("PAYORCH_SHARDS", "0")
    said = payorch("doctor", "--json")
    assert said.status == 2
    assert [finding["level"] for finding in said.json] == ["wrong", "wrong"]
    assert {finding["said"].split(" ")[0].strip(":") for finding in said.json} == {
        "PAYORCH_REDIS_URL",
        "PAYORCH_SHARDS",
    }


def test_wrong_credentials_are_told_from_an_absent_provider(payorch, provider, monkeypatch, unused_port):
    monkeypatch.setenv("PAYORCH_PROVIDER_SECRET_KEY", "hidden-other")
    refused = payorch("doctor", "--json")
    assert refused.status == 1
    assert found(refused, "provider") == [("wrong", "127.0.0.1 does not accept the credentials (HTTP 401)")]
    assert "hidden" not in refused.out
    monkeypatch.setenv("PAYORCH_PROVIDER_BASE_URL", f"http://127.0.0.1:{unused_port()}")
    absent = payorch("doctor", "--json")
    assert absent.status == 1
    assert found(absent, "provider")[0][1].startswith("127.0.0.1 does not answer")


def test_what_redis_must_not_be_is_wrong(payorch, provider, monkeypatch, own_valkey):
    monkeypatch.setenv("PAYORCH_REDIS_URL", own_valkey.url)
    assert payorch("setup").status == 0
    for words in (("maxmemory-policy", "volatile-lru"), ("appendonly", "no"), ("maxmemory", "1")):
        own_valkey.command("CONFIG", "SET", *words)
    monkeypatch.setenv("PAYORCH_SHARDS", "16")
    said = payorch("doctor", "--json")
    assert said.status == 1
    texts = [text for level, text in found(said, "redis") if level == "wrong"]
    assert any("volatile-lru" in text for text in texts)
    assert any("no AOF" in text for text in texts)
    assert any("64 shards, PAYORCH_SHARDS says 16" in text for text in texts)
    assert any("maxmemory is used" in text for level, text in found(said, "redis") if level == "warning")
    own_valkey.command("REPLICAOF", "127.0.0.1", "1")
    assert any("replica" in text for _, text in found(payorch("doctor", "--json"), "redis"))


def test_a_weaker_durability_is_a_warning(payorch, provider, monkeypatch, own_valkey):
    monkeypatch.setenv("PAYORCH_REDIS_URL", own_valkey.url)
    own_valkey.command("CONFIG", "SET", "appendfsync", "everysec")
    said = payorch("doctor", "--json")
    assert said.status == 0
    assert ("warning", "AOF everysec: a lost host may cost the last second") in found(said, "redis")


def test_each_master_of_a_cluster_is_looked_at(payorch, provider, monkeypatch, redis_url, cluster_url, valkey_cluster):
    monkeypatch.setenv("PAYORCH_REDIS_URL", cluster_url)
    monkeypatch.setenv("PAYORCH_BROKER_URL", redis_url)
    assert payorch("setup").status == 0
    in_order = found(payorch("doctor", "--json"), "redis")
    assert {level for level, _ in in_order} == {"ok"}
    assert any(text.endswith("(the weakest of 3 masters)") for _, text in in_order)
    assert any(text == "64 shards" for _, text in in_order)

    weak = valkey_cluster.masters[2]
    weak.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        assert any(
            "allkeys-lru" in text for level, text in found(payorch("doctor", "--json"), "redis") if level == "wrong"
        )
    finally:
        weak.command("CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_servers_that_are_away_are_wrong_and_the_other_checks_go_on(payorch, provider, monkeypatch, unused_port):
    monkeypatch.setenv("PAYORCH_REDIS_URL", f"redis://user:hidden@127.0.0.1:{unused_port()}/0")
    monkeypatch.setenv("PAYORCH_BROKER_URL", f"amqp://user:hidden@127.0.0.1:{unused_port()}//")
    monkeypatch.setenv("PAYORCH_EVENTS_URL", f"redis://user:hidden@127.0.0.1:{unused_port()}/0")
    said = payorch("doctor", "--json")
    assert said.status == 1
    assert [found(said, check)[0][0] for check in ("redis", "broker", "events", "provider")] == [
        "wrong",
        "wrong",
        "wrong",
        "ok",
    ]
    assert "hidden" not in said.out


def test_rabbitmq_is_told_empty_in_order_and_declared_otherwise(payorch, provider, monkeypatch, amqp_url, namespace):
    monkeypatch.setenv("PAYORCH_BROKER_URL", amqp_url)
    monkeypatch.setenv("PAYORCH_EVENTS_URL", amqp_url)
    connection = open_connection(amqp_url)
    channel = connection.channel()
    names = topology.build(namespace)
    try:
        empty = payorch("doctor", "--json")
        assert empty.status == 1
        assert f"has no {namespace}payments.dead" in found(empty, "broker")[0][1]
        assert payorch("setup").status == 0
        in_order = payorch("doctor", "--json")
        assert in_order.status == 0
        assert [level for level, _ in found(in_order, "broker")] == ["ok", "warning"]
        tag = channel.basic_consume(names.intents_queue.name)
        assert ("ok", "0 intents wait, 1 workers take them") in found(payorch("doctor", "--json"), "broker")
        channel.basic_cancel(tag)
        channel.queue_delete(names.intents_queue.name)
        channel.queue_declare(names.intents_queue.name, durable=True, auto_delete=False)
        other = payorch("doctor", "--json")
        assert other.status == 1
        assert "exists with other arguments" in found(other, "broker")[0][1]
    finally:
        channel = connection.channel()
        for queue in names.queues:
            channel.queue_delete(queue.name)
        for exchange in names.exchanges:
            channel.exchange_delete(exchange.name)
        connection.close()


@pytest.mark.parametrize(
    ("ours", "theirs", "level"),
    [
        ("https://pay.shop.example", "https://api.cleverhub.co", "ok"),
        ("http://127.0.0.1:8080", "https://api.cleverhub.co", "wrong"),
        ("https://pay.shop.example/webhooks", "https://api.cleverhub.co", "warning"),
        ("http://127.0.0.1:8080", "http://localhost:8900", "ok"),
        ("http://web:8080", "https://api.cleverhub.co", "warning"),
    ],
)
def test_a_webhook_address_which_cannot_work_is_told(payorch, monkeypatch, ours, theirs, level):
    from workers.bootstrap import build_settings
    from workers.cli.checks_provider import check_webhook_address

    monkeypatch.setenv("PAYORCH_WEBHOOK_BASE_URL", ours)
    monkeypatch.setenv("PAYORCH_PROVIDER_BASE_URL", theirs)
    monkeypatch.setenv("PAYORCH_PLAIN_HTTP_HOSTS", "web")
    (finding,) = check_webhook_address(build_settings())
    assert finding.level == level
