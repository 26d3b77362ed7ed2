from __future__ import annotations

import pytest
from redis.crc import key_slot

from orchestrator.adapters.cluster_map import HOME_SLOT, ClusterUrlError, parse, read_map, slot_of
from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.identity import PaymentKey


def test_an_address_names_nodes_and_login():
    address = parse("redis+cluster://bob:p%40ss@one:6380,two,[::1]:6381")

    assert address.seeds == (("one", 6380), ("two", 6379), ("::1", 6381))
    assert address.login == {"username": "bob", "password": "p@ss"}
    assert parse("redis+cluster://one/0").login == {"username": None, "password": None}


@pytest.mark.parametrize("rest", ["one:6379/1", "one:port", ":6379", "", "one/service/0"])
def test_what_cannot_be_asked_is_refused_without_repeating_it(rest):
    with pytest.raises(ClusterUrlError) as refused:
        parse(f"redis+cluster://:hunter2@{rest}")
    assert "hunter2" not in str(refused.value)


def test_each_slot_has_the_master_that_was_told():
    replica = [b"10.0.0.9", 6379, b"id", []]
    told = [[0, 5, [b"10.0.0.1", 6379, b"id"], replica], [7, 9, [b"", 6380, b"id", []]], [10, 10, [None, 6381, b"id"]]]
    read = read_map(told, asked="seed")

    assert [read.by_slot.get(slot) for slot in (0, 5, 6, 9, 10)] == [
        ("10.0.0.1", 6379),
        ("10.0.0.1", 6379),
        None,
        ("seed", 6380),
        ("seed", 6381),
    ]
    assert read.masters == (("10.0.0.1", 6379), ("seed", 6380), ("seed", 6381))


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("GET", "a"), b"a"),
        (("XINFO STREAM", b"a"), b"a"),
        (("EVALSHA", "sha", 2, "{s07}:a", "{s07}:b", "x"), b"s07"),
        (("EVAL", "return 1", "1", b"a"), b"a"),
        (("XREAD", "COUNT", 5, "STREAMS", "a", "0-0"), b"a"),
    ],
)
def test_a_command_goes_where_its_first_key_is(words, key):
    assert slot_of(words) == key_slot(key)


@pytest.mark.parametrize("words", [("TIME",), ("INFO", "memory"), ("CONFIG GET", "save"), ("EVAL", "return 1", 0)])
def test_what_names_no_key_goes_to_one_place(words):
    assert slot_of(words) == HOME_SLOT


def test_everything_of_a_payment_is_in_one_slot():
    keys, key = RedisKeys(namespace="shop."), PaymentKey(merchant="default", intent_id="{ord}-1")
    shard = keys.shard(key)
    names = (*keys.payment(key), *keys.tail(shard), keys.suspects(shard), keys.probe(shard), keys.unclaimed(shard))
    assert len({key_slot(name.encode()) for name in names}) == 1
    assert len({key_slot(name.encode()) for name in keys.limit("shop-b:EUR")}) == 1
    refusals = (keys.dead_letters, keys.refusals_seen, keys.refusal_events)
    assert len({key_slot(name.encode()) for name in refusals}) == 1
