from __future__ import annotations

import io
import json

import pytest
import redis

from orchestrator.adapters import topology
from tests.integration.cli.shelf import intent


@pytest.fixture
def taken(environment):
    """The intents in the stream, as the worker would get them."""

    def read():
        with redis.Redis.from_url(environment["PAYORCH_REDIS_URL"]) as client:
            entries = client.xrange(f"{environment['PAYORCH_NAMESPACE']}payments.intents")
        return [json.loads(fields[b"intent"]) for _, fields in entries]

    return read


def write(path, *messages):
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in messages))
    return path


def test_one_object_a_list_and_lines_are_sent(payorch, taken, tmp_path):
    one, two, three = intent("ord-1"), intent("ord-2"), intent("ord-3", description="Zoë")
    (tmp_path / "one.json").write_text(json.dumps(one, indent=2))
    (tmp_path / "list.json").write_text(json.dumps([two, three]))
    assert payorch("submit", tmp_path / "one.json").out == "1 submitted\n"
    assert payorch("submit", tmp_path / "list.json").out == "2 submitted\n"
    lines = write(tmp_path / "lines.jsonl", *(intent(f"many-{number}") for number in range(450)), "")
    assert payorch("submit", lines, "--json").json == {"submitted": 450, "refused": [], "error": None}
    assert taken() == [one, two, three, *(intent(f"many-{number}") for number in range(450))]


@pytest.mark.parametrize("indent", [None, 2])
def test_standard_input_is_one_object_or_lines(payorch, taken, monkeypatch, indent):
    text = json.dumps(intent("ord-1"), indent=indent)
    if indent is None:
        text += "\n\n" + json.dumps(intent("ord-2"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert payorch("submit", "-").status == 0
    assert [each["intent_id"] for each in taken()] == ["ord-1", "ord-2"][: 2 if indent is None else 1]


def test_bad_lines_are_told_with_code_and_field_and_the_others_are_sent(payorch, taken, tmp_path):
    lines = write(
        tmp_path / "orders.jsonl",
        intent("ord-1"),
        intent("ord-2", amount_minor=1.5),
        "{broken",
        intent("ord-4", description="4111 1111 1111 1111"),
        intent("ord-5", amuont=1),
        '{"intent_id": "ord-6", "intent_id": "ord-6"}',
        intent("ord-7"),
    )
    said = payorch("submit", lines)
    assert (said.status, said.out) == (1, "2 submitted, 5 refused\n")
    codes = [line.split(": ")[:2] for line in said.err.splitlines()]
    assert codes == [
        ["2", "amount_not_integer"],
        ["3", "invalid_json"],
        ["4", "card_number_refused"],
        ["5", "unknown_field"],
        ["6", "duplicate_field"],
    ]
    assert "4111" not in said.err
    assert [each["intent_id"] for each in taken()] == ["ord-1", "ord-7"]
    refused = payorch("submit", lines, "--json").json["refused"]
    assert (refused[0]["number"], refused[0]["field"]) == (2, "amount_minor")


def test_without_check_the_worker_gets_what_the_file_says(payorch, taken, tmp_path):
    lines = write(tmp_path / "orders.jsonl", intent("ord-1", amount_minor=1.5), "[1]", '{"a": NaN}', "{broken")
    said = payorch("submit", lines, "--no-check")
    assert (said.status, said.out) == (1, "1 submitted, 3 refused\n")
    assert [each["amount_minor"] for each in taken()] == [1.5]


def test_a_broker_without_a_queue_is_told_and_setup_mends_it(payorch, monkeypatch, amqp_url, namespace, tmp_path):
    monkeypatch.setenv("PAYORCH_BROKER_URL", amqp_url)
    order = write(tmp_path / "order.json", intent())
    said = payorch("submit", order)
    assert said.status == 1
    assert "payorch setup" in said.err
    try:
        assert f"{namespace}payments.intents" in payorch("setup").out
        assert payorch("setup", "--json").status == 0
        assert payorch("submit", order).out == "1 submitted\n"
    finally:
        _delete(amqp_url, namespace)


def test_setup_on_redis_writes_shards_and_group_and_may_be_repeated(payorch, environment):
    for _ in range(2):
        assert payorch("setup").status == 0
    with redis.Redis.from_url(environment["PAYORCH_REDIS_URL"]) as client:
        assert client.get(f"{environment['PAYORCH_NAMESPACE']}payorch:shards") == b"64"
        (group,) = client.xinfo_groups(f"{environment['PAYORCH_NAMESPACE']}payments.intents")
        assert group["name"] == b"payorch"


def test_setup_refuses_another_number_of_shards(payorch, monkeypatch):
    assert payorch("setup").status == 0
    monkeypatch.setenv("PAYORCH_SHARDS", "16")
    said = payorch("setup")
    assert (said.status, said.out) == (1, "")
    assert "64 shards, but 16" in said.err


def _delete(url, namespace):
    from orchestrator.adapters.amqp_connection import open_connection

    connection = open_connection(url)
    channel = connection.channel()
    names = topology.build(namespace)
    for queue in names.queues:
        channel.queue_delete(queue.name)
    for exchange in names.exchanges:
        channel.exchange_delete(exchange.name)
    connection.close()
