"""A server that records exactly what it saw and answers with whatever bytes a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import trustme

from orchestrator.adapters.hello_clever import CallTimeouts, Credentials, HelloClever
from orchestrator.adapters.system_clock import SystemClock
from orchestrator.ports import ProviderRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("127.0.0.1")
EXPIRED = AUTHORITY.issue_cert(
    "127.0.0.1", not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=datetime(2021, 1, 1, tzinfo=UTC)
)
SECRET = "s3cr3t-Of-The-Merchant"
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"uuid":"ABC"}'
FAST = CallTimeouts(connect_s=0.5, read_s=0.6, total_s=1.0)


class Peer:
    """One accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._taken = 0
        self.seen = bytearray()

    async def request(self) -> bytes:
        """The next whole request; raises ConnectionError where the client goes before it is whole."""
        while (end := self._end_of_request()) is None:
            await self.some()
        whole = bytes(self.seen[self._taken : end])
        self._taken = end
        return whole

    async def send(self, raw: bytes) -> None:
        self._writer.write(raw)
        await self._writer.drain()

    async def gone(self) -> None:
        """Reads on, recording, until the client has closed."""
        with contextlib.suppress(ConnectionError):
            while True:
                await self.some()

    def reset(self) -> None:
        """Closes with RST."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def finish(self) -> None:
        """Closes with FIN after what was sent."""
        self._writer.close()

    async def some(self) -> None:
        """Some more bytes, recorded."""
        chunk = await self._reader.read(65536)
        if not chunk:
            raise ConnectionResetError
        self.seen += chunk

    def _end_of_request(self) -> int | None:
        head_end = self.seen.find(b"\r\n\r\n", self._taken)
        if head_end < 0:
            return None
        length = 0
        for line in bytes(self.seen[self._taken : head_end]).lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        end = head_end + 4 + length
        return end if len(self.seen) >= end else None


class RawServer:
    """Listens on a free port of 127.0.0.1 and lets `behave` treat each connection."""

    def __init__(self, behave: Callable[[Peer], Awaitable[None]], *, tls: bool, certificate: trustme.LeafCert) -> None:
        self._behave = behave
        self._tls = tls
        self._certificate = certificate
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server
        self.peers: list[Peer] = []
        self.requests: list[bytes] = []
        self.arrived = asyncio.Event()  # a whole request is here
        self.connected = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def seen(self) -> bytes:
        return b"".join(bytes(peer.seen) for peer in self.peers)

    async def start(self) -> None:
        context = None
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._certificate.configure_cert(context)
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context, backlog=512)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def settle(self) -> None:
        """Waits until every connection made so far was accepted, treated and read to its end."""
        if not self._tls:
            accepted = len(self.peers)
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            async with asyncio.timeout(5):
                while len(self.peers) <= accepted:
                    await asyncio.sleep(0.001)
            writer.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peer = RecordingPeer(reader, writer, self)
        self.peers.append(peer)
        self.connected.set()
        try:
            # A cancelled task would be reported by the stream's own callback.
            with contextlib.suppress(asyncio.CancelledError):
                with contextlib.suppress(ConnectionError):
                    await self._behave(peer)
                await peer.gone()
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


class RecordingPeer(Peer):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: RawServer) -> None:
        super().__init__(reader, writer)
        self._server = server

    async def request(self) -> bytes:
        whole = await super().request()
        self._server.requests.append(whole)
        self._server.arrived.set()
        return whole


async def answer_all(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.send(OK)


@contextlib.asynccontextmanager
async def serving(
    behave: Callable[[Peer], Awaitable[None]] = answer_all,
    *,
    tls: bool = False,
    certificate: trustme.LeafCert = CERTIFICATE,
) -> AsyncIterator[RawServer]:
    server = RawServer(behave, tls=tls, certificate=certificate)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def calling(base_url: str, **changes) -> AsyncIterator[HelloClever]:
    """A client with small time limits."""
    options: dict[str, Any] = {
        "credentials": {"shop": Credentials(app_id="app-1", secret_key=SECRET)},
        "clock": SystemClock(),
        "timeouts": FAST,
    }
    provider = HelloClever(base_url=base_url, **(options | changes))
    try:
        yield provider
    finally:
        await provider.close()


def post(**changes) -> ProviderRequest:
    options: dict[str, Any] = {
        "operation": "create",
        "credentials": "shop",
        "method": "POST",
        "path": "/v2/payins",
        "body": {"external_id": "order-1"},
    }
    return ProviderRequest(**(options | changes))


def get(**changes) -> ProviderRequest:
    return post(**({"operation": "read", "method": "GET", "body": None} | changes))


def reply(body: bytes, *, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)
