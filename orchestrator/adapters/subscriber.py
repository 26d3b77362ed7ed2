"""A subscriber of `payments.events`, for who watches: `payorch watch`, the demo, tests."""

from __future__ import annotations

import json
import time
import uuid
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import redis
import structlog
from kombu.exceptions import KombuError

from orchestrator.adapters import kombu_redis, topology
from orchestrator.adapters.amqp_connection import BROKER_ERRORS, close_quietly, open_connection
from orchestrator.adapters.kombu_entities import Consumer, Queue

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFETCH = 100
HEARTBEAT_S = 30
SLICE_S = 1.0  # the longest single wait, so that heartbeats go out
RECONNECT_S = 1.0
LOST: tuple[type[Exception], ...] = (*BROKER_ERRORS, redis.RedisError, KombuError)

log = structlog.get_logger(__name__)


class _Feed(Protocol):
    def open(self) -> None: ...
    def wait(self, timeout_s: float) -> None: ...
    def acknowledge(self, message: Any) -> None: ...
    def close(self) -> None: ...

    @property
    def arrived(self) -> deque[Any]: ...


@contextmanager
def subscribe(
    url: str,
    *,
    namespace: str = "",
    binding: str = "payment.#",
    queue: str | None = None,
    prefetch: int = PREFETCH,
) -> Iterator[Subscription]:
    """Bind a queue to the events and hand out a Subscription; the queue is bound before the body runs.

    Without `queue` the queue is the subscription's own and is removed at its end; with a name it is durable,
    stays, and its events are acknowledged when the next is asked for. Raises the broker's errors (OSError,
    amqp's, redis's) where it cannot be reached at first; later losses are mended, with a gap where the queue
    was the subscription's own (the event log has no gaps, interface 2).
    """
    kind = _AmqpFeed if topology.is_amqp(url) else _RedisFeed
    feed: _Feed = kind(url, namespace=namespace, binding=binding, queue=queue, prefetch=prefetch)
    feed.open()
    try:
        yield Subscription(feed)
    finally:
        feed.close()


class Subscription:
    """An open subscription; for one thread."""

    def __init__(self, feed: _Feed) -> None:
        self._feed = feed

    def events(self, timeout_s: float | None = None) -> Iterator[dict[str, Any]]:
        """Decoded events as they come; ends when none came for `timeout_s`, without it never.

        A message that is not a JSON object is acknowledged and left out.
        """
        while (message := self._next(timeout_s)) is not None:
            event = _decoded(message.body)
            if event is not None:
                yield event
            self._acknowledge(message)

    def _next(self, timeout_s: float | None) -> Any:
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._feed.arrived:
            remaining_s = SLICE_S if deadline_s is None else deadline_s - time.monotonic()
            if remaining_s <= 0:
                return None
            try:
                self._feed.wait(min(remaining_s, SLICE_S))
            except LOST:
                self._reopen(remaining_s)
        return self._feed.arrived.popleft()

    def _acknowledge(self, message: Any) -> None:
        try:
            self._feed.acknowledge(message)
        except LOST:
            self._reopen(SLICE_S)

    def _reopen(self, at_most_s: float) -> None:
        self._feed.arrived.clear()
        try:
            self._feed.close()
            self._feed.open()
        except LOST:
            time.sleep(min(RECONNECT_S, at_most_s))


def _decoded(body: Any) -> dict[str, Any] | None:
    try:
        event = json.loads(body)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


class _AmqpFeed:
    def __init__(self, url: str, *, namespace: str, binding: str, queue: str | None, prefetch: int) -> None:
        self._url = url
        self._exchange = topology.events_exchange(namespace)
        self._binding = binding
        self._queue = queue
        self._name = queue or f"{namespace}payments.watch.{uuid.uuid4().hex}"
        self._prefetch = prefetch
        self._connection: Any = None
        self.arrived: deque[Any] = deque()

    def open(self) -> None:
        self._connection = open_connection(self._url, heartbeat_s=HEARTBEAT_S)
        channel = self._connection.channel()
        self._exchange(channel).declare()
        own = self._queue is None
        channel.queue_declare(self._name, durable=not own, exclusive=own, auto_delete=own)
        channel.queue_bind(self._name, self._exchange.name, self._binding)
        channel.basic_qos(0, self._prefetch, False)
        channel.basic_consume(self._name, callback=self.arrived.append, no_ack=own)

    def wait(self, timeout_s: float) -> None:
        self._connection.heartbeat_tick()
        try:
            self._connection.drain_events(timeout=timeout_s)
        except TimeoutError:
            return

    def acknowledge(self, message: Any) -> None:
        if self._queue is not None:
            message.channel.basic_ack(message.delivery_tag)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            close_quietly(connection)


class _RedisFeed:
    def __init__(self, url: str, *, namespace: str, binding: str, queue: str | None, prefetch: int) -> None:
        self._url = url
        self._own = queue is None
        name = queue or f"{namespace}payments.watch.{uuid.uuid4().hex}"
        exchange = topology.events_exchange(namespace)
        self._queue = Queue(name, exchange=exchange, routing_key=binding, durable=True)
        self._prefetch = prefetch
        self._channel: Any = None
        self.arrived: deque[Any] = deque()

    def open(self) -> None:
        self._channel = kombu_redis.open_channel(self._url)
        self._queue(self._channel).declare()
        self._channel.basic_qos(0, self._prefetch, False)
        # The queue that ends with the subscription needs no bookkeeping of what is unacknowledged.
        Consumer(self._channel, [self._queue], on_message=self.arrived.append, no_ack=self._own).consume()

    def wait(self, timeout_s: float) -> None:
        transport = self._channel.connection
        try:
            transport.drain_events(transport, timeout=timeout_s)
        except TimeoutError:
            return

    def acknowledge(self, message: Any) -> None:
        if not self._own:
            message.ack()

    def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is None:
            return
        if self._own:
            # Whatever a wait may still bring goes with the queue; one that was interrupted would never end.
            channel._in_poll = None  # noqa: SLF001 - kombu waits for it when it closes
        try:
            if self._own:
                channel.queue_delete(self._queue.name)
        except LOST:
            log.warning("subscriber.queue_left", queue=self._queue.name)
        finally:
            kombu_redis.close(channel)
