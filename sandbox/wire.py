"""The socket under a request, so that a connection can really be cut."""

import socket
import struct

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TRANSPORT = "sandbox.transport"
LINGER_ZERO = struct.pack("ii", 1, 0)  # closing then resets the connection


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's protocol that lets the application reach its transport."""

    def on_message_begin(self) -> None:
        """Put the transport beside the request's other facts."""
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport  # type: ignore[literal-required]


async def cut(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """Close the connection after what was written has left (FIN), or with `reset` at once (RST).

    Raises ConnectionResetError where there is no socket, as under an in-memory transport.
    """
    transport = scope.get(TRANSPORT)
    if transport is None:
        raise ConnectionResetError("the sandbox cut a connection that has no socket")
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        transport.abort()
    else:
        transport.close()
    await until_gone(receive)


async def until_gone(receive: Receive) -> None:
    """Wait until the client has gone or the connection is closed."""
    while (await receive())["type"] != "http.disconnect":
        continue
