from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading

import pytest
import redis

from orchestrator.client import AsyncIntentClient, IntentClient, NotConfirmedError
from tests.integration.client.log import Log

REDIRECT = {"type": "redirect", "purpose": "3ds", "url": "https://bank.example/3ds"}


def entries(server, namespace):
    return [fields for _, fields in server.xrange(f"{namespace}payments.intents")]


@pytest.fixture
def client(redis_url, namespace):
    with IntentClient(redis_url, namespace=namespace) as client:
        yield client


def test_an_intent_is_in_the_stream_when_submit_returns(client, server, namespace):
    client.submit({"intent_id": "ord-1", "amount_minor": 10**15, "description": "Zoë"})
    (entry,) = entries(server, namespace)
    assert json.loads(entry[b"intent"]) == {"intent_id": "ord-1", "amount_minor": 10**15, "description": "Zoë"}


def test_many_intents_arrive_in_their_order_across_windows(client, server, namespace):
    assert client.submit_many({"intent_id": f"ord-{number}"} for number in range(1203)) == 1203
    ids = [json.loads(entry[b"intent"])["intent_id"] for entry in entries(server, namespace)]
    assert ids == [f"ord-{number}" for number in range(1203)]


def test_a_command_goes_into_its_own_field(client, server, namespace):
    client.command("refund", "ord-1", command_id="c-1", refund_id="r-1", amount_minor=500, reason="late")
    (entry,) = entries(server, namespace)
    assert json.loads(entry[b"command"]) == {
        "command": "refund",
        "merchant": "default",
        "intent_id": "ord-1",
        "command_id": "c-1",
        "refund_id": "r-1",
        "amount_minor": 500,
        "reason": "late",
    }


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), object()])
def test_what_is_not_json_is_refused_before_anything_is_sent(client, server, namespace, amount):
    with pytest.raises((ValueError, TypeError)):
        client.submit({"intent_id": "ord-1", "amount_minor": amount})
    assert entries(server, namespace) == []


def test_a_float_is_sent_as_it_is_for_the_worker_to_refuse(client, server, namespace):
    client.submit({"amount_minor": 10.5})
    assert entries(server, namespace)[0][b"intent"] == b'{"amount_minor":10.5}'


def test_a_server_that_is_down_is_told_without_its_address(unused_port):
    url = f"redis://user:hidden@127.0.0.1:{unused_port()}/0"
    with IntentClient(url) as client, pytest.raises(NotConfirmedError) as caught:
        client.submit({"intent_id": "ord-1"})
    assert "hidden" not in str(caught.value)
    assert caught.value.confirmed == 0


def test_a_full_server_is_told_as_not_confirmed(own_valkey):
    own_valkey.command("CONFIG", "SET", "maxmemory", "1")
    with IntentClient(own_valkey.url) as client, pytest.raises(NotConfirmedError):
        client.submit({"intent_id": "ord-1"})


def test_an_event_from_before_the_wait_is_found_behind_a_crowd(client, log):
    log.set_up()
    log.append("ord-1", 1, "accepted")
    log.append("ord-1", 2, "requires_action", next_action=REDIRECT)
    log.crowd("ord-1", 1100)
    data = client.wait("default", "ord-1", timeout=10)
    assert (data["sequence"], data["next_action"]) == (2, REDIRECT)


def test_of_several_events_the_newest_that_fits_is_returned(client, log):
    log.set_up()
    log.append("ord-1", 1, "accepted")
    log.append("ord-1", 2, "requires_action", next_action=REDIRECT)
    log.append("ord-1", 3, "succeeded")
    assert client.wait("default", "ord-1", timeout=10)["status"] == "succeeded"
    assert client.wait("default", "ord-1", until="requires_action", timeout=10)["sequence"] == 2
    assert client.wait("default", "ord-1", until="final", timeout=10)["sequence"] == 3


def test_an_event_that_comes_during_the_wait_ends_it(client, log):
    log.set_up()
    log.crowd("ord-1", 10)
    written = threading.Timer(0.2, lambda: log.append("ord-1", 1, "failed"))
    written.start()
    assert client.wait("default", "ord-1", until="final", timeout=10)["status"] == "failed"
    written.join()


def test_a_wait_before_the_first_start_learns_the_number_of_shards(client, log):
    def start() -> None:
        log.set_up()
        log.append("ord-1", 1, "accepted")

    started = threading.Timer(0.3, start)
    started.start()
    assert client.wait("default", "ord-1", until="accepted", timeout=10)["sequence"] == 1
    started.join()


def test_a_wait_survives_a_restart_of_the_server(own_valkey, namespace):
    with IntentClient(own_valkey.url, namespace=namespace) as client, redis.Redis.from_url(own_valkey.url) as server:
        log = Log(server, namespace)
        log.set_up()
        log.append("ord-1", 1, "accepted")

        def restart() -> None:
            own_valkey.restart()
            log.append("ord-1", 2, "succeeded")

        restarted = threading.Timer(0.2, restart)
        restarted.start()
        assert client.wait("default", "ord-1", until="final", timeout=20)["sequence"] == 2
        restarted.join()


def test_a_wait_that_nothing_ends_times_out_in_time(client, log):
    log.set_up()
    log.append("ord-1", 1, "accepted")
    log.append("ord-2", 1, "succeeded")
    with pytest.raises(TimeoutError, match=r"default/ord-1: no event met 'final' within 0\.3 s"):
        client.wait("default", "ord-1", until="final", timeout=0.3)


def test_a_word_that_is_no_status_is_an_error_at_once(client):
    with pytest.raises(ValueError, match="next_action, final, accepted"):
        client.wait("default", "ord-1", until="suceeded", timeout=60)


async def test_the_same_verbs_await(redis_url, namespace, server, log):
    log.set_up()
    async with AsyncIntentClient(redis_url, namespace=namespace) as client:
        await client.listen()
        await client.submit({"intent_id": "ord-0"})
        assert await client.submit_many({"intent_id": f"ord-{number}"} for number in range(1, 601)) == 600
        await client.command("capture", "ord-0", command_id="c-1")
        waits = [asyncio.create_task(client.wait("default", f"ord-{number}", timeout=10)) for number in range(20)]
        await asyncio.sleep(0)
        for number in range(20):
            log.append(f"ord-{number}", 1, "requires_action", next_action=REDIRECT)
        found = await asyncio.gather(*waits)
        with pytest.raises(TimeoutError):
            await client.wait("default", "ord-500", timeout=0.1)
    assert [data["intent_id"] for data in found] == [f"ord-{number}" for number in range(20)]
    assert len(entries(server, namespace)) == 602


@pytest.mark.parametrize(
    ("url", "absent"),
    [("redis://127.0.0.1:1", "kombu amqp"), ("amqp://127.0.0.1:1", "redis")],
)
def test_only_the_library_of_the_chosen_way_is_imported(url, absent):
    never = "celery config pydantic pydantic_settings structlog workers orchestrator.adapters " + absent
    program = (
        f"import sys; from orchestrator.client import IntentClient; IntentClient({url!r})\n"
        f"print([name for name in {never.split()!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
