"""The queue of intents: a stream with a consumer group, as the intake's Redis client sees it; at least once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from redis.exceptions import ConnectionError as RedisConnectionError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from tests.simulator.loop import Life
    from tests.simulator.world import World


@dataclass(kw_only=True, slots=True)
class Delivered:
    """An entry that a consumer has read and not acknowledged."""

    consumer: str
    at_s: float
    times: int = 1


class Stream:
    """`payments.intents`."""

    def __init__(self, world: World) -> None:
        self.entries: dict[bytes, dict[bytes, bytes]] = {}
        self.unread: list[bytes] = []
        self.pending: dict[bytes, Delivered] = {}
        self.acknowledged: list[dict[bytes, bytes]] = []
        self._world = world
        self._count = 0
        self._waiting: list[asyncio.Future[None]] = []

    def add(self, fields: dict[bytes, bytes]) -> None:
        """Append an entry."""
        self._count += 1
        entry_id = f"{self._count}-0".encode()
        self.entries[entry_id] = fields
        self.unread.append(entry_id)
        self.wake()

    def wake(self) -> None:
        """Whoever waits for entries looks again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def wait(self) -> asyncio.Future[None]:
        """Done at the next entry."""
        future: asyncio.Future[None] = self._world.loop.create_future()
        self._waiting.append(future)
        return future

    def next_rescue_s(self) -> float:
        """When there can be something to take over from a dead consumer."""
        return min((delivered.at_s for delivered in self.pending.values()), default=math.inf)


class StreamClient:
    """A process's client of the stream: the commands which the intake uses."""

    def __init__(self, world: World, life: Life, stream: Stream) -> None:
        self._world = world
        self._life = life
        self._stream = stream
        self._is_stopping = False

    def stop_waiting(self) -> None:
        """A blocking read ends without entries."""
        self._is_stopping = True
        self._stream.wake()

    async def xgroup_create(self, *_: Any, **__: Any) -> None:
        await self._ask("xgroup_create", lambda: None)

    async def xreadgroup(self, _: str, consumer: str, __: Any, *, count: int, block: int) -> Any:
        """New entries for this consumer; waits for the first."""
        del block  # the wait of a second after a second for nothing
        while not self._stream.unread and not self._is_stopping:
            await self._stream.wait()
        return await self._ask("xreadgroup", lambda: self._read(consumer, count))

    async def xautoclaim(self, _: str, __: str, consumer: str, min_idle_ms: int, *, count: int) -> Any:
        """Entries that others read so long ago and did not acknowledge."""
        return await self._ask("xautoclaim", lambda: self._claimed(consumer, min_idle_ms / 1000, count))

    async def xpending_range(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        pending = self._stream.pending
        rows = [{"message_id": entry_id, "times_delivered": delivered.times} for entry_id, delivered in pending.items()]
        answer: list[dict[str, Any]] = await self._ask("xpending", lambda: rows)
        return answer

    async def xinfo_consumers(self, *_: Any) -> list[dict[str, Any]]:
        return []

    def pipeline(self, **_: Any) -> Transaction:
        """What is acknowledged and deleted at once."""
        return Transaction(self)

    async def acknowledge(self, entry_ids: list[bytes]) -> None:
        await self._ask("xack", lambda: self._acknowledged(entry_ids))

    async def _ask(self, name: str, execute: Callable[[], Any]) -> Any:
        world, loop = self._world, self._world.loop
        answer = loop.create_future()
        if self._life.is_dead or world.strikes(self._life, name):
            return await answer  # never
        if world.store_is_away or world.weather.brings("store call lost"):
            loop.after(world.dice.skewed(0.001, 1.0), _fail, answer)
        else:
            loop.after(world.dice.skewed(0.0002, 0.002), self._arrive, name, execute, answer)
        return await answer

    def _arrive(self, name: str, execute: Callable[[], Any], answer: Any) -> None:
        world = self._world
        value = execute()
        world.story.tell(f"{self._life.name}: {name}")
        world.stir("rescue")
        if world.weather.brings("store answer lost"):
            _fail(answer)
        elif not answer.done():
            answer.set_result(value)

    def _read(self, consumer: str, count: int) -> Any:
        stream, now_s = self._stream, self._world.loop.time()
        taken, stream.unread = stream.unread[:count], stream.unread[count:]
        for entry_id in taken:
            stream.pending[entry_id] = Delivered(consumer=consumer, at_s=now_s)
        return [(b"stream", [(entry_id, stream.entries[entry_id]) for entry_id in taken])] if taken else None

    def _claimed(self, consumer: str, min_idle_s: float, count: int) -> Any:
        stream, now_s = self._stream, self._world.loop.time()
        old = [entry_id for entry_id, held in stream.pending.items() if now_s - held.at_s >= min_idle_s][:count]
        for entry_id in old:
            held = stream.pending[entry_id]
            held.consumer, held.at_s, held.times = consumer, now_s, held.times + 1
        return b"0-0", [(entry_id, stream.entries[entry_id]) for entry_id in old], []

    def _acknowledged(self, entry_ids: list[bytes]) -> None:
        stream = self._stream
        for entry_id in entry_ids:
            if stream.pending.pop(entry_id, None) is not None:
                stream.acknowledged.append(stream.entries.pop(entry_id))
                self._world.truth.acknowledged(stream.acknowledged[-1])


class Transaction:
    """XACK and XDEL in one."""

    def __init__(self, client: StreamClient) -> None:
        self._client = client
        self._entry_ids: list[bytes] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def xack(self, _: str, __: str, *entry_ids: bytes) -> None:
        self._entry_ids = list(entry_ids)

    def xdel(self, *_: Any) -> None:
        return None

    async def execute(self) -> None:
        await self._client.acknowledge(self._entry_ids)


def _fail(answer: Any) -> None:
    if not answer.done():
        answer.set_exception(RedisConnectionError("away"))
        answer.exception()  # who asked may be gone; asyncio need not tell of it
