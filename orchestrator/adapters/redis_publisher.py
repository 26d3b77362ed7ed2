"""Publishes windows of events through kombu's topic exchange on Redis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import redis
from kombu.exceptions import KombuError

from orchestrator.adapters import kombu_redis, topology
from orchestrator.adapters.kombu_entities import Exchange, Producer
from orchestrator.adapters.publisher import QueueMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orchestrator.adapters.publisher import OnSkipped
    from orchestrator.ports import PublishedEvent

CONTENT_TYPE = "application/cloudevents+json"
BATCH_MAX = 500
ALARM_EVERY_S = 600.0  # for each queue
BROKER_ERRORS = (OSError, redis.RedisError, KombuError)
WRONG_TYPE = "WRONGTYPE"


class _Channel(kombu_redis.Channel):
    """Routes from a binding table that is read once per window instead of once per event."""

    skipped: frozenset[str] = frozenset()
    copies_skipped = 0
    _tables: dict[str, list[Any]] | None = None

    def begin_window(self) -> None:
        """Forget the binding table: whoever is bound by now gets the whole window."""
        self._tables = {}

    def get_table(self, exchange: str) -> list[Any]:
        if self._tables is None:
            self._tables = {}
        if exchange not in self._tables:
            self._tables[exchange] = list(super().get_table(exchange))
        return self._tables[exchange]

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        if queue in self.skipped:
            self.copies_skipped += 1
        else:
            super()._put(queue, message, **options)


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
        queue: str | None = None,
        queue_max: int,
        on_skipped: OnSkipped | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._exchange = topology.events_exchange(namespace)
        self._queue = queue
        self._queue_max = queue_max
        self._on_skipped = on_skipped
        self._monotonic_s = monotonic_s
        self._channel: Any = None
        self._alarmed_s: dict[str, float] = {}
        self._queues_skipped = 0
        self._copies_skipped = 0  # on channels of before
        self.answered = True
        self.error = ""

    def publish(self, events: Iterable[PublishedEvent]) -> Sequence[bool]:
        """Publish a window in one pipeline; all True, or all False where its delivery is uncertain.

        A queue that is too long is left out, which is a success for the event: its log entry stays. With a queue of
        one's own that is too long all are False, and raises QueueMissingError where it is not declared.
        """
        window = list(events)
        try:
            self._connect()
            self._channel.begin_window()
            is_sent = self._send_to_queue(window, self._queue) if self._queue else self._send_to_exchange(window)
        except BROKER_ERRORS as error:
            self.answered = False
            self.error = f"{type(error).__name__}: {error}"[:200]
            self.close()
            return [False] * len(window)
        self.answered = True
        return [is_sent] * len(window)

    def figures(self) -> dict[str, int]:
        """How many queues are left out now, and how many copies of events they did not get."""
        since = self._channel.copies_skipped if self._channel is not None else 0
        return {"queues_skipped": self._queues_skipped, "copies_skipped": self._copies_skipped + since}

    def close(self) -> None:
        """Close the connection; the next window opens a new one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            self._copies_skipped += channel.copies_skipped
            kombu_redis.close(channel)

    def _connect(self) -> None:
        if self._channel is None:
            channel = kombu_redis.open_channel(self._url, transport=_Transport)
            # On Redis this only tells the channel the type of the exchange.
            self._exchange(channel).declare()
            self._channel = channel

    def _send_to_exchange(self, window: list[PublishedEvent]) -> bool:
        lengths = self._lengths(self._bound())
        unfit = {queue: length for queue, length in lengths.items() if length is None or length >= self._queue_max}
        self._channel.skipped = frozenset(unfit)
        self._queues_skipped = len(unfit)
        self._alarm(unfit)
        self._send(window, exchange=self._exchange)
        return True

    def _send_to_queue(self, window: list[PublishedEvent], queue: str) -> bool:
        length = self._lengths([queue])[queue]
        # Redis keeps no list that is empty: there a queue is declared while it is bound.
        if length is None or queue not in self._bound():
            raise QueueMissingError(f"nobody has declared the queue {queue} and bound it to {self._exchange.name}")
        if length >= self._queue_max:
            return False
        self._send(window, exchange=Exchange(""), queue=queue)
        return True

    def _bound(self) -> list[str]:
        return sorted({queue for _, _, queue in self._channel.get_table(self._exchange.name)})

    def _lengths(self, queues: list[str]) -> dict[str, int | None]:
        """None for a name that holds something else than a queue: nobody else must suffer from it."""
        with self._channel.conn_or_acquire() as client, client.pipeline(transaction=False) as pipeline:
            for queue in queues:
                pipeline.llen(queue)
            answers = pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not str(answer).startswith(WRONG_TYPE):
                raise answer
        return {
            queue: None if isinstance(answer, Exception) else int(answer)
            for queue, answer in zip(queues, answers, strict=True)
        }

    def _alarm(self, unfit: dict[str, int | None]) -> None:
        now_s = self._monotonic_s()
        self._alarmed_s = {queue: at_s for queue, at_s in self._alarmed_s.items() if now_s - at_s < ALARM_EVERY_S}
        for queue in unfit.keys() - self._alarmed_s.keys():
            self._alarmed_s[queue] = now_s
            if self._on_skipped is not None:
                self._on_skipped(queue, unfit[queue])

    def _send(self, window: list[PublishedEvent], *, exchange: Any, queue: str | None = None) -> None:
        producer = Producer(self._channel, exchange=exchange, auto_declare=False)
        with producer.batch(max_size=BATCH_MAX):
            for event in window:
                producer.publish(
                    event.body,
                    routing_key=queue or event.routing_key,
                    content_type=CONTENT_TYPE,
                    content_encoding="utf-8",
                )
