"""Publishes windows of events through kombu's topic exchange on Redis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import redis
from kombu.exceptions import KombuError

from orchestrator.adapters import kombu_redis, topology
from orchestrator.adapters.kombu_entities import Producer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orchestrator.ports import PublishedEvent

CONTENT_TYPE = "application/cloudevents+json"
BATCH_MAX = 500
BINDINGS_FRESH_S = 0.5  # a consumer bound this moment may miss events for so long; the event log has them
BROKER_ERRORS = (OSError, redis.RedisError, KombuError)


class _Channel(kombu_redis.Channel):
    """Routes from a binding table that is read once per window instead of once per event."""

    skipped: frozenset[str] = frozenset()
    _tables: dict[str, tuple[float, list[Any]]] | None = None

    def get_table(self, exchange: str) -> list[Any]:
        if self._tables is None:
            self._tables = {}
        read_at_s, table = self._tables.get(exchange, (float("-inf"), []))
        if time.monotonic() - read_at_s > BINDINGS_FRESH_S:
            table = list(super().get_table(exchange))
            self._tables[exchange] = (time.monotonic(), table)
        return [row for row in table if row[2] not in self.skipped]


class _Transport(kombu_redis.Transport):
    Channel = _Channel


class RedisPublisher:
    """EventPublisher over kombu's Redis transport, so that ordinary kombu consumers with bindings work.

    The exchange is a convenience here: no bound queue, no copy. Routing is done by the publisher.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "",
        queue_max: int,
        on_skipped: Callable[[str, int], None] | None = None,
    ) -> None:
        self._url = url
        self._exchange = topology.events_exchange(namespace)
        self._queue_max = queue_max
        self._on_skipped = on_skipped
        self._channel: Any = None
        self._skipped: frozenset[str] = frozenset()  # alarmed once, when a queue becomes too long
        self.answered = True
        self.error = ""

    def publish(self, events: Iterable[PublishedEvent]) -> Sequence[bool]:
        """Publish a window in one pipeline; all True, or all False where its delivery is uncertain.

        A queue that is too long is left out, which is a success for the event: its log entry stays.
        """
        window = list(events)
        try:
            self._connect()
            self._skip_full_queues()
            self._send(window)
            self.answered = True
        except BROKER_ERRORS as error:
            self.answered = False
            self.error = f"{type(error).__name__}: {error}"[:200]
            self.close()
        return [self.answered] * len(window)

    def close(self) -> None:
        """Close the connection; the next window opens a new one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            kombu_redis.close(channel)

    def _connect(self) -> None:
        if self._channel is None:
            channel = kombu_redis.open_channel(self._url, transport=_Transport)
            # On Redis this only tells the channel the type of the exchange.
            self._exchange(channel).declare()
            self._channel = channel

    def _skip_full_queues(self) -> None:
        queues = sorted({queue for _, _, queue in self._bindings()})
        with self._channel.conn_or_acquire() as client, client.pipeline(transaction=False) as pipeline:
            for queue in queues:
                pipeline.llen(queue)
            lengths = dict(zip(queues, pipeline.execute(), strict=True))
        full = {queue: length for queue, length in lengths.items() if length >= self._queue_max}
        self._channel.skipped = frozenset(full)
        for queue in full.keys() - self._skipped:
            if self._on_skipped is not None:
                self._on_skipped(queue, full[queue])
        self._skipped = frozenset(full)

    def _bindings(self) -> list[Any]:
        self._channel.skipped = frozenset()
        return list(self._channel.get_table(self._exchange.name))

    def _send(self, window: list[PublishedEvent]) -> None:
        producer = Producer(self._channel, exchange=self._exchange, auto_declare=False)
        with producer.batch(max_size=BATCH_MAX):
            for event in window:
                producer.publish(
                    event.body,
                    routing_key=event.routing_key,
                    content_type=CONTENT_TYPE,
                    content_encoding="utf-8",
                )
