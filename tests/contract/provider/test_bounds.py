"""Time, memory and moments: what a call may take at most."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
import zlib

import pytest

from orchestrator.adapters.hello_clever import CallTimeouts
from tests.contract.provider.raw_server import FAST, answer_all, calling, post, reply, serving

MIB = 1024 * 1024
BIG = 100 * MIB


class SteppingClock:
    """Each reading is a second later."""

    def __init__(self) -> None:
        self.reading_s = 0.0

    def now_ms(self) -> int:
        return 0

    def monotonic_s(self) -> float:
        self.reading_s += 1
        return self.reading_s

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the adapter does not wait")


# aiohttp warns of bodies beyond 1 MiB; only such a one fills the buffers of the kernel.
LARGE_REQUEST = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")


def gzip_of_zeros(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join([*parts, packer.flush()])


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG,
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % BIG,
    ],
    ids=["length", "close", "chunked"],
)
async def test_a_body_of_100_mb_is_cut_off_and_not_held(head):
    written = 0

    async def flood(peer):
        nonlocal written
        await peer.request()
        await peer.send(head)
        piece = b"1" * 65536
        for _ in range(BIG // len(piece)):
            await peer.send(piece)
            written += len(piece)

    async with serving(flood) as server:
        tracemalloc.start()
        async with calling(server.url) as provider:
            got = await provider.call(post())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await server.settle()
    assert (got.sent, got.http_status, got.error) == (True, None, "UnreadableAnswerError")
    assert written < BIG // 2
    assert peak < 8 * MIB


async def test_a_gzip_bomb_is_not_unpacked():
    bomb = reply(gzip_of_zeros(BIG), headers=b"Content-Encoding: gzip\r\n")

    async def send_bomb(peer):
        await peer.request()
        await peer.send(bomb)

    async with serving(send_bomb) as server, calling(server.url) as provider:
        tracemalloc.start()
        got = await provider.call(post())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (got.sent, got.http_status, got.error) == (True, None, "UnreadableAnswerError")
    assert peak < 8 * MIB


async def test_a_body_of_exactly_the_cap_is_read():
    async def answer(peer):
        for size in (1000, 1001):
            await peer.request()
            await peer.send(reply(b"[" + b" " * (size - 2) + b"]"))

    async with serving(answer) as server, calling(server.url, body_cap_bytes=1000) as provider:
        assert (await provider.call(post())).body == []
        assert (await provider.call(post())).http_status is None


@LARGE_REQUEST
async def test_a_client_whose_large_request_is_not_read_gives_up_in_time():
    async def stall(peer):
        await asyncio.Event().wait()

    async with serving(stall) as server, calling(server.url) as provider:
        started_s = time.monotonic()
        got = await provider.call(post(body={"text": "a" * 16 * MIB}))
        assert time.monotonic() - started_s < 3 * FAST.total_s
        assert (got.sent, got.error.split("/")[0]) == (True, "TimeoutError")


@LARGE_REQUEST
async def test_an_early_answer_to_a_large_request_does_not_leave_its_rest_on_the_connection():
    async def answer_early(peer):
        await peer.some()
        await peer.send(reply(b"{}", status=b"413 Too Large"))
        await asyncio.Event().wait()

    limits = CallTimeouts(connect_s=5, read_s=10, total_s=20)  # so much takes a while on a busy machine
    async with serving(answer_early) as server, calling(server.url, timeouts=limits) as provider:
        for _ in range(2):
            got = await provider.call(post(body={"text": "a" * 16 * MIB}))
            assert (got.sent, got.http_status, got.error) == (True, 413, "")
        assert len(server.peers) == 2


async def test_the_deadline_is_for_the_whole_call():
    async def drip(peer):
        await peer.request()
        for byte in reply(b" " * 500):
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.1)

    limits = CallTimeouts(connect_s=0.3, read_s=5, total_s=0.5)
    async with serving(drip) as server, calling(server.url, timeouts=limits) as provider:
        started_s = time.monotonic()
        got = await provider.call(post())
        assert 0.5 <= time.monotonic() - started_s < 2
        assert (got.sent, got.error.split("/")[0]) == (True, "TimeoutError")


async def test_too_late_before_connecting_opens_no_connection():
    async with serving() as server:
        async with calling(server.url, clock=SteppingClock()) as provider:
            got = await provider.call(post(), send_before_s=1)
        assert (got.sent, got.error) == (False, "too_late")
        assert server.peers == []


async def test_too_late_on_a_new_connection_sends_nothing_and_keeps_the_connection():
    clock = SteppingClock()
    async with serving() as server, calling(server.url, clock=clock) as provider:
        got = await provider.call(post(path="/v2/late"), send_before_s=3)
        assert (got.sent, got.error) == (False, "too_late")
        await server.connected.wait()
        got = await provider.call(post(path="/v2/in-time"))
        assert got.http_status == 200
        assert len(server.peers) == 1
        assert b"late" not in server.seen


async def test_too_late_on_a_kept_connection_sends_nothing_and_keeps_the_connection():
    clock = SteppingClock()
    async with serving() as server, calling(server.url, clock=clock) as provider:
        await provider.call(post())
        got = await provider.call(post(path="/v2/late"), send_before_s=clock.reading_s + 3)
        assert (got.sent, got.error) == (False, "too_late")
        assert (await provider.call(post())).http_status == 200
        assert len(server.peers) == 1
        assert b"late" not in server.seen


async def test_waiting_for_a_connection_ends_when_it_would_be_too_late():
    async def hold(peer):
        await peer.request()
        await peer.gone()

    limits = CallTimeouts(connect_s=5, read_s=5, total_s=5)
    async with serving(hold) as server, calling(server.url, max_connections=1, timeouts=limits) as provider:
        first = asyncio.create_task(provider.call(post()))
        await server.arrived.wait()
        started_s = time.monotonic()
        got = await provider.call(post(path="/v2/late"), send_before_s=started_s + 0.2)
        assert time.monotonic() - started_s < 1
        assert (got.sent, got.error) == (False, "too_late")
        assert b"late" not in server.seen
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_cancelled_call_raises_and_closes_its_connection():
    async def hold_first(peer):
        await peer.request()
        if len(server.requests) == 1:
            await peer.gone()
        else:
            await peer.send(reply(b"{}"))

    async with serving(hold_first) as server, calling(server.url, max_connections=1) as provider:
        call = asyncio.create_task(provider.call(post(path="/v2/cancelled")))
        await server.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.settle()  # the client's end is closed, or this would not end
        assert (await provider.call(post())).http_status == 200
        assert server.seen.count(b"/v2/cancelled") == 1


async def test_a_call_cancelled_within_the_body_closes_its_connection():
    body_began = asyncio.Event()

    async def half_a_body(peer):
        await peer.request()
        if len(server.requests) > 1:
            await peer.send(reply(b"{}"))
            return
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        body_began.set()
        await peer.gone()

    async with serving(half_a_body) as server, calling(server.url, max_connections=1) as provider:
        call = asyncio.create_task(provider.call(post()))
        await body_began.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.settle()
        assert (await provider.call(post())).http_status == 200


async def test_a_call_cancelled_while_it_waits_gives_its_place_back():
    release = asyncio.Event()

    async def answer_on_release(peer):
        await peer.request()
        await release.wait()
        await peer.send(reply(b"{}"))
        await answer_all(peer)

    async with serving(answer_on_release) as server, calling(server.url, max_connections=1) as provider:
        first = asyncio.create_task(provider.call(post(path="/v2/first")))
        await server.arrived.wait()
        waiting = asyncio.create_task(provider.call(post(path="/v2/waiting")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        release.set()
        assert (await first).http_status == 200
        assert (await provider.call(post())).http_status == 200
        assert b"waiting" not in server.seen


async def test_two_hundred_calls_share_the_client_and_none_the_witness():
    everybody = asyncio.Event()

    async def answer_with_its_path(peer):
        while True:
            path = (await peer.request()).split(b" ")[1]
            if len(server.requests) >= 100:
                everybody.set()
            await everybody.wait()
            if int(path.rsplit(b"-", 1)[1]) % 2:
                await peer.send(reply(b'"%s"' % path))
            else:
                peer.reset()
                return

    limits = CallTimeouts(connect_s=5, read_s=10, total_s=10)
    async with serving(answer_with_its_path) as server:
        async with calling(server.url, max_connections=100, timeouts=limits) as provider:
            late = [provider.call(post(path=f"/v2/late-{n}"), send_before_s=0) for n in range(50)]
            sent = [provider.call(post(path=f"/v2/call-{n}")) for n in range(150)]
            order = [call for group in zip(late, sent[:50], strict=True) for call in group] + sent[50:]
            replies = await asyncio.gather(*order)
        await server.settle()
        assert all((got.sent, got.error) == (False, "too_late") for got in replies[0:100:2])
        for number, got in enumerate([*replies[1:100:2], *replies[100:]]):
            whole = number % 2 == 1
            assert got.sent
            assert got.body == (f"/api/v2/call-{number}" if whole else None)
            assert server.seen.count(b"/v2/call-%d " % number) == 1
        assert b"late" not in server.seen
