from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import httpx
import pytest
from aiohttp import web

from sandbox.app import create_app
from sandbox.clock import Clock
from sandbox.server import make_server
from sandbox.settings import SandboxSettings
from tests.sandbox.builders import CREDENTIALS
from tests.sandbox.desk import Desk
from tests.sandbox.receiver import Receiver
from tests.support.servers import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def settings() -> SandboxSettings:
    return SandboxSettings(credentials=CREDENTIALS, speed=0)


@pytest.fixture
async def desk(settings) -> AsyncIterator[Desk]:
    """The sandbox in memory; its clock stands still and moves only when it is pushed."""
    app = create_app(settings, clock=Clock(speed=0))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox.test")
    async with app.router.lifespan_context(app), client:
        yield Desk(client=client)


@pytest.fixture
async def live(settings) -> AsyncIterator[Desk]:
    """The sandbox behind a real socket."""
    port = free_port()
    server = make_server(create_app(settings), host="127.0.0.1", port=port)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
        yield Desk(client=client)
    server.should_exit = True
    with contextlib.suppress(asyncio.CancelledError):
        await serving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver, port = Receiver(), free_port()
    receiver.url = f"http://127.0.0.1:{port}/webhooks/order"
    app = web.Application()
    app.router.add_post("/webhooks/order", receiver.accept)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield receiver
    await runner.cleanup()
