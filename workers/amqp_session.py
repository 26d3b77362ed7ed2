"""One connection's worth of intake: from a delivery to a coroutine on the loop and back to its ack."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import selectors
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from orchestrator.errors import RetryError

if TYPE_CHECKING:
    from collections import Counter
    from concurrent.futures import Future

    from orchestrator.adapters.topology import Topology

SUSPECT_DELIVERIES = 5  # a message that came back so often is taken alone: it may be what killed the others
DEAD_PREFETCH = 10
FAILURES_MAX = 3  # of other errors than RetryError, before a message is dead
HOLD_FIRST_S = 0.1
HOLD_MAX_S = 5.0
READ_S = 0.001  # the wait for a further frame; py-amqp spins on 0 within a frame

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingMessage:
    """A message as the broker gave it; `deliveries` counts the times it was handed out before this one."""

    body: bytes
    routing_key: str
    deliveries: int
    origin: str  # amqp | dead


Take = Callable[[IncomingMessage], Awaitable[None]]


class Session:
    """Deliveries, takes and acks of one connection; all but `wake` is for the consumer's thread."""

    def __init__(
        self,
        connection: Any,
        topology: Topology,
        *,
        prefetch: int,
        take: Take,
        take_dead: Take,
        loop: asyncio.AbstractEventLoop,
        counts: Counter[str],
    ) -> None:
        self._connection = connection
        self._topology = topology
        self._prefetch = prefetch
        self._take = take
        self._take_dead = take_dead
        self._loop = loop
        self._counts = counts
        self._over = asyncio.Event()  # touched on the loop only
        self._waiting: deque[tuple[Any, IncomingMessage]] = deque()
        self._alone = False
        self._taking = 0  # intents; the dead are few and harm nobody
        self._futures: dict[tuple[int, int], Future[bool]] = {}
        self._settled: queue.SimpleQueue[tuple[Any, IncomingMessage, Future[bool]]] = queue.SimpleQueue()
        self._consumers: list[tuple[Any, str]] = []
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._selector = selectors.DefaultSelector()

    @property
    def in_flight(self) -> int:
        """Messages being taken."""
        return len(self._futures)

    @property
    def waiting(self) -> int:
        """Messages here that are not being taken yet."""
        return len(self._waiting)

    def open(self) -> None:
        """Start both consumers; raises the broker's errors."""
        self._selector.register(self._connection.sock, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._start(self._topology.intents_queue.name, self._prefetch, self._intent_arrived)
        self._start(self._topology.dead_queue.name, DEAD_PREFETCH, self._dead_arrived)

    def turn(self, timeout_s: float) -> None:
        """Wait for deliveries and finished takes, and handle them; raises where the connection is lost."""
        self._selector.select(timeout_s)
        with contextlib.suppress(BlockingIOError):
            self._wake_read.recv(4096)
        self._connection.heartbeat_tick()
        self._receive()
        self._settle()

    def drain(self, timeout_s: float) -> None:
        """Take nothing new, and acknowledge what ends in time."""
        for channel, tag in self._consumers:
            channel.basic_cancel(tag)
        self._waiting.clear()
        self._end_holds()
        deadline_s = time.monotonic() + timeout_s
        while self._futures and (remaining_s := deadline_s - time.monotonic()) > 0:
            self.turn(min(remaining_s, 0.1))

    def close(self) -> None:
        """Let go of everything; what is not acknowledged goes back to its queue with the connection."""
        # Takes that are under way end by themselves: cancelling a write helps nobody.
        self._end_holds()
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()

    def wake(self) -> None:
        """End the wait of `turn`; any thread."""
        # A full or closed pipe needs no further byte.
        with contextlib.suppress(OSError):
            self._wake_write.send(b"\0")

    def _start(self, name: str, prefetch: int, arrived: Callable[[Any], None]) -> None:
        channel = self._connection.channel()
        channel.auto_decode = False  # the body is bytes, whatever the properties say of it
        channel.basic_qos(0, prefetch, False)
        self._consumers.append((channel, channel.basic_consume(name, callback=arrived)))

    def _receive(self) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                self._connection.drain_events(timeout=READ_S)

    def _intent_arrived(self, message: Any) -> None:
        self._waiting.append((message, _incoming(message, origin="amqp")))
        self._begin_waiting()

    def _dead_arrived(self, message: Any) -> None:
        self._begin(message, _incoming(message, origin="dead"))

    def _begin_waiting(self) -> None:
        while self._waiting and not self._alone:
            message, incoming = self._waiting[0]
            suspect = incoming.deliveries >= SUSPECT_DELIVERIES
            if suspect and self._taking:
                return
            self._waiting.popleft()
            self._alone = suspect
            self._taking += 1
            self._begin(message, incoming)

    def _begin(self, message: Any, incoming: IncomingMessage) -> None:
        future = asyncio.run_coroutine_threadsafe(self._hold(incoming), self._loop)
        self._futures[_key(message)] = future
        future.add_done_callback(lambda done: self._ended(message, incoming, done))

    def _ended(self, message: Any, incoming: IncomingMessage, future: Future[bool]) -> None:
        self._settled.put((message, incoming, future))
        self.wake()

    def _settle(self) -> None:
        while not self._settled.empty():
            message, incoming, future = self._settled.get()
            del self._futures[_key(message)]
            if incoming.origin == "amqp":
                self._taking -= 1
                self._alone = False
            self._answer(message, incoming, future)
        self._begin_waiting()

    def _answer(self, message: Any, incoming: IncomingMessage, future: Future[bool]) -> None:
        if future.cancelled():
            return
        if future.result():
            self._counts["taken" if incoming.origin == "amqp" else "dead"] += 1
            message.channel.basic_ack(message.delivery_tag)
        elif incoming.origin == "amqp" and not self._over.is_set():
            self._counts["rejected"] += 1
            message.channel.basic_reject(message.delivery_tag, requeue=False)

    async def _hold(self, incoming: IncomingMessage) -> bool:
        """Take it, again and again where that may help; False where it was not taken."""
        take = self._take if incoming.origin == "amqp" else self._take_dead
        failures = 0
        hold_s = HOLD_FIRST_S
        while not self._over.is_set():
            try:
                await take(incoming)
            except RetryError:
                self._counts["retried"] += 1
            except Exception:
                failures += 1
                log.exception("amqp_intake.take_failed", origin=incoming.origin, failures=failures)
                if failures >= FAILURES_MAX and incoming.origin == "amqp":
                    return False
            else:
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), hold_s)
            hold_s = min(hold_s * 2, HOLD_MAX_S)
        return False

    def _end_holds(self) -> None:
        # A loop that is closed runs no take any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._over.set)


def _incoming(message: Any, *, origin: str) -> IncomingMessage:
    headers = message.properties.get("application_headers") or {}
    count = headers.get("x-delivery-count")
    redelivered = bool(message.delivery_info.get("redelivered"))
    return IncomingMessage(
        # py-amqp gives an empty body as text.
        body=message.body.encode() if isinstance(message.body, str) else bytes(message.body),
        routing_key=str(message.delivery_info.get("routing_key", "")),
        deliveries=count if isinstance(count, int) else int(redelivered),
        origin=origin,
    )


def _key(message: Any) -> tuple[int, int]:
    return (message.channel.channel_id, message.delivery_tag)
