"""The way in over Redis: XADD to a stream which nothing trims, and the event log for who waits."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from orchestrator.client.errors import ClientError, NotConfirmedError
from orchestrator.client.event_search import Search, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.client.message import Message
    from orchestrator.client.until import Wanted

STREAM = "payments.intents"
SOCKET_TIMEOUT_S = 5.0
TRIES = 3  # a message that arrives twice is one intent
RECONNECT_S = 0.2
_BACKOFF = ExponentialBackoff(cap=0.5, base=0.05)
_OPTIONS: dict[str, Any] = {
    "protocol": 2,
    "socket_timeout": SOCKET_TIMEOUT_S,
    "socket_connect_timeout": SOCKET_TIMEOUT_S,
    "socket_keepalive": True,
}
_LOST = (redis.ConnectionError, redis.TimeoutError, OSError)


class RedisWay:
    """Blocking; may be shared by threads."""

    def __init__(self, url: str, *, namespace: str) -> None:
        self._namespace = namespace
        self._client: Any = redis.Redis.from_url(url, retry=Retry(_BACKOFF, TRIES), **_OPTIONS)

    def send(self, messages: Sequence[Message]) -> None:
        """Append all; raises NotConfirmedError."""
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                _append(pipeline, self._namespace, messages)
                answers = pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise _not_confirmed(error) from error
        _check(answers)

    def listen(self, merchant: str) -> None:
        """Nothing to do: the event log keeps what came before."""

    def wait(self, wanted: Wanted) -> dict[str, Any]:
        """The data of the event that was waited for; raises TimeoutError, ClientError."""
        steps: Search = search(wanted, namespace=self._namespace)
        answer = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return dict(end.value)
            answer = None
            if isinstance(step, float):
                time.sleep(step)
            else:
                answer = self._ask(step, wanted)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, words: Sequence[str | int], wanted: Wanted) -> Any:
        while True:
            try:
                return self._client.execute_command(*words)
            except AuthenticationError as error:
                raise _refused(error) from error
            except _LOST:
                time.sleep(min(RECONNECT_S, wanted.left_s()))
            except RedisError as error:
                raise _refused(error) from error


class AsyncRedisWay:
    """The same for one event loop."""

    def __init__(self, url: str, *, namespace: str) -> None:
        self._namespace = namespace
        self._client: Any = redis.asyncio.Redis.from_url(url, retry=AsyncRetry(_BACKOFF, TRIES), **_OPTIONS)

    async def send(self, messages: Sequence[Message]) -> None:
        """Append all; raises NotConfirmedError."""
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                _append(pipeline, self._namespace, messages)
                answers = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise _not_confirmed(error) from error
        _check(answers)

    async def listen(self, merchant: str) -> None:
        """Nothing to do: the event log keeps what came before."""

    async def wait(self, wanted: Wanted) -> dict[str, Any]:
        """The data of the event that was waited for; raises TimeoutError, ClientError."""
        steps: Search = search(wanted, namespace=self._namespace)
        answer = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return dict(end.value)
            answer = None
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                answer = await self._ask(step, wanted)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, words: Sequence[str | int], wanted: Wanted) -> Any:
        while True:
            try:
                return await self._client.execute_command(*words)
            except AuthenticationError as error:
                raise _refused(error) from error
            except _LOST:
                await asyncio.sleep(min(RECONNECT_S, wanted.left_s()))
            except RedisError as error:
                raise _refused(error) from error


def _append(pipeline: Any, namespace: str, messages: Sequence[Message]) -> None:
    for message in messages:
        pipeline.execute_command("XADD", f"{namespace}{STREAM}", "*", message.kind, message.body)


def _check(answers: Sequence[Any]) -> None:
    for confirmed, answer in enumerate(answers):
        if isinstance(answer, Exception):
            raise _not_confirmed(answer, confirmed=confirmed) from answer


def _not_confirmed(error: Exception, *, confirmed: int = 0) -> NotConfirmedError:
    return NotConfirmedError(f"Redis did not confirm ({type(error).__name__})", confirmed=confirmed)


def _refused(error: Exception) -> ClientError:
    return ClientError(f"Redis refused to be read ({type(error).__name__})")
