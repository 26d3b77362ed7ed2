"""All calls of one tick of the loop go to Redis in one write; each gets its own answer or error."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, RedisError

from orchestrator.adapters.redis_connection import store_error
from orchestrator.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class RedisCalls:
    """Gathers calls into pipelines on a few connections; belongs to one event loop.

    A caller that is cancelled leaves its call to the pipeline, which always reads every reply, so no
    connection returns to the pool with a reply unread. What Redis did with the call is then unknown to the
    caller, as it is after StoreUnavailableError.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._waiting: list[_Call] = []
        self._flights: set[asyncio.Task[None]] = set()
        self._flush_is_scheduled = False
        self._closed = False

    async def command(self, *words: str | bytes | int) -> Any:
        """Send one command; raises StoreUnavailableError."""
        return await self._enqueue(words, by_source=None)

    async def script(self, script: Script, keys: Sequence[str], arguments: Words) -> Any:
        """Run a script by its hash, or its source where Redis forgot it; raises StoreUnavailableError."""
        tail = (len(keys), *keys, *arguments)
        return await self._enqueue(("EVALSHA", script.sha, *tail), by_source=("EVAL", script.source, *tail))

    async def close(self) -> None:
        """Let the calls under way end, refuse new ones, close the connections."""
        self._closed = True
        while self._waiting or self._flights:
            self._flush()
            await asyncio.wait(self._flights)
        await self._client.aclose()

    def _enqueue(self, words: Words, *, by_source: Words | None) -> asyncio.Future[Any]:
        if self._closed:
            message = "the connection to Redis is closed"
            raise StoreUnavailableError(message)
        loop = asyncio.get_running_loop()
        call = _Call(words=words, by_source=by_source, answer=loop.create_future())
        self._waiting.append(call)
        if not self._flush_is_scheduled:
            self._flush_is_scheduled = True
            loop.call_soon(self._flush)
        return call.answer

    def _flush(self) -> None:
        self._flush_is_scheduled = False
        while self._waiting and len(self._flights) < MOST_FLIGHTS:
            calls = self._waiting[:MOST_CALLS_A_FLIGHT]
            del self._waiting[:MOST_CALLS_A_FLIGHT]
            flight = asyncio.get_running_loop().create_task(self._fly(calls))
            self._flights.add(flight)
            flight.add_done_callback(self._land)

    def _land(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._flush()

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
