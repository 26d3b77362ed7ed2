"""The two stores that the engine runs on, each with its time and with its way of losing an answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from orchestrator.adapters import redis_scripts
from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_store import RedisStore
from orchestrator.adapters.system_clock import SystemClock
from orchestrator.errors import StoreUnavailableError
from orchestrator.identity import PaymentKey
from tests.contract.store.worlds import MemoryWorld, RedisWorld
from tests.support.fault_proxy import FaultProxy, Mode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.ports import Clock, PaymentStore
    from tests.contract.store.worlds import World
    from tests.support.servers import ValkeyServer

AnswerT = TypeVar("AnswerT")
LOST = "lost"  # the script ran, its answer never came
AWAY = "away"  # nothing arrived at the store
WARMING = PaymentKey(merchant="default", intent_id="nobody-s")


class Wire(Protocol):
    """One worker's connection to the store."""

    @property
    def store(self) -> PaymentStore: ...
    async def disturbed(self, fault: str, ask: Callable[[], Awaitable[AnswerT]]) -> AnswerT: ...


class Ground(Protocol):
    """A store, and the time by which the engine and the store live."""

    @property
    def world(self) -> World: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ahead_ms(self) -> int: ...
    async def wire(self) -> Wire: ...
    async def pass_ms(self, ms: int) -> None: ...
    async def tick(self, ms: int) -> None: ...
    async def close(self) -> None: ...


class TwinGround:
    """The twin on a clock that stands still unless told."""

    ahead_ms = 0

    def __init__(self) -> None:
        self.world = MemoryWorld()
        self.clock = self.world.clock
        self.store = self.world.store

    async def wire(self) -> Wire:
        return self

    async def disturbed(self, fault: str, ask: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        if fault == LOST:
            await ask()
        raise StoreUnavailableError(fault)

    async def pass_ms(self, ms: int) -> None:
        self.clock.advance(ms)

    async def tick(self, ms: int) -> None:
        """A lease of so many milliseconds is waited for: here it is over at once."""
        self.clock.advance(ms)

    async def close(self) -> None:
        await self.world.close()


class AheadClock(SystemClock):
    """Real time, put forward by the time that was passed over."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_ms / 1000


class RealGround:
    """A real server, whose time is real. Hours are passed over: our clock is put forward, what is stored put back."""

    def __init__(self, server: ValkeyServer, url: str) -> None:
        self.world = RedisWorld(url)
        self.clock = AheadClock()
        self._server = server
        self._url = url
        self._wires: list[ProxiedWire] = []

    @property
    def ahead_ms(self) -> int:
        return self.clock.ahead_ms

    async def wire(self) -> Wire:
        wire = ProxiedWire(await FaultProxy(self._server.port).__aenter__())
        self._wires.append(wire)
        return wire

    async def load_scripts(self) -> None:
        """A script that the server does not know is sent twice; the answer that is lost shall be the script's."""
        client: Any = connect(self._url)
        async with client:
            for script in vars(redis_scripts).values():
                if isinstance(script, redis_scripts.Script):
                    assert await client.script_load(script.source) == script.sha

    async def pass_ms(self, ms: int) -> None:
        await self.world.advance(ms)
        self.clock.ahead_ms += ms

    async def tick(self, ms: int) -> None:
        """Real time passes."""
        until_s = time.monotonic() + ms / 1000
        while (left_s := until_s - time.monotonic()) > 0:
            await self.clock.sleep(min(left_s, 0.01))

    async def close(self) -> None:
        for wire in self._wires:
            await wire.close()
        await self.world.close()


class ProxiedWire:
    """A store of its own through a proxy that cuts the connection before or behind a call."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.store = RedisStore(connect(f"redis://127.0.0.1:{proxy.port}/0"), shards=1)

    async def disturbed(self, fault: str, ask: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        # A new connection would greet the server first, and lose the answer to that.
        await self.store.find_fingerprint(WARMING)
        lost_before = self.proxy.replies_lost
        self.proxy.mode = Mode.CUT_REPLY if fault == LOST else Mode.REFUSE
        try:
            answer = await ask()
        finally:
            self.proxy.mode = Mode.PASS
            assert (self.proxy.replies_lost > lost_before) == (fault == LOST)
        return answer

    async def close(self) -> None:
        await self.store.close()
        await self.proxy.__aexit__(None, None, None)
