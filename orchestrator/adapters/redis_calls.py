"""All calls of one tick of the loop go to Redis in one write; each gets its own answer or error."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, RedisError

from orchestrator.adapters.redis_connection import store_error, unavailable
from orchestrator.adapters.redis_nodes import lane_of, nodes_of
from orchestrator.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from redis.asyncio import Redis

    from orchestrator.adapters.redis_scripts import Script

    Words = Sequence[str | bytes | int]

MOST_FLIGHTS = 16
MOST_CALLS_A_FLIGHT = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    words: Words  # what is sent first
    by_source: Words | None  # what is sent where Redis does not know the script
    answer: asyncio.Future[Any]


class _Lane:
    """What waits for one server, and what is on its way there."""

    def __init__(self) -> None:
        self.waiting: list[_Call] = []
        self.flights: set[asyncio.Task[None]] = set()


class RedisCalls:
    """Gathers calls into pipelines on a few connections of each server; belongs to one event loop.

    A caller that is cancelled leaves its call to the pipeline, which always reads every reply, so no
    connection returns to the pool with a reply unread. What Redis did with the call is then unknown to the
    caller, as it is after StoreUnavailableError.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._lanes: defaultdict[str, _Lane] = defaultdict(_Lane)
        self._flush_is_scheduled = False
        self._closed = False

    async def command(self, *words: str | bytes | int) -> Any:
        """Send one command; raises StoreUnavailableError."""
        return await self._enqueue(words, by_source=None)

    async def script(self, script: Script, keys: Sequence[str], arguments: Words) -> Any:
        """Run a script by its hash, or its source where Redis forgot it; raises StoreUnavailableError."""
        tail = (len(keys), *keys, *arguments)
        return await self._enqueue(("EVALSHA", script.sha, *tail), by_source=("EVAL", script.source, *tail))

    async def of_each(self, *words: str | int) -> Mapping[str, Any]:
        """The answer of each server, by its name; raises StoreUnavailableError."""
        self._refuse_where_closed()
        try:
            return {name: await node.execute_command(*words) for name, node in (await nodes_of(self._client)).items()}
        except (RedisError, OSError) as error:
            raise unavailable(error) from error

    def server_of(self, name: str) -> str:
        """Which server holds this key, as far as is known."""
        return lane_of(self._client, ("GET", name))

    async def names(self, pattern: str, *, count: int, kind: str | None = None) -> AsyncIterator[list[bytes]]:
        """The names that fit, of each server page by page, once or more; raises StoreUnavailableError."""
        self._refuse_where_closed()
        of_kind = () if kind is None else ("TYPE", kind)
        try:
            for node in (await nodes_of(self._client)).values():
                cursor = None
                while cursor != 0:
                    words = ("SCAN", cursor or 0, "MATCH", pattern, "COUNT", count, *of_kind)
                    cursor, names = await node.execute_command(*words)
                    yield names
        except (RedisError, OSError) as error:
            raise unavailable(error) from error

    async def close(self) -> None:
        """Let the calls under way end, refuse new ones, close the connections."""
        self._closed = True
        self._flush()
        while flights := [flight for lane in self._lanes.values() for flight in lane.flights]:
            await asyncio.wait(flights)
        await self._client.aclose()

    def _enqueue(self, words: Words, *, by_source: Words | None) -> asyncio.Future[Any]:
        self._refuse_where_closed()
        loop = asyncio.get_running_loop()
        call = _Call(words=words, by_source=by_source, answer=loop.create_future())
        self._lanes[lane_of(self._client, words)].waiting.append(call)
        if not self._flush_is_scheduled:
            self._flush_is_scheduled = True
            loop.call_soon(self._flush)
        return call.answer

    def _refuse_where_closed(self) -> None:
        if self._closed:
            message = "the connection to Redis is closed"
            raise StoreUnavailableError(message)

    def _flush(self) -> None:
        self._flush_is_scheduled = False
        for lane in self._lanes.values():
            self._depart(lane)

    def _depart(self, lane: _Lane) -> None:
        while lane.waiting and len(lane.flights) < MOST_FLIGHTS:
            calls = lane.waiting[:MOST_CALLS_A_FLIGHT]
            del lane.waiting[:MOST_CALLS_A_FLIGHT]
            flight = asyncio.get_running_loop().create_task(self._fly(calls))
            lane.flights.add(flight)
            flight.add_done_callback(partial(self._land, lane))

    def _land(self, lane: _Lane, flight: asyncio.Task[None]) -> None:
        lane.flights.discard(flight)
        self._depart(lane)

    async def _fly(self, calls: Sequence[_Call]) -> None:
        try:
            answers = await self._send([call.words for call in calls])
            _settle(calls, answers)
            forgotten = [call for call in calls if not call.answer.done()]
            if forgotten:
                _settle(
                    forgotten,
                    await self._send([call.by_source or call.words for call in forgotten]),
                    last=True,
                )
        finally:
            lost = StoreUnavailableError("the call was abandoned")
            for call in calls:
                if not call.answer.done():
                    call.answer.set_exception(lost)

    async def _send(self, commands: Sequence[Words]) -> Sequence[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for words in commands:
            pipeline.execute_command(*words)
        try:
            return await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            return [error] * len(commands)


def _settle(calls: Sequence[_Call], answers: Sequence[Any], *, last: bool = False) -> None:
    """Hand out the answers; a script that Redis does not know stays open unless this try was the last."""
    for call, answer in zip(calls, answers, strict=True):
        if call.answer.done() or (isinstance(answer, NoScriptError) and call.by_source and not last):
            continue
        if isinstance(answer, Exception):
            call.answer.set_exception(store_error(answer))
        else:
            call.answer.set_result(answer)
