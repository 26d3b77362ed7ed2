"""What a killed server keeps, by its settings: the cells of the promise table that a single machine can show."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_durability import inspect_durability
from orchestrator.adapters.redis_store import RedisStore
from orchestrator.errors import StoreUnavailableError
from orchestrator.identity import PaymentKey
from tests.support.servers import ValkeyServer

LATER_MS = 4_000_000_000_000
SETTINGS = {
    "always": (("--appendfsync", "always"), "AOF always"),
    "everysec": (("--appendfsync", "everysec"), "AOF everysec"),
    "none": (("--appendonly", "no"), "no AOF"),
}


@pytest.fixture
def server_with(tmp_path):
    servers = []

    def start(setting):
        server = ValkeyServer(tmp_path / setting)
        servers.append(server)
        server.start(*SETTINGS[setting][0])
        return server

    yield start
    for server in servers:
        server.kill()


async def confirmed(server):
    """Accepts that Redis answered before it was killed in the midst of them."""
    store = RedisStore(connect(server.url), shards=4)
    keys = []

    async def accept_until_it_ends(name):
        with contextlib.suppress(StoreUnavailableError):
            for number in range(100_000):
                key = PaymentKey(merchant="default", intent_id=f"{name}-{number}")
                await store.accept(key, op=str(key), fingerprint="f", body=b"b", event=b"e", due_at_ms=LATER_MS)
                keys.append(key)

    accepting = asyncio.gather(*(accept_until_it_ends(name) for name in "abcdefgh"))
    while len(keys) < 500:
        await asyncio.sleep(0.001)
    server.kill()
    await accepting
    await store.close()
    return keys


async def kept(server, keys):
    store = RedisStore(connect(server.url), shards=4)
    records = await asyncio.gather(*(store.load(key) for key in keys))
    await store.close()
    return sum(record is not None for record in records)


@pytest.mark.parametrize("setting", ["always", "everysec"])
async def test_i2_a_killed_server_keeps_all_that_it_had_confirmed(server_with, setting):
    server = server_with(setting)
    keys = await confirmed(server)

    server.start(*SETTINGS[setting][0])

    assert await kept(server, keys) == len(keys)


async def test_without_a_file_a_killed_server_keeps_nothing(server_with):
    server = server_with("none")
    keys = await confirmed(server)

    server.start(*SETTINGS["none"][0])

    assert await kept(server, keys) == 0


@pytest.mark.parametrize("setting", SETTINGS)
async def test_the_row_that_holds_is_known(server_with, setting):
    server = server_with(setting)

    async with connect(server.url) as client:
        assert (await inspect_durability(client)).row.startswith(SETTINGS[setting][1])
