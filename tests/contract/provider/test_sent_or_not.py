"""Reply.sent beside what the server saw, for everything the wire can do. Runs on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from orchestrator.adapters.hello_clever import CallTimeouts
from tests.contract.provider.raw_server import (
    OK,
    SECRET,
    Peer,
    answer_all,
    calling,
    post,
    reply,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.ports import Reply


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    def run_on_loop(coroutine):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(coroutine)

    return run_on_loop


def after_request(*chunks: bytes, end: str = "finish") -> Callable[[Peer], Awaitable[None]]:
    """Reads the whole request, sends the chunks, then closes, resets or says no more."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        for chunk in chunks:
            await peer.send(chunk)
        if end == "finish":
            peer.finish()
        if end == "reset":
            peer.reset()

    return behave


async def close_at_once(peer: Peer) -> None:
    peer.finish()


async def reset_at_once(peer: Peer) -> None:
    peer.reset()


async def reset_within_request(peer: Peer) -> None:
    await peer.some()
    peer.reset()


async def drip(peer: Peer) -> None:
    await peer.request()
    for byte in reply(b" " * 100):
        await peer.send(bytes([byte]))
        await asyncio.sleep(0.1)


async def drip_interim_answers(peer: Peer) -> None:
    await peer.request()
    while True:
        await peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Fault:
    behave: Callable[[Peer], Awaitable[None]] = answer_all
    _: KW_ONLY
    sent: bool | None  # None: who is faster decides
    requests: int  # whole requests which the server saw
    status: int | None = None
    tls: bool = False
    scheme: str | None = None
    host: str = "127.0.0.1"
    changes: dict[str, Any] = field(default_factory=dict)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FAULTS = {
    "answers": Fault(sent=True, requests=1, status=200),
    "name unknown": Fault(sent=False, requests=0, host="nosuch.invalid", changes={"plain_http": True}),
    "plain server where TLS is expected": Fault(sent=False, requests=0, scheme="https"),
    "self-signed certificate": Fault(sent=False, requests=0, tls=True),
    "TLS server where plain HTTP is expected": Fault(sent=True, requests=0, tls=True, scheme="http"),
    "closed at once": Fault(close_at_once, sent=None, requests=0),
    "reset at once": Fault(reset_at_once, sent=None, requests=0),
    "reset within the request": Fault(reset_within_request, sent=True, requests=0),
    "closed after the request": Fault(after_request(), sent=True, requests=1),
    "reset after the request": Fault(after_request(end="reset"), sent=True, requests=1),
    "half a header, closed": Fault(after_request(b"HTTP/1.1 200 OK\r\nConte"), sent=True, requests=1),
    "half a header, silent": Fault(after_request(b"HTTP/1.1 200 OK\r\nConte", end=""), sent=True, requests=1),
    "half a body, closed": Fault(after_request(OK[:-5]), sent=True, requests=1),
    "half a body, reset": Fault(after_request(OK[:-5], end="reset"), sent=True, requests=1),
    "half a body, silent": Fault(after_request(OK[:-5], end=""), sent=True, requests=1),
    "garbage status line": Fault(after_request(b"\x16\x03\x01 what?\r\n\r\n"), sent=True, requests=1),
    "status that is no number": Fault(after_request(b"HTTP/1.1 OK fine\r\n\r\n"), sent=True, requests=1),
    "chunk size that is no number": Fault(after_request(CHUNKED + b"zz\r\nab\r\n"), sent=True, requests=1),
    "chunk cut": Fault(after_request(CHUNKED + b"5\r\n{}"), sent=True, requests=1),
    "chunks without an end": Fault(after_request(CHUNKED + b"2\r\n{}\r\n"), sent=True, requests=1),
    "length that is no number": Fault(
        after_request(b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n{}"), sent=True, requests=1
    ),
    "two lengths": Fault(
        after_request(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}"),
        sent=True,
        requests=1,
    ),
    "one header line of 100 KB": Fault(
        after_request(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"), sent=True, requests=1
    ),
    "ten thousand headers": Fault(
        after_request(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 10_000 + b"\r\n"), sent=True, requests=1
    ),
    "no reply": Fault(after_request(end=""), sent=True, requests=1),
    "drip of one byte in 0.1 s": Fault(drip, sent=True, requests=1),
    "interim answers for ever": Fault(drip_interim_answers, sent=True, requests=1),
    "interim answers, then the answer": Fault(
        after_request(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK, end=""),
        sent=True,
        requests=1,
        status=200,
    ),
    "switching protocols": Fault(
        after_request(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxx"),
        sent=True,
        requests=1,
    ),
    "no content": Fault(after_request(b"HTTP/1.1 204 No Content\r\n\r\n", end=""), sent=True, requests=1, status=204),
    "body up to the close": Fault(after_request(b"HTTP/1.1 200 OK\r\n\r\n{}"), sent=True, requests=1, status=200),
    "server error": Fault(after_request(reply(b"", status=b"503 Busy"), end=""), sent=True, requests=1, status=503),
    "already too late": Fault(sent=False, requests=0),
}


@pytest.mark.parametrize("name", FAULTS)
def test_not_sent_is_said_only_where_the_server_saw_nothing_of_the_request(name, run):
    fault = FAULTS[name]
    got, requests, seen = run(call_once(fault, late=name == "already too late"))
    assert (got.http_status, requests) == (fault.status, fault.requests)
    assert fault.sent in {got.sent, None}
    if not got.sent:
        assert b"POST" not in seen
        assert SECRET.encode() not in seen
    assert (got.error == "") is (fault.status is not None)
    assert len(got.error) <= 200


async def call_once(fault: Fault, *, late: bool) -> tuple[Reply, int, bytes]:
    async with serving(fault.behave, tls=fault.tls) as server:
        url = f"{fault.scheme or server.url.split(':')[0]}://{fault.host}:{server.port}"
        async with calling(url, **fault.changes) as provider:
            got = await provider.call(post(), send_before_s=0.0 if late else None)
        await server.settle()
        if late:
            assert len(server.peers) == 1  # the connection by which settle() knows
        return got, len(server.requests), server.seen


def test_a_refused_connection_is_not_sent(run):
    async def scenario():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        async with calling(f"http://127.0.0.1:{port}") as provider:
            return await provider.call(post())

    got = run(scenario())
    assert (got.sent, got.http_status) == (False, None)
    assert "ECONNREFUSED" in got.error


def test_a_connection_that_is_never_accepted_is_not_sent(run):
    async def scenario():
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(4):  # the queue of the kernel is full after these
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            async with calling(f"http://127.0.0.1:{listener.getsockname()[1]}") as provider:
                return await provider.call(post())

    assert run(scenario()).sent is False


def test_a_handshake_without_an_answer_is_not_sent(run):
    async def say_nothing(peer):
        await peer.gone()

    async def scenario():
        async with serving(say_nothing) as server:
            async with calling(server.url.replace("http", "https")) as provider:
                got = await provider.call(post())
            await server.settle()
            return got, server.seen

    got, seen = run(scenario())
    assert got.sent is False
    assert seen.startswith(b"\x16\x03")
    assert SECRET.encode() not in seen


def test_waiting_for_a_free_connection_is_not_sent(run):
    async def scenario():
        async with (
            serving(after_request(end="")) as server,
            calling(server.url, max_connections=1) as provider,
        ):
            first = asyncio.create_task(provider.call(post(path="/v2/first")))
            await server.arrived.wait()
            provider._timeouts = CallTimeouts(total_s=0.1)  # it ends before the first one lets go
            second = await provider.call(post(path="/v2/second"))
            return await first, second, server.seen

    first, second, seen = run(scenario())
    assert (first.sent, second.sent) == (True, False)
    assert b"/v2/second" not in seen
