"""Receives status events from RabbitMQ into a queue of its own, and keeps them for who waits."""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

from orchestrator.client.amqp_connection import LOST, connect, disconnect, is_absent
from orchestrator.client.errors import ClientError, NotSetUpError
from orchestrator.client.until import Wanted, event_data, key_of

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey

SLICE_S = 0.2  # so long one who receives keeps the others from looking
RECONNECT_S = 0.5
PAYMENTS_MAX = 10_000  # whose events are kept
EVENTS_MAX = 20  # of a payment
QUEUE_MAX = 100_000  # messages in the broker while nobody waits; then the oldest go


class AmqpListener:
    """Blocking; threads take turns in slices. A lost connection is mended, with a gap.

    Without heartbeats: between `listen` and `wait` nobody is here to answer them, and the queue must stay.
    """

    def __init__(self, url: str, *, namespace: str) -> None:
        self._url = url
        self._exchange = f"{namespace}payments.events"
        self._queue = f"{namespace}payments.wait.{uuid.uuid4().hex}"
        self._lock = threading.Lock()
        self._merchants: set[str] = set()
        self._kept: OrderedDict[PaymentKey, deque[dict[str, Any]]] = OrderedDict()
        self._connection: Any = None
        self._channel: Any = None

    def listen(self, merchant: str) -> None:
        """Bind this merchant's events; what is published from here on is seen. Raises ClientError."""
        with self._lock:
            if merchant in self._merchants:
                return
            self._merchants.add(merchant)
            try:
                self._open()
                self._bind(merchant)
            except LOST as error:
                self._merchants.discard(merchant)
                self._drop(is_lost=True)
                if is_absent(error):
                    text = f"the broker has no exchange {self._exchange}: run `payorch setup`"
                    raise NotSetUpError(text) from error
                raise ClientError(f"the broker cannot be listened to ({type(error).__name__})") from error

    def find(self, wanted: Wanted) -> dict[str, Any] | None:
        """The newest event kept of this payment that meets the wait."""
        # A copy, since another thread may add to it.
        kept = tuple(self._kept.get(wanted.key, ()))
        return next((data for data in reversed(kept) if wanted.met(data)), None)

    def receive(self, at_most_s: float) -> None:
        """Keep what arrives; returns after the first events or a slice of time."""
        with self._lock:
            try:
                self._open()
                self._connection.drain_events(timeout=min(SLICE_S, at_most_s))
            except TimeoutError:
                return
            except LOST:
                self._drop(is_lost=True)
                time.sleep(min(RECONNECT_S, at_most_s))

    def close(self) -> None:
        """Close the connection; the queue goes with it."""
        with self._lock:
            self._merchants.clear()
            self._drop(is_lost=False)

    def _open(self) -> None:
        if self._channel is not None:
            return
        self._connection = connect(self._url)
        channel = self._connection.channel()
        arguments = {"x-max-length": QUEUE_MAX, "x-overflow": "drop-head"}
        channel.queue_declare(self._queue, exclusive=True, auto_delete=True, arguments=arguments)
        channel.basic_consume(self._queue, callback=self._keep, no_ack=True)
        self._channel = channel
        for merchant in self._merchants:
            self._bind(merchant)

    def _bind(self, merchant: str) -> None:
        self._channel.queue_bind(self._queue, self._exchange, f"payment.{merchant}.#")

    def _keep(self, message: Any) -> None:
        body = message.body
        data = event_data(body.encode() if isinstance(body, str) else bytes(body))
        if data is None:
            return
        events = self._kept.setdefault(key_of(data), deque(maxlen=EVENTS_MAX))
        events.append(data)
        self._kept.move_to_end(key_of(data))
        if len(self._kept) > PAYMENTS_MAX:
            self._kept.popitem(last=False)

    def _drop(self, *, is_lost: bool) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            disconnect(connection, is_lost=is_lost)
