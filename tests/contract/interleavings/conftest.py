from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.policy import Policy
from tests.contract.interleavings.grounds import RealGround, TwinGround
from tests.contract.interleavings.stage import SHORT_LEASE_MS, Stage, Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.interleavings.grounds import Ground


@pytest.fixture
def policy() -> Policy:
    """The engine's numbers; a module may have others."""
    return Policy()


@pytest.fixture(params=["twin", "server"])
async def stage(request: pytest.FixtureRequest, policy: Policy) -> AsyncIterator[Stage]:
    """The engine on the twin, then on a real server."""
    ground: Ground = TwinGround()
    if request.param == "server":
        ground = real = RealGround(request.getfixturevalue("valkey_server"), request.getfixturevalue("redis_url"))
        await real.load_scripts()
    stage = Stage(ground, policy)
    yield stage
    await stage.close()


@pytest.fixture
async def w1(stage: Stage) -> Worker:
    return await stage.worker("w1")


@pytest.fixture
async def w2(stage: Stage) -> Worker:
    return await stage.worker("w2")


@pytest.fixture
async def brief(stage: Stage) -> Worker:
    """A worker whose leases are short: it loses what it has in hand when it stands still."""
    return await stage.worker("brief", lease_ms=SHORT_LEASE_MS)


@pytest.fixture
async def web(stage: Stage) -> Worker:
    """Who takes the webhooks in."""
    return await stage.worker("web")
