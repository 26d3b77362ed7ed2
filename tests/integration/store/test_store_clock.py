"""All workers go by Redis' time: a machine whose clock is wrong shortens no grace (I1) and delays no look (I6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.store_clock import ROUND_TRIP_MAX_S, StoreClock
from orchestrator.errors import StoreUnavailableError
from tests.support.fault_proxy import FaultProxy, Mode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOUR_MS = 3_600_000
CLOSE_MS = 2_000  # a busy machine may stand still between two readings; what is told apart is minutes


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Any]:
    client = connect(redis_url)
    yield client
    await client.aclose()


async def redis_ms(client: Any) -> int:
    seconds, microseconds = await client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


@pytest.mark.parametrize("wrong_by_ms", [-HOUR_MS, -300_000, 0, 300_000, HOUR_MS])
async def test_i1_a_machines_wrong_clock_counts_only_until_redis_was_heard(client, wrong_by_ms):
    clock = StoreClock(begins_at_ms=await redis_ms(client) + wrong_by_ms)
    assert clock.now_ms() - await redis_ms(client) == pytest.approx(wrong_by_ms, abs=CLOSE_MS)
    await clock.hear(client)
    assert clock.now_ms() == pytest.approx(await redis_ms(client), abs=CLOSE_MS)


async def test_an_answer_that_took_long_tells_no_time(client):
    clock = StoreClock(begins_at_ms=await redis_ms(client) + HOUR_MS)
    await client.execute_command("CLIENT", "PAUSE", int(ROUND_TRIP_MAX_S * 1000) + 200, "ALL")
    await clock.hear(client)
    assert clock.now_ms() - await redis_ms(client) == pytest.approx(HOUR_MS, abs=CLOSE_MS)


async def test_while_redis_is_away_the_time_that_was_heard_goes_on(client, proxy: FaultProxy):
    clock = StoreClock(begins_at_ms=0)
    await clock.hear(client)
    proxy.mode = Mode.REFUSE
    away = connect(f"redis://127.0.0.1:{proxy.port}/0")
    with pytest.raises(StoreUnavailableError):
        await clock.hear(away)
    assert clock.now_ms() == pytest.approx(await redis_ms(client), abs=CLOSE_MS)
    await away.aclose()


async def test_waits_are_measured_on_a_clock_that_nobody_sets():
    clock = StoreClock(begins_at_ms=0)
    began_s = clock.monotonic_s()
    await clock.sleep(0.01)
    assert clock.monotonic_s() - began_s >= 0.01
