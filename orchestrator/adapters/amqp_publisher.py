"""Publishes windows of events to RabbitMQ and waits for the confirms of a whole window at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import amqp

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import BROKER_ERRORS, close_quietly, open_connection
from orchestrator.adapters.publisher import QueueMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orchestrator.ports import PublishedEvent

CONTENT_TYPE = "application/cloudevents+json"


class AmqpPublisher:
    """EventPublisher over its own RabbitMQ connection in confirm mode.

    kombu's `confirm_publish` waits for each message; here the acks and nacks of a window are gathered from
    py-amqp's signals, which name publishes by a number counted per channel.
    """

    def __init__(
        self, url: str, *, namespace: str = "", queue: str | None = None, confirm_timeout_s: float = 5.0
    ) -> None:
        self._url = url
        self._queue = queue
        self._exchange = topology.events_exchange(namespace)
        self._confirm_timeout_s = confirm_timeout_s
        self._connection: Any = None
        self._channel: Any = None
        self._blocked = False
        self._published = 0  # on this channel
        self._waiting: dict[int, int] = {}  # delivery tag -> index in the window
        self._confirmed: set[int] = set()
        self._was_returned = False
        self.answered = True
        self.error = ""

    def publish(self, events: Iterable[PublishedEvent]) -> Sequence[bool]:
        """Publish a window persistently and wait for its confirms, at most the confirm time-out.

        One answer per event, in order: True only where the broker said ack. A nack, a time-out and a lost
        connection are False; nothing is raised for what the broker or the network does, but QueueMissingError
        for a queue of one's own that is not there.
        """
        window = list(events)
        self._waiting.clear()
        self._confirmed.clear()
        self.error = "no confirm in time, the broker blocks publishers or is overloaded"
        try:
            self.answered = self._send_and_wait(window)
        except BROKER_ERRORS as error:
            self.answered = False
            self.error = f"{type(error).__name__}: {error}"[:200]
        if not self.answered:
            self._drop()
        if self._was_returned:
            raise self._missing()
        return [index in self._confirmed for index in range(len(window))]

    def figures(self) -> dict[str, int]:
        """RabbitMQ counts for itself."""
        return {}

    def close(self) -> None:
        """Close the connection properly, so that the broker does not log a loss."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            close_quietly(connection)

    def _send_and_wait(self, window: list[PublishedEvent]) -> bool:
        self._connect()
        deadline_s = time.monotonic() + self._confirm_timeout_s
        if not self._wait_while(lambda: self._blocked, deadline_s):
            return False
        for index, event in enumerate(window):
            self._published += 1
            self._waiting[self._published] = index
            self._channel.basic_publish(
                self._message(event.body),
                exchange="" if self._queue else self._exchange.name,
                routing_key=self._queue or event.routing_key,
                mandatory=self._queue is not None,  # an exchange without subscribers is no error
                timeout=self._confirm_timeout_s,
            )
        # One queue that cannot answer must not look like an outage to the events which were confirmed.
        return self._wait_while(lambda: bool(self._waiting), deadline_s) or bool(self._confirmed)

    def _wait_while(self, condition: Callable[[], bool], deadline_s: float) -> bool:
        while condition():
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0:
                return False
            try:
                self._connection.drain_events(timeout=remaining_s)
            except TimeoutError:
                return False
        return True

    def _message(self, body: bytes) -> Any:
        return self._channel.prepare_message(
            body, content_type=CONTENT_TYPE, content_encoding="utf-8", properties={"delivery_mode": 2}
        )

    def _connect(self) -> None:
        if self._channel is not None:
            return
        self._blocked = False
        self._connection = open_connection(
            self._url,
            on_blocked=self._on_blocked,
            on_unblocked=self._on_unblocked,
            read_timeout=self._confirm_timeout_s,
            write_timeout=self._confirm_timeout_s,
        )
        channel = self._connection.channel()
        if self._queue is None:
            self._exchange(channel).declare()
        else:
            self._look_for_queue(channel)
        channel.confirm_select()
        channel.events["basic_return"].add(self._on_return)
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        self._published = 0
        self._channel = channel

    def _look_for_queue(self, channel: Any) -> None:
        try:
            channel.queue_declare(self._queue, passive=True)
        except (amqp.NotFound, amqp.ResourceLocked) as error:
            self._drop()
            raise self._missing() from error

    def _missing(self) -> QueueMissingError:
        return QueueMissingError(f"nobody has declared the queue {self._queue}, or it belongs to one connection")

    def _drop(self) -> None:
        # Whatever was not confirmed may still arrive; it is sent again, and a number never means two events.
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            connection.collect()

    def _on_blocked(self, _reason: str) -> None:
        self._blocked = True

    def _on_unblocked(self) -> None:
        self._blocked = False

    def _on_return(self, *_: object) -> None:
        # It comes before the ack of the same publish.
        self._was_returned = True

    def _on_ack(self, delivery_tag: int, multiple: bool) -> None:  # noqa: FBT001  (py-amqp's signature)
        self._confirmed.update(self._settle(delivery_tag, multiple=multiple))

    def _on_nack(self, delivery_tag: int, multiple: bool) -> None:  # noqa: FBT001
        self._settle(delivery_tag, multiple=multiple)

    def _settle(self, delivery_tag: int, *, multiple: bool) -> list[int]:
        tags = [tag for tag in self._waiting if tag <= delivery_tag] if multiple else [delivery_tag]
        return [self._waiting.pop(tag) for tag in tags if tag in self._waiting]
