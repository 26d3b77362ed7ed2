import asyncio

import pytest
import redis

from tests.support.servers import ValkeyServer, bundled_binary


def test_redis_url_is_an_empty_database_each_time(redis_url, valkey_server):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")
    valkey_server.flush()
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_server_writes_each_command_and_evicts_nothing(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.config_get("appendfsync")["appendfsync"] == "always"
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_killed_server_has_its_data_after_restart(own_valkey):
    with redis.Redis.from_url(own_valkey.url) as client:
        client.set("kept", "yes")
    own_valkey.restart()
    with redis.Redis.from_url(own_valkey.url) as client:
        assert client.get("kept") == b"yes"


def test_bundled_server_starts(tmp_path):
    server = ValkeyServer(tmp_path, binary=bundled_binary())
    server.start()
    assert server.answers()
    server.stop()
    assert not server.answers()


def test_paused_server_does_not_answer_and_then_does(own_valkey):
    own_valkey.pause()
    assert not own_valkey.answers()
    own_valkey.resume()
    assert own_valkey.answers()


def test_server_that_cannot_start_shows_its_log(tmp_path):
    with pytest.raises(RuntimeError, match="did not start"):
        ValkeyServer(tmp_path).start("--no-such-option", "1")


async def test_async_tests_need_no_marker():
    assert asyncio.get_running_loop().is_running()
