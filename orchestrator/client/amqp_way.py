"""The way in over RabbitMQ: persistent, mandatory, and not done before the broker confirmed."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

from orchestrator.client.amqp_connection import LOST, connect, disconnect, is_absent
from orchestrator.client.amqp_listener import AmqpListener
from orchestrator.client.errors import NotConfirmedError, NotSetUpError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.client.message import Message
    from orchestrator.client.until import Wanted

CONFIRM_TIMEOUT_S = 10.0
NOT_SET_UP = "the broker has no queue for intents, so nothing was taken: run `payorch setup`"


class AmqpWay:
    """Blocking; threads take turns."""

    def __init__(self, url: str, *, namespace: str) -> None:
        self._url = url
        self._exchange = f"{namespace}payments"
        self._lock = threading.Lock()
        self._connection: Any = None
        self._window: _Window | None = None
        self._listener = AmqpListener(url, namespace=namespace)

    def send(self, messages: Sequence[Message]) -> None:
        """Publish and wait for all confirms; raises NotConfirmedError, NotSetUpError.

        A connection that was lost while it rested is opened once anew.
        """
        with self._lock:
            is_old = self._connection is not None
            try:
                self._publish(messages)
            except NotConfirmedError:
                is_lost = self._connection is None
                if not (is_old and is_lost):
                    raise
                self._publish(messages)

    def listen(self, merchant: str) -> None:
        """From here on the events of this merchant are kept for `wait`; raises ClientError."""
        self._listener.listen(merchant)

    def wait(self, wanted: Wanted) -> dict[str, Any]:
        """The data of the event that was waited for; raises TimeoutError, ClientError."""
        self._listener.listen(wanted.key.merchant)
        while (found := self._listener.find(wanted)) is None:
            self._listener.receive(wanted.left_s())
        return found

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._drop(is_lost=False)
        self._listener.close()

    def _publish(self, messages: Sequence[Message]) -> None:
        window = None
        try:
            window = self._open()
            window.publish(messages)
        except LOST as error:
            self._drop(is_lost=True)
            if is_absent(error):
                raise NotSetUpError(NOT_SET_UP) from error
            confirmed = window.confirmed if window else 0
            raise NotConfirmedError(
                f"the broker did not confirm ({type(error).__name__})", confirmed=confirmed
            ) from error
        if window.returned:
            raise NotSetUpError(NOT_SET_UP)
        if window.refused:
            text = f"the broker refused {window.refused} of {len(messages)} messages; is its queue full?"
            raise NotConfirmedError(text, confirmed=window.confirmed)

    def _open(self) -> _Window:
        if self._window is None:
            self._connection = connect(self._url)
            self._window = _Window(self._connection, self._exchange)
        return self._window

    def _drop(self, *, is_lost: bool) -> None:
        connection, self._connection, self._window = self._connection, None, None
        if connection is not None:
            disconnect(connection, is_lost=is_lost)


class AsyncAmqpWay:
    """The same for one event loop; the blocking calls run in threads, one receives for all who wait."""

    def __init__(self, url: str, *, namespace: str) -> None:
        self._way = AmqpWay(url, namespace=namespace)
        self._listener = AmqpListener(url, namespace=namespace)
        self._receiving: asyncio.Task[None] | None = None

    async def send(self, messages: Sequence[Message]) -> None:
        """Publish and wait for all confirms; raises NotConfirmedError, NotSetUpError."""
        await asyncio.to_thread(self._way.send, messages)

    async def listen(self, merchant: str) -> None:
        """From here on the events of this merchant are kept for `wait`; raises ClientError."""
        await asyncio.to_thread(self._listener.listen, merchant)

    async def wait(self, wanted: Wanted) -> dict[str, Any]:
        """The data of the event that was waited for; raises TimeoutError, ClientError."""
        await self.listen(wanted.key.merchant)
        while (found := self._listener.find(wanted)) is None:
            wanted.left_s()
            if self._receiving is None or self._receiving.done():
                receive = asyncio.to_thread(self._listener.receive, 1.0)
                self._receiving = asyncio.create_task(receive)
            # Shielded: one who gives up does not end it for the others.
            await asyncio.wait({self._receiving}, timeout=wanted.left_s())
        return found

    async def close(self) -> None:
        """Close the connections."""
        if self._receiving is not None:
            await asyncio.wait({self._receiving})
        await asyncio.to_thread(self._listener.close)
        await asyncio.to_thread(self._way.close)


class _Window:
    """A channel in confirm mode and what became of the messages that were published on it last."""

    def __init__(self, connection: Any, exchange: str) -> None:
        self._connection = connection
        self._exchange = exchange
        self._published = 0  # on this channel: the number by which the broker names a message
        self._waiting: set[int] = set()
        self.confirmed = self.refused = self.returned = 0
        self._channel = connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)

    def publish(self, messages: Sequence[Message]) -> None:
        """Returns when each message was answered; raises LOST."""
        self.confirmed = self.refused = self.returned = 0
        deadline_s = time.monotonic() + CONFIRM_TIMEOUT_S
        for message in messages:
            self._published += 1
            self._waiting.add(self._published)
            self._channel.basic_publish(
                self._channel.prepare_message(
                    message.body, content_type="application/json", properties={"delivery_mode": 2}
                ),
                exchange=self._exchange,
                routing_key=message.routing_key,
                mandatory=True,
                timeout=CONFIRM_TIMEOUT_S,
            )
        while self._waiting:
            self._connection.drain_events(timeout=max(0.001, deadline_s - time.monotonic()))

    def _on_ack(self, delivery_tag: int, multiple: bool) -> None:  # noqa: FBT001  (py-amqp's signature)
        self.confirmed += self._settle(delivery_tag, multiple=multiple)

    def _on_nack(self, delivery_tag: int, multiple: bool) -> None:  # noqa: FBT001
        self.refused += self._settle(delivery_tag, multiple=multiple)

    def _on_return(self, *_: object) -> None:
        # The broker acknowledges it as well, after this.
        self.returned += 1

    def _settle(self, delivery_tag: int, *, multiple: bool) -> int:
        tags = {tag for tag in self._waiting if tag <= delivery_tag} if multiple else {delivery_tag}
        settled = self._waiting & tags
        self._waiting -= settled
        return len(settled)
