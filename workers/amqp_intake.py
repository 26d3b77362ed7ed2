"""Intake from RabbitMQ: a message is acknowledged after it was taken, and never before."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import amqp
import structlog

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import close_quietly, open_connection
from orchestrator.adapters.topology import TopologyError
from workers.amqp_session import IncomingMessage, Session

if TYPE_CHECKING:
    import asyncio

    from workers.amqp_session import Take

__all__ = ["AmqpIntake", "IncomingMessage"]

HEARTBEAT_S = 20
TURN_S = 0.5  # the longest wait, so that a stop and the heartbeats are not late
RECONNECT_FIRST_S = 0.2
RECONNECT_MAX_S = 3.0  # an outage of hours must not cost more than its own time
EXPECTED = (OSError, TopologyError, amqp.exceptions.AMQPError)  # whatever else is logged with its trace

log = structlog.get_logger(__name__)


class AmqpIntake:
    """Consumes `payments.intents` and `payments.dead` in a thread and a connection of its own.

    Each message goes to `take` (a dead one to `take_dead`) on the asyncio loop and is acknowledged when that
    finished without an error. On RetryError it is held and tried again until it works or the connection is
    lost, so that an outage of the store does not raise the delivery count. Any other error three times makes
    a message dead, which the broker then hands to `take_dead`; a dead message is held for ever.
    At each connect the topology is declared, so that a broker that lost its queues gets them again.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "",
        prefetch: int,
        take: Take,
        take_dead: Take,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._url = url
        self._topology = topology.build(namespace)
        self._prefetch = prefetch
        self._take = take
        self._take_dead = take_dead
        self._loop = loop
        self._counts: Counter[str] = Counter(taken=0, dead=0, retried=0, rejected=0, connects=0, turns=0)
        self._session: Session | None = None
        self._stopping = threading.Event()
        self._drain_s = 0.0
        self._error = ""
        self._thread = threading.Thread(target=self._run, name="amqp-intake", daemon=True)

    def start(self) -> None:
        """Start the thread; returns at once, whether the broker is there or not."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Stop consuming, let the takes end, acknowledge, close; True where that was done in time.

        What was not taken by then goes back to the queue. Not to be called on the asyncio loop.
        """
        self._drain_s = timeout_s * 0.8
        self._stopping.set()
        if session := self._session:
            session.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def signs_of_life(self) -> int:
        """Rises with each turn of the consumer and each try to connect; any thread."""
        return self._counts["turns"]

    def figures(self) -> dict[str, object]:
        """Counters and state, for `celery inspect stats` and the metrics; any thread."""
        session = self._session
        return {
            **self._counts,
            "connected": session is not None,
            "error": self._error,
            "in_flight": session.in_flight if session else 0,
            "waiting": session.waiting if session else 0,
        }

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            connected_at_s = time.monotonic()
            try:
                self._consume()
            except Exception as error:
                failures = 0 if time.monotonic() - connected_at_s > RECONNECT_MAX_S else failures + 1
                pause_s = min(RECONNECT_FIRST_S * 2 ** min(failures, 10), RECONNECT_MAX_S)
                self._error = _words(error)
                log.warning(
                    "amqp_intake.away",
                    error=self._error,
                    pause_s=pause_s,
                    exc_info=not isinstance(error, EXPECTED),
                )
                self._counts["turns"] += 1
                self._stopping.wait(pause_s)

    def _consume(self) -> None:
        connection = open_connection(self._url, heartbeat_s=HEARTBEAT_S)
        session = Session(
            connection,
            self._topology,
            prefetch=self._prefetch,
            take=self._take,
            take_dead=self._take_dead,
            loop=self._loop,
            counts=self._counts,
        )
        try:
            topology.declare_on(connection, self._topology)
            session.open()
            self._counts["connects"] += 1
            self._session = session
            self._error = ""
            while not self._stopping.is_set():
                session.turn(TURN_S)
                self._counts["turns"] += 1
            session.drain(self._drain_s)
        finally:
            self._session = None
            session.close()
            close_quietly(connection)


def _words(error: Exception) -> str:
    # py-amqp's own text may quote arguments; the class and the broker's reply are enough.
    return f"{type(error).__name__}: {getattr(error, 'reply_text', None) or error}"[:200]
