"""A connection that is used again: no request twice, no answer of another call."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.provider.raw_server import OK, calling, get, post, reply, serving


async def one_answer_then_close(peer):
    await peer.request()
    await peer.send(OK)
    peer.finish()


async def one_answer_then_reset(peer):
    await peer.request()
    await peer.send(OK)
    peer.reset()


async def one_answer_then_close_on_the_next_request(peer):
    await peer.request()
    await peer.send(OK)
    await peer.request()
    peer.finish()


async def one_answer_then_reset_on_the_next_bytes(peer):
    await peer.request()
    await peer.send(OK)
    await peer.some()
    peer.reset()


DROPS = [
    one_answer_then_close,
    one_answer_then_reset,
    one_answer_then_close_on_the_next_request,
    one_answer_then_reset_on_the_next_bytes,
]


@pytest.mark.parametrize("build", [post, get], ids=["POST", "GET"])
@pytest.mark.parametrize("drop", DROPS)
async def test_a_request_on_a_dropped_connection_is_never_sent_again(drop, build):
    async with serving(drop) as server:
        async with calling(server.url) as provider:
            replies = [await provider.call(build(path=f"/v2/call-{number}")) for number in range(6)]
        await server.settle()
        for number, got in enumerate(replies):
            name = b"/v2/call-%d " % number
            assert server.seen.count(name) <= 1
            if got.http_status == 200:
                assert server.seen.count(name) == 1
            if not got.sent:
                assert name not in server.seen
        assert replies[0].http_status == 200


@pytest.mark.parametrize("build", [post, get], ids=["POST", "GET"])
async def test_a_connection_dropped_on_the_second_request_leaves_it_in_doubt(build):
    async with serving(one_answer_then_close_on_the_next_request) as server, calling(server.url) as provider:
        assert (await provider.call(build())).http_status == 200
        second = await provider.call(build(path="/v2/second"))
        await server.settle()
        assert (second.sent, second.http_status) == (True, None)
        assert server.seen.count(b"/v2/second ") == 1


async def test_a_kept_connection_is_used_again():
    async with serving() as server, calling(server.url) as provider:
        for _ in range(5):
            assert (await provider.call(post())).http_status == 200
        assert len(server.peers) == 1


async def test_an_idle_connection_is_not_used_after_its_time():
    async with serving() as server, calling(server.url, keep_alive_s=0.05) as provider:
        await provider.call(post())
        await server.settle()
        await provider.call(post())
        assert len(server.requests) == 2
        assert b"POST" not in server.peers[1].seen  # the connection by which settle() knows
        assert b"POST" in server.peers[2].seen


@pytest.mark.parametrize("in_one_write", [True, False])
async def test_an_answer_nobody_asked_for_is_not_read_as_the_answer_to_the_next_call(in_one_write):
    foreign = reply(b'{"uuid":"FOREIGN"}')

    async def answer_twice(peer):
        while True:
            await peer.request()
            if in_one_write:
                await peer.send(OK + foreign)
            else:
                await peer.send(OK)
                await peer.send(foreign)

    async with serving(answer_twice) as server, calling(server.url) as provider:
        for _ in range(20):
            got = await provider.call(post())
            assert got.body in ({"uuid": "ABC"}, None)
            if got.body is None:
                assert not got.sent
            await asyncio.sleep(0)


async def test_bytes_that_came_while_the_connection_was_idle_are_not_an_answer():
    idle = asyncio.Event()
    spoken = asyncio.Event()

    async def speak_first(peer):
        await peer.request()
        await peer.send(OK)
        await idle.wait()
        await peer.send(reply(b'{"uuid":"FOREIGN"}', status=b"408 Request Timeout"))
        spoken.set()
        while True:
            await peer.request()
            await peer.send(OK)

    async with serving(speak_first) as server, calling(server.url) as provider:
        await provider.call(post())
        idle.set()
        await spoken.wait()
        async with asyncio.timeout(2):
            while not bytes_wait_in_the_pool(provider):
                await asyncio.sleep(0.001)
        refused = await provider.call(post(path="/v2/second"))
        assert (refused.sent, refused.error) == (False, "UnusableConnectionError")
        assert (await provider.call(post(path="/v2/third"))).http_status == 200
        await server.settle()
        assert b"/v2/second" not in server.seen


def bytes_wait_in_the_pool(provider):
    """Looks inside, because from outside it cannot be told when the bytes have been read."""
    pools = provider._client._transport.client.connector._conns.values()
    return any(protocol.should_close for pool in pools for protocol, _ in pool)


async def test_a_library_that_repeats_posts_by_itself_is_stopped(monkeypatch):
    monkeypatch.setattr("aiohttp.client.IDEMPOTENT_METHODS", frozenset({"GET", "POST"}))
    async with serving(one_answer_then_close_on_the_next_request) as server, calling(server.url) as provider:
        await provider.call(post())
        second = await provider.call(post(path="/v2/second"))
        assert (second.sent, second.error.split("/")[0]) == (True, "SecondConnectionError")
        await server.settle()
        assert server.seen.count(b"/v2/second ") == 1
