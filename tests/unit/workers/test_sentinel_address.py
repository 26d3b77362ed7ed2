from __future__ import annotations

import pytest

from orchestrator.adapters.redis_sentinel import SentinelUrlError, parse


def test_an_address_names_sentinels_service_login_and_database():
    address = parse("redis+sentinel://bob:p%40ss@one:26380,two,[::1]:26381/main/3")

    assert address.sentinels == (("one", 26380), ("two", 26379), ("::1", 26381))
    assert address.service == "main"
    assert address.login == {"db": 3, "username": "bob", "password": "p@ss"}


def test_login_and_database_may_be_left_out():
    assert parse("redis+sentinel://one/main").login == {"db": 0, "username": None, "password": None}


@pytest.mark.parametrize("rest", ["one:26379", "one:port/main", ":26379/main", "one/main/zero", "/main"])
def test_what_cannot_be_asked_is_refused_without_repeating_it(rest):
    with pytest.raises(SentinelUrlError) as refused:
        parse(f"redis+sentinel://:hunter2@{rest}")
    assert "hunter2" not in str(refused.value)
