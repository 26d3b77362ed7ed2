"""The gateway's access tokens over real sockets: who asks for one, how often, and what is sent with it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from orchestrator.adapters.access_tokens import AccessTokens, TokenCall
from orchestrator.adapters.hello_clever import CallTimeouts, Credentials
from tests.contract.provider.raw_server import SECRET, calling, get, post, reply, serving

if TYPE_CHECKING:
    from orchestrator.adapters.hello_clever import HelloClever

TOKEN_PATH = "/api/v1/payment_gateways/access_token"
CREATE_PATH = "/v1/payment_gateways/create_payment"
LINK = {"redirect_url": "https://pay.example/?payment=eyJ", "payment_id": 46345}


class MovableClock:
    def __init__(self) -> None:
        self.at_s = 1000.0

    def now_ms(self) -> int:
        return int(self.at_s * 1000)

    def monotonic_s(self) -> float:
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds


class Gateway:
    """Hands out numbered tokens and takes those it has not revoked; `answers` come before, one by one."""

    def __init__(self, *, expires_in: object = 3600, answers: list[bytes] | None = None) -> None:
        self.expires_in = expires_in
        self.answers = answers or []
        self.handed_out = 0
        self.revoked: set[str] = set()
        self.asked: list[bytes] = []
        self.hold: asyncio.Event | None = None

    @property
    def calls(self) -> Counter[str]:
        return Counter(request.split(b" ")[1].decode() for request in self.asked)

    async def __call__(self, peer) -> None:
        while True:
            request = await peer.request()
            self.asked.append(request)
            if TOKEN_PATH.encode() in request and self.hold is not None:
                await self.hold.wait()
            await peer.send(self._answer(request))

    def _answer(self, request: bytes) -> bytes:
        if TOKEN_PATH.encode() not in request:
            if header(request, "access-token") in self.revoked:
                return reply(b"{}", status=b"401 No")
            order = json.loads(request.partition(b"\r\n\r\n")[2])["order_id"]
            return reply(json.dumps(LINK | {"order_id": order}).encode())
        if self.answers:
            return self.answers.pop(0)
        self.handed_out += 1
        body: dict[str, object] = {"access_token": f"token-{self.handed_out}"}
        if self.expires_in is not None:
            body |= {"expires_in": self.expires_in}
        return reply(json.dumps(body).encode())


def header(request: bytes, name: str) -> str | None:
    lines = request.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    values = [line.partition(": ")[2] for line in lines if line.lower().startswith(f"{name}: ")]
    assert len(values) < 2
    return values[0] if values else None


def link(**changes):
    return post(path=CREATE_PATH, needs_access_token=True, body={"order_id": "order-1"}, **changes)


class Permits:
    def __init__(self, wait_ms: int = 0) -> None:
        self.wait_ms = wait_ms
        self.asked = 0

    async def __call__(self) -> int:
        self.asked += 1
        return self.wait_ms


async def create(provider: HelloClever, permit: Permits | None = None, **changes):
    """What the engine does: see to a token, then call."""
    obstacle = await provider.prepare(link(**changes), permit=permit or Permits())
    return obstacle if obstacle is not None else await provider.call(link(**changes))


async def test_t03_the_token_is_got_by_get_with_app_id_and_secret_key_and_sent_alone():
    gateway = Gateway()
    async with serving(gateway) as server, calling(server.url) as provider:
        assert (await create(provider)).body["payment_id"] == 46345
    token_call, create_call = gateway.asked
    assert token_call.startswith(b"GET " + TOKEN_PATH.encode() + b" HTTP/1.1\r\n")
    assert token_call.endswith(b"\r\n\r\n")
    assert (header(token_call, "app-id"), header(token_call, "secret-key")) == ("app-1", SECRET)
    assert header(token_call, "access-token") is None
    assert create_call.startswith(b"POST /api" + CREATE_PATH.encode() + b" HTTP/1.1\r\n")
    assert header(create_call, "access-token") == "token-1"
    for name in ("app-id", "secret-key", "authorization"):
        assert header(create_call, name) is None


async def test_t02_the_secret_key_is_the_secret_and_not_the_app_id():
    gateway = Gateway()
    async with serving(gateway) as server, calling(server.url) as provider:
        await provider.call(get())
        await create(provider)
    for request in gateway.asked[:2]:
        assert (header(request, "app-id"), header(request, "secret-key")) == ("app-1", SECRET)


async def test_vector_11_fifty_concurrent_creates_make_one_token_call():
    gateway, permits = Gateway(), Permits()
    gateway.hold = asyncio.Event()
    async with serving(gateway) as server, calling(server.url, timeouts=CallTimeouts()) as provider:
        creates = [asyncio.ensure_future(create(provider, permits)) for _ in range(50)]
        async with asyncio.timeout(20):
            while not gateway.asked:
                await asyncio.sleep(0.001)
        gateway.hold.set()
        replies = await asyncio.gather(*creates)
    assert [each.http_status for each in replies] == [200] * 50
    assert gateway.calls == {TOKEN_PATH: 1, f"/api{CREATE_PATH}": 50}
    assert permits.asked == 1


async def test_t03_each_credential_set_has_a_token_of_its_own():
    pairs = {name: Credentials(app_id=f"app-{name}", secret_key=f"key-{name}") for name in ("a", "b")}
    gateway = Gateway()
    async with serving(gateway) as server, calling(server.url, credentials=pairs) as provider:
        for name in ("a", "b", "a"):
            await create(provider, credentials=name)
    calls = [header(each, "access-token") or header(each, "app-id") for each in gateway.asked]
    assert calls == ["app-a", "token-1", "app-b", "token-2", "token-1"]


@pytest.mark.parametrize(
    ("expires_in", "kept_s"),
    [
        (3600, 3540),
        (600, 540),
        (7200, 3540),
        (90, 45),
        (1, 0.5),
        (None, 3540),
        ("600", 3540),
        (0, 3540),
        (-5, 3540),
        (True, 3540),
        (599.5, 3540),
        ([], 3540),
    ],
)
async def test_vector_11_a_token_is_refreshed_before_it_ends_by_the_margin(expires_in, kept_s):
    gateway, clock = Gateway(expires_in=expires_in), MovableClock()
    async with (
        serving(gateway) as server,
        calling(server.url, clock=clock, token_call=TokenCall(margin_s=60.0)) as provider,
    ):
        await create(provider)
        clock.at_s += kept_s - 0.001
        await create(provider)
        assert gateway.handed_out == 1
        clock.at_s += 0.001
        await create(provider)
    assert gateway.handed_out == 2
    assert header(gateway.asked[-1], "access-token") == "token-2"


async def test_a_tokens_time_counts_from_before_the_call_that_got_it():
    clock = MovableClock()

    async def slow(peer):
        while True:
            await peer.request()
            clock.at_s += 100
            await peer.send(reply(b'{"access_token": "token", "expires_in": 3600}'))

    async with serving(slow) as server, calling(server.url, clock=clock) as provider:
        assert await provider.prepare(link(), permit=Permits()) is None
        clock.at_s = 1000 + 3540 - 0.001
        assert await provider.prepare(link(), permit=Permits()) is None
        assert len(server.requests) == 1
        clock.at_s += 0.001
        assert await provider.prepare(link(), permit=Permits()) is None
        assert len(server.requests) == 2


async def test_vector_11_a_token_that_was_revoked_is_dropped_and_replaced_once():
    gateway = Gateway()
    async with serving(gateway) as server, calling(server.url) as provider:
        await create(provider)
        gateway.revoked = {"token-1"}
        assert (await create(provider)).http_status == 401
        assert (await create(provider)).http_status == 200
    assert gateway.calls == {TOKEN_PATH: 2, f"/api{CREATE_PATH}": 3}


async def test_a_late_401_does_not_drop_the_token_that_came_since():
    gateway = Gateway()
    async with serving(gateway) as server, calling(server.url) as provider:
        await create(provider)
        provider._tokens.drop("shop", "an older token")
        await create(provider)
    assert gateway.handed_out == 1


async def test_a_401_on_another_call_drops_no_token():
    async def refuse_reads(peer):
        while True:
            request = await peer.request()
            refused = b"/detail" in request
            body = b'{"access_token": "token", "expires_in": 3600}'
            await peer.send(reply(b"{}", status=b"401 No") if refused else reply(body))

    async with serving(refuse_reads) as server, calling(server.url) as provider:
        await provider.prepare(link(), permit=Permits())
        assert (await provider.call(get(path="/v2/payins/detail"))).http_status == 401
        assert await provider.prepare(link(), permit=Permits()) is None
        assert sum(TOKEN_PATH.encode() in each for each in server.requests) == 1


UNUSABLE = {
    "401": (reply(b'{"errors": {"code": "REQUIRE_LOGIN"}}', status=b"401 No"), 401),
    "500": (reply(b"", status=b"500 Oops"), 500),
    "no token": (reply(b'{"expires_in": 3600}'), 200),
    "empty token": (reply(b'{"access_token": ""}'), 200),
    "a number": (reply(b'{"access_token": 17}'), 200),
    "a header of its own": (reply(b'{"access_token": "a\\r\\nX: y"}'), 200),
    "a list": (reply(b"[]"), 200),
    "no JSON": (reply(b"<html>"), 200),
}


@pytest.mark.parametrize(("answer", "http_status"), UNUSABLE.values(), ids=UNUSABLE)
async def test_an_answer_without_a_token_is_handed_back_and_nothing_is_created(answer, http_status):
    gateway = Gateway(answers=[answer])
    async with serving(gateway) as server, calling(server.url) as provider:
        obstacle = await provider.prepare(link(), permit=Permits())
        assert obstacle is not None
        assert obstacle.http_status == http_status
        unsent = await provider.call(link())
        assert (unsent.sent, unsent.error) == (False, "no_access_token")
        assert gateway.calls == {TOKEN_PATH: 1}
        assert (await create(provider)).http_status == 200


async def test_i10_the_token_call_takes_a_permit_and_none_is_made_without():
    gateway = Gateway()
    async with serving(gateway) as server, calling(server.url) as provider:
        held_back = await provider.prepare(link(), permit=Permits(wait_ms=1500))
        assert held_back is not None
        assert (held_back.sent, held_back.error, held_back.retry_after_s) == (False, "no_permit", 2)
        assert gateway.asked == []
        permits = Permits()
        await create(provider, permits)
        await create(provider, permits)
        assert permits.asked == 1


async def test_a_caller_that_is_cancelled_takes_nobodys_token_away():
    gateway = Gateway()
    gateway.hold = asyncio.Event()
    async with serving(gateway) as server, calling(server.url) as provider:
        first = asyncio.ensure_future(create(provider))
        second = asyncio.ensure_future(create(provider))
        async with asyncio.timeout(2):
            while not gateway.asked:
                await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.wait([first])
        gateway.hold.set()
        assert (await second).http_status == 200
        assert gateway.handed_out == 1


async def test_t03_how_a_token_is_fetched_and_sent_is_configuration():
    async def other_provider(peer):
        while True:
            request = await peer.request()
            await peer.send(
                reply(b'{"access_token": "token"}' if b"/v2/token" in request else b'{"payment_id": 46345}')
            )

    call = TokenCall(path="/v2/token", method="POST", header="x-token")
    async with serving(other_provider) as server, calling(server.url, token_call=call) as provider:
        assert (await create(provider)).body == {"payment_id": 46345}
        token_call, create_call = server.requests
    assert token_call.startswith(b"POST /api/v2/token HTTP/1.1\r\n")
    assert (header(create_call, "x-token"), header(create_call, "access-token")) == ("token", None)


async def test_no_token_is_got_for_a_call_that_needs_none():
    gateway = Gateway()
    async with serving(gateway) as server, calling(server.url) as provider:
        assert await provider.prepare(post(), permit=Permits()) is None
        assert gateway.asked == []


async def test_i8_a_token_is_in_no_log_no_error_and_no_repr(caplog):
    caplog.set_level(logging.DEBUG)
    secret = "eyJhbGciOiJIUzI1NiJ9.secret-token"

    async def echo(peer):
        request = await peer.request()
        await peer.send(reply(json.dumps({"access_token": secret}).encode()))
        request = await peer.request()
        assert header(request, "access-token") == secret
        await peer.send(b"HTTP/1.1 " + secret.encode() + b"\r\n\r\n")
        peer.finish()

    async with serving(echo) as server, calling(server.url) as provider:
        got = await create(provider)
        assert got.sent
        assert secret not in got.error
        assert secret not in repr(provider._tokens._tokens)
        assert secret in str(provider._tokens.current("shop"))
    assert secret not in caplog.text


async def test_a_token_call_that_raises_is_told_to_all_and_tried_anew():
    calls = 0

    async def fetch(_request):
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise RuntimeError("a fault of ours")

    tokens = AccessTokens(clock=MovableClock(), fetch=fetch, call=TokenCall())
    both = await asyncio.gather(*(tokens.ensure("shop", permit=Permits()) for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in both] == [RuntimeError, RuntimeError]
    assert calls == 1
    with pytest.raises(RuntimeError):
        await tokens.ensure("shop", permit=Permits())
    assert calls == 2
