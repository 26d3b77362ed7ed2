"""`payorch deadletters redrive|drop`: what was refused goes back to the queue as it came, or goes for ever."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from tests.integration.cli.shelf import intent

BODY = json.dumps(intent("ord-1")).encode()
COMMAND = {"command": "cancel", "merchant": "default", "intent_id": "ord-1", "command_id": "c-1"}


@pytest.fixture
def queue(environment):
    """What is in the stream of intents, as (field, body)."""
    client: Any = redis.Redis.from_url(environment["PAYORCH_REDIS_URL"])

    def waiting():
        entries = client.xrange(f"{environment['PAYORCH_NAMESPACE']}payments.intents")
        return [pair for _, fields in entries for pair in fields.items()]

    yield waiting
    client.close()


@pytest.fixture
def audited(environment):
    client: Any = redis.Redis.from_url(environment["PAYORCH_REDIS_URL"], decode_responses=True)
    yield lambda: [fields for _, fields in client.xrange(f"{environment['PAYORCH_NAMESPACE']}payorch:audit")]
    client.close()


def listed(payorch):
    return {entry["code"]: entry["id"] for entry in payorch("deadletters", "list", "--json").json_lines}


def test_a_refusal_that_is_redriven_is_in_the_queue_as_it_came_and_no_refusal_any_more(payorch, shelf, queue, audited):
    shelf.refuse(1, "no_flow", body=BODY, merchant="default", intent_id="ord-1")
    shelf.refuse(2, "invalid_json", body=b"\xff{")
    said = payorch("deadletters", "redrive", listed(payorch)["no_flow"])
    assert (said.status, said.out) == (0, "1 redriven\n")
    assert queue() == [(b"intent", BODY)]
    assert list(listed(payorch)) == ["invalid_json"]
    (entry,) = audited()
    assert (entry["outcome"], entry["code"], entry["intent_id"]) == ("redriven", "no_flow", "ord-1")
    assert "body" not in entry


def test_what_is_refused_again_is_a_new_entry(payorch, shelf):
    shelf.refuse(1, "no_flow", body=BODY)
    before = listed(payorch)["no_flow"]
    shelf.refuse(1, "no_flow", body=BODY)
    assert listed(payorch) == {"no_flow": before}
    payorch("deadletters", "redrive", before)
    shelf.refuse(1, "no_flow", body=BODY)
    assert listed(payorch)["no_flow"] != before


def test_all_with_a_code_or_of_a_merchant_are_redriven_the_oldest_first(payorch, shelf, queue):
    for number, (code, merchant) in enumerate([("no_flow", "a"), ("other", "a"), ("no_flow", "b"), ("no_flow", "a")]):
        shelf.refuse(number, code, body=b"%d" % number, merchant=merchant)
    assert payorch("deadletters", "redrive", "--code", "no_flow", "--merchant", "a", "--json").json["left"] == []
    assert queue() == [(b"intent", b"0"), (b"intent", b"3")]
    assert payorch("deadletters", "redrive", "--all").out == "2 redriven\n"
    assert queue()[2:] == [(b"intent", b"1"), (b"intent", b"2")]
    assert payorch("deadletters", "redrive", "--all").out == "0 redriven\n"


def test_a_command_goes_back_as_a_command_unless_its_payment_has_answered_it(payorch, shelf, queue):
    shelf.put(intent("ord-1"), commands={"c-1": "print"})
    answered, other = json.dumps(COMMAND).encode(), json.dumps(COMMAND | {"command_id": "c-2"}).encode()
    shelf.refuse(1, "already_sent", body=answered, command="cancel")
    shelf.refuse(2, "unknown_intent", body=other, command="cancel")
    said = payorch("deadletters", "redrive", "--all")
    assert (said.status, said.out) == (1, "1 redriven, 1 left\n")
    assert "under a new one" in said.err
    assert queue() == [(b"command", other)]
    assert list(listed(payorch)) == ["already_sent"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"intent_id": 1}', b'{"merchant": "A B", "intent_id": "x"}'])
def test_a_command_that_cannot_be_read_is_left_to_the_worker_to_refuse(payorch, shelf, queue, body):
    shelf.refuse(1, "invalid_json", body=body, command="unknown")
    assert payorch("deadletters", "redrive", "--all").status == 0
    assert queue() == [(b"command", body)]


def test_what_is_masked_stays_where_it_is(payorch, shelf, queue):
    shelf.refuse(1, "card_number_refused", body=b"{}", redrivable=False)
    said = payorch("deadletters", "redrive", "--all", "--json")
    assert (said.status, said.json["redriven"], queue()) == (1, [], [])
    assert [each["id"] for each in said.json["left"]] == [listed(payorch)["card_number_refused"]]


def test_i2_where_the_broker_does_not_confirm_nothing_is_gone(payorch, shelf, monkeypatch):
    monkeypatch.setenv("PAYORCH_BROKER_URL", "redis://127.0.0.1:9/0")
    shelf.refuse(1, "no_flow", body=BODY)
    said = payorch("deadletters", "redrive", "--all")
    assert (said.status, said.out) == (1, "0 redriven\n")
    assert "the rest is where it was" in said.err
    assert list(listed(payorch)) == ["no_flow"]


def test_what_is_dropped_is_gone_and_the_same_message_is_not_told_again(payorch, shelf, queue, audited):
    shelf.refuse(1, "no_flow", body=BODY)
    shelf.refuse(2, "invalid_json", body=b"{")
    assert payorch("deadletters", "drop", "--code", "no_flow").out == "1 dropped\n"
    shelf.refuse(1, "no_flow", body=BODY)
    assert list(listed(payorch)) == ["invalid_json"]
    assert (queue(), [entry["outcome"] for entry in audited()]) == ([], ["dropped"])


def test_dropping_needs_no_broker_whatever_its_url_says(payorch, shelf, monkeypatch):
    monkeypatch.setenv("PAYORCH_BROKER_URL", "sentinel://127.0.0.1:9")
    shelf.refuse(1, "no_flow", body=BODY)
    redriven = payorch("deadletters", "redrive", "--all")
    assert (redriven.status, redriven.out, list(listed(payorch))) == (1, "0 redriven\n", ["no_flow"])
    assert "must start with one of amqp://" in redriven.err
    assert payorch("deadletters", "drop", "--all").out == "1 dropped\n"
    assert listed(payorch) == {}


def test_one_that_is_not_there_is_told(payorch, shelf):
    said = payorch("deadletters", "drop", "1-0")
    assert (said.status, said.out) == (1, "0 dropped, 1 left\n")
    assert "1-0: there is no such refusal" in said.err


@pytest.mark.parametrize(
    "arguments", [(), ("1-0", "--all"), ("--all", "--code", "x"), ("nonsense",), ("1-0", "-m", "a")]
)
@pytest.mark.parametrize("deed", ["redrive", "drop"])
def test_who_does_not_say_which_is_asked(payorch, deed, arguments):
    assert payorch("deadletters", deed, *arguments).status == 2
