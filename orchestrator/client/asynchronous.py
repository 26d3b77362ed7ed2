"""AsyncIntentClient: the same verbs as IntentClient, awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from orchestrator.client.errors import NotConfirmedError
from orchestrator.client.message import command_message, intent_message, windows
from orchestrator.client.until import wanted
from orchestrator.client.ways import async_way
from orchestrator.identity import DEFAULT_MERCHANT, PaymentKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType


class AsyncIntentClient:
    """IntentClient for one event loop; each verb promises and raises what its namesake there does."""

    def __init__(self, url: str, *, namespace: str = "", events_url: str | None = None) -> None:
        """Connects at the first call; raises UnsupportedUrlError."""
        self._way = async_way(url, namespace=namespace)
        self._events = self._way if events_url in {None, url} else async_way(str(events_url), namespace=namespace)

    async def submit(self, intent: Mapping[str, object]) -> None:
        """Send one intent; it is confirmed when this returns."""
        await self._way.send([intent_message(intent)])

    async def submit_many(self, intents: Iterable[Mapping[str, object]]) -> int:
        """Send many, confirmed in windows; returns how many."""
        sent = 0
        for window in windows(map(intent_message, intents)):
            try:
                await self._way.send(window)
            except NotConfirmedError as error:
                error.confirmed += sent
                raise
            sent += len(window)
        return sent

    async def command(
        self,
        name: str,
        intent_id: str,
        *,
        command_id: str,
        merchant: str = DEFAULT_MERCHANT,
        **fields: object,
    ) -> None:
        """Send a command; idempotent by `command_id`."""
        message = command_message(name, intent_id, merchant=merchant, command_id=command_id, fields=fields)
        await self._way.send([message])

    async def listen(self, merchant: str = DEFAULT_MERCHANT) -> None:
        """On RabbitMQ, call it before `submit`, so that `wait` misses nothing; on Redis it does nothing."""
        await self._events.listen(merchant)

    async def wait(
        self,
        merchant: str,
        intent_id: str,
        until: str = "next_action",
        timeout: float = 30.0,  # noqa: ASYNC109  # the verb's name in the public interface
    ) -> dict[str, Any]:
        """The data of an event of this payment that meets `until`."""
        key = PaymentKey(merchant=merchant, intent_id=intent_id)
        return await self._events.wait(wanted(key, until, timeout))

    async def close(self) -> None:
        """Close the connections."""
        await self._way.close()
        await self._events.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
