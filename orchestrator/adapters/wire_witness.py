"""Whether a call went out, seen at the connection and never inferred from an exception."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp

from orchestrator.errors import PayorchError, TooLateToSendError

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from orchestrator.ports import Clock


class SecondConnectionError(PayorchError):
    """The HTTP library wanted another connection for the same call, that is, to send it twice."""


class UnusableConnectionError(PayorchError):
    """The connection is closed, or bytes wait on it that would be read as the answer to this call."""


class WireWitness:
    """What is known of one call's way to the wire.

    `sent` is presumed True until the connector proves that it is in charge of this call, so that a call
    that went around it is in doubt and never repeated.
    """

    def __init__(self, *, clock: Clock, send_before_s: float | None) -> None:
        self.sent = True
        self._clock = clock
        self._send_before_s = send_before_s
        self._connecting = False

    def left_s(self) -> float | None:
        """Seconds in which the call may still be sent; None: without end."""
        return None if self._send_before_s is None else self._send_before_s - self._clock.monotonic_s()

    def is_late(self) -> bool:
        left_s = self.left_s()
        return left_s is not None and left_s <= 0

    def start(self) -> None:
        """A connection is asked for; nothing has been written."""
        if self._connecting:
            raise SecondConnectionError("one call is sent over one connection, once")
        self._connecting = True
        self.sent = False

    def let_out(self) -> None:
        """The next thing is the write. Raises TooLateToSendError before anything is written."""
        if self.is_late():
            raise TooLateToSendError("the call was not on the wire in time")
        self.sent = True


current_witness: ContextVar[WireWitness] = ContextVar("current_witness")


class WitnessedConnector(aiohttp.TCPConnector):
    """Hands out connections and tells the witness of the calling task.

    aiohttp asks for a connection right before each write, its own re-sending included. A tracing signal at
    the same place could refuse too, but the connection it refuses would then stay open and uncounted.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature of aiohttp
    ) -> Connection:
        """A connection on which the request goes out next; raises what refuses that, as a PayorchError."""
        witness = current_witness.get()
        witness.start()
        connection = await super().connect(req, traces, timeout)
        try:
            if connection.protocol is None or connection.protocol.should_close:
                raise UnusableConnectionError("the connection was closed, or the provider spoke first")
            witness.let_out()
        except PayorchError:
            # Closed if it is unusable, kept for the next call otherwise.
            connection.release()
            raise
        return connection
