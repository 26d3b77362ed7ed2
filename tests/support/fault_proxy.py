"""A TCP proxy that loses things on purpose, between a client and a real server."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

CHUNK = 65_536


class Mode(StrEnum):
    """What the proxy does with what it is given from now on."""

    PASS = "pass"
    CUT_REPLY = "cut_reply"  # the request arrives; at the first byte of the reply the client is cut off
    KEEP_REPLY = "keep_reply"  # the request arrives, the reply never does, the connection stays
    BLACKHOLE = "blackhole"  # nothing arrives in either direction, the connection stays
    REFUSE = "refuse"  # connections are reset as soon as they are made or used


class FaultProxy:
    """Listens on a port of its own while entered; `mode` may be changed at any time."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        self.mode = Mode.PASS
        self.replies_lost = 0
        self.port = 0
        self._host = host
        self._server_port = port
        self._listener: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, self._host, 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.close()
        self.cut()
        if self._pumps:
            await asyncio.wait(self._pumps)

    def lead_to(self, port: int) -> None:
        """New connections go to another server of this machine."""
        self._server_port = port

    def cut(self) -> None:
        """Reset every open connection now."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode is Mode.REFUSE:
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(self._host, self._server_port)
        except OSError:
            writer.transport.abort()  # a server that is not there
            return
        self._open |= {writer, server_writer}
        for pump in (self._requests(reader, server_writer), self._replies(server_reader, writer)):
            task = asyncio.get_running_loop().create_task(self._pump(pump, writer, server_writer))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pump(self, pump, *writers: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await pump
        for writer in writers:
            writer.transport.abort()
            self._open.discard(writer)

    async def _requests(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await client.read(CHUNK):
            if self.mode is Mode.REFUSE:
                return
            if self.mode is not Mode.BLACKHOLE:
                server.write(data)
                await server.drain()

    async def _replies(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while data := await server.read(CHUNK):
            if self.mode is Mode.PASS:
                client.write(data)
                await client.drain()
                continue
            self.replies_lost += 1
            if self.mode in {Mode.CUT_REPLY, Mode.REFUSE}:
                return


class ThreadedProxy:
    """A fault proxy on a loop and a thread of its own, for tests that block."""

    def __init__(self, port):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.proxy = FaultProxy(port)

    def __enter__(self):
        self._thread.start()
        self._run(self.proxy.__aenter__())
        return self

    def __exit__(self, *_):
        self._run(self.proxy.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, call):
        asyncio.run_coroutine_threadsafe(call, self._loop).result(10)

    def set(self, mode):
        """From now on."""
        self.proxy.mode = mode

    def cut(self):
        """Every connection at once."""
        self._loop.call_soon_threadsafe(self.proxy.cut)
