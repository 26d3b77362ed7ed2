from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_store import RedisStore
from orchestrator.identity import PaymentKey
from tests.support.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.servers import ValkeyServer


@pytest.fixture
def key() -> PaymentKey:
    return PaymentKey(merchant="default", intent_id="ord-1")


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    """The store beside the faults: what it reads is what is stored."""
    store = RedisStore(connect(redis_url), shards=1)
    yield store
    await store.close()


@pytest.fixture
async def proxy(valkey_server: ValkeyServer, redis_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(valkey_server.port) as proxy:
        yield proxy


@pytest.fixture
async def faulty_store(proxy: FaultProxy) -> AsyncIterator[RedisStore]:
    """The store through the proxy, impatient."""
    store = RedisStore(connect(f"redis://127.0.0.1:{proxy.port}/0?socket_timeout=2"), shards=1)
    yield store
    await store.close()
