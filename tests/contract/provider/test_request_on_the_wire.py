"""What the provider sees of a call, byte by byte, and what it never sees."""

from __future__ import annotations

import logging
import ssl
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import parse_qsl, urlsplit

import pytest

from orchestrator.adapters.hello_clever import Credentials, HelloClever
from orchestrator.adapters.system_clock import SystemClock
from tests.contract.provider.raw_server import (
    AUTHORITY,
    EXPIRED,
    SECRET,
    calling,
    get,
    post,
    reply,
    serving,
)


@pytest.fixture
def authority_file(tmp_path):
    path = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return path


def target(request: bytes) -> str:
    return request.split(b" ")[1].decode()


def headers(request: bytes) -> dict[str, str]:
    lines = request.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    names = [line.split(": ")[0] for line in lines]
    assert len(names) == len(set(names))
    return dict(line.split(": ", 1) for line in lines)


async def test_a_post_carries_exactly_these_headers_and_this_body():
    async with serving() as server, calling(server.url) as provider:
        body = {"amount": Decimal("1E+6"), "gst": False, "fee": Decimal("10.50"), "params": {}, "name": "Zoë"}
        got = await provider.call(post(body=body))
        assert (got.http_status, got.is_json, got.body) == (200, True, {"uuid": "ABC"})
        request = server.requests[0]
    assert request.startswith(b"POST /api/v2/payins HTTP/1.1\r\n")
    assert request.split(b"\r\n\r\n")[1] == (
        b'{"amount":1000000,"gst":false,"fee":10.50,"params":{},"name":"Zo\\u00eb"}'
    )
    assert headers(request) == {
        "host": f"127.0.0.1:{server.port}",
        "connection": "keep-alive",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "payorch",
        "app-id": "app-1",
        "secret-key": SECRET,
        "content-type": "application/json",
        "content-length": "72",
    }


async def test_each_call_is_made_with_the_named_credentials():
    pairs = {name: Credentials(app_id=f"app-{name}", secret_key=f"key-{name}") for name in ("a", "b")}
    async with serving() as server, calling(server.url, credentials=pairs) as provider:
        for name in ("a", "b", "a"):
            await provider.call(post(credentials=name))
        seen = [(headers(one)["app-id"], headers(one)["secret-key"]) for one in server.requests]
    assert seen == [("app-a", "key-a"), ("app-b", "key-b"), ("app-a", "key-a")]


async def at_once() -> int:
    return 0


async def test_credentials_that_are_not_configured_are_refused_before_the_call_is_marked():
    async with serving() as server, calling(server.url) as provider:
        with pytest.raises(KeyError, match="removed"):
            await provider.prepare(post(credentials="removed"), permit=at_once)
        assert await provider.prepare(post(), permit=at_once) is None
        assert server.requests == []


@pytest.mark.parametrize("tail", ["", "/", "/api", "/api/", "//", "/api//"])
async def test_any_spelling_of_the_base_address_leads_to_one_api(tail):
    async with serving() as server, calling(server.url + tail) as provider:
        await provider.call(get(path="/v1/payment_requests/status"))
        assert target(server.requests[0]) == "/api/v1/payment_requests/status"


async def test_a_prefix_of_the_base_address_is_kept():
    async with serving() as server, calling(server.url + "/gateway/api") as provider:
        await provider.call(get())
        assert target(server.requests[0]) == "/gateway/api/v2/payins"


async def test_the_query_arrives_as_it_was_given():
    query = (("from", "2026-11-21T07:00:00+00:00"), ("q", "a b&c=d/é%20?#+;"), ("q", ""), ("x", "~*'()"))
    async with serving() as server, calling(server.url) as provider:
        await provider.call(get(path="/v2/cards/payments", query=query))
        parts = urlsplit(target(server.requests[0]))
    assert parts.path == "/api/v2/cards/payments"
    assert tuple(parse_qsl(parts.query, keep_blank_values=True)) == query


async def test_an_identifier_in_the_path_cannot_become_a_query():
    async with serving() as server, calling(server.url) as provider:
        await provider.call(get(path="/v2/cards/payments/A?b=c#d%2f\r\nX: y"))
        assert target(server.requests[0]) == "/api/v2/cards/payments/A%3Fb=c%23d%252f%0D%0AX:%20y"


UNWRITABLE = [
    (post(body={"amount": 10.5}), TypeError),
    (post(body={"items": [{"amount": 1.0}]}), TypeError),
    (post(body={"raw": b"x"}), TypeError),
    (post(body={1: "x"}), TypeError),
    (post(body={"at": object()}), TypeError),
    (post(body={"amount": Decimal("NaN")}), ValueError),
    (post(body={"amount": Decimal("Infinity")}), ValueError),
    (post(body={"amount": Decimal("1e999999")}), ValueError),
    (post(credentials="nobody"), KeyError),
    (post(method="PUT"), ValueError),
    (post(path="/v3/payins"), ValueError),
    (post(path="v2/payins"), ValueError),
    (post(path="/v2/../v1/payins"), ValueError),
    (post(path="/v2/payins/./x"), ValueError),
    (post(path="/v2//payins"), ValueError),
    (post(path=""), ValueError),
    (post(path="/"), ValueError),
]


@pytest.mark.parametrize(("request_", "error"), UNWRITABLE)
async def test_a_request_that_cannot_be_written_is_refused_before_anything_is_sent(request_, error):
    async with serving() as server, calling(server.url) as provider:
        with pytest.raises(error):
            await provider.call(request_)
        assert server.peers == []


async def test_any_mapping_and_sequence_can_be_sent():
    body = MappingProxyType({"a": (1, None, True), "b": MappingProxyType({})})
    async with serving() as server, calling(server.url) as provider:
        await provider.call(post(body=body))
        assert server.requests[0].endswith(b'\r\n\r\n{"a":[1,null,true],"b":{}}')


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status):
    async with serving() as trap:

        async def redirect(peer):
            await peer.request()
            location = b"Location: %s/v2/payins\r\n" % trap.url.encode()
            await peer.send(reply(b"", status=b"%d Elsewhere" % status, headers=location))

        async with serving(redirect) as server, calling(server.url) as provider:
            got = await provider.call(post())
        assert (got.sent, got.http_status, got.is_json) == (True, status, False)
        assert len(server.requests) == 1
        assert trap.peers == []


async def test_the_environment_changes_nothing(authority_file, monkeypatch, tmp_path):
    async with serving() as trap, serving() as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, trap.url)
            monkeypatch.setenv(name.lower(), trap.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login trapped password trapped\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
        async with calling(server.url) as provider:
            assert (await provider.call(post())).http_status == 200
        assert "authorization" not in headers(server.requests[0])
        assert trap.peers == []
        async with serving(tls=True) as tls_server, calling(tls_server.url) as provider:
            assert (await provider.call(post())).sent is False
        assert not (tmp_path / "keys").exists()


async def test_no_cookie_is_ever_sent_back():
    async def set_cookie(peer):
        while True:
            await peer.request()
            await peer.send(reply(b"{}", headers=b"Set-Cookie: session=1; Path=/\r\n"))

    async with serving(set_cookie) as server, calling(server.url) as provider:
        for _ in range(3):
            await provider.call(post())
        assert b"cookie" not in server.seen.lower()


async def test_a_certificate_that_has_expired_is_refused_and_nothing_is_sent(authority_file):
    async with serving(tls=True, certificate=EXPIRED) as server:
        async with calling(server.url, extra_ca_file=authority_file) as provider:
            got = await provider.call(post())
        assert (got.sent, got.http_status) == (False, None)
        assert "CertificateError" in got.error
        assert server.requests == []


async def test_a_certificate_of_the_given_authority_is_accepted_for_its_host_only(authority_file):
    async with serving(tls=True) as server:
        async with calling(server.url, extra_ca_file=authority_file) as provider:
            got = await provider.call(post())
            assert (got.sent, got.http_status) == (True, 200)
            assert provider._tls.minimum_version == ssl.TLSVersion.TLSv1_2
        # The same server, but the certificate does not name it so.
        async with calling(f"https://localhost:{server.port}", extra_ca_file=authority_file) as provider:
            got = await provider.call(post())
            assert got.sent is False
            assert "ClientConnectorCertificateError" in got.error
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.example.com",
        "http://10.0.0.1",
        "ftp://api.example.com",
        "https://user:word@api.example.com",
        "https://api.example.com/?a=b",
        "https://api.example.com/#a",
        "https://",
        "api.example.com",
        "",
    ],
)
def test_an_address_that_would_leak_is_refused(base_url):
    with pytest.raises(ValueError, match="base_url"):
        HelloClever(base_url=base_url, credentials={}, clock=SystemClock())


@pytest.mark.parametrize("value", ["", "a b", "a\r\nb: c", "a\n", "ключ", "a\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(value):
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        Credentials(app_id="app", secret_key=value)
    assert value == "" or value not in str(caught.value)


async def test_the_secret_is_in_no_log_no_error_and_no_repr(caplog):
    caplog.set_level(logging.DEBUG)

    async def echo(peer):
        request = await peer.request()
        await peer.send(b"HTTP/1.1 " + headers(request)["secret-key"].encode() + b"\r\n\r\n")
        peer.finish()

    async with serving(echo) as server, calling(server.url) as provider:
        got = await provider.call(post())
        assert got.sent
        assert SECRET not in got.error
        assert SECRET not in repr(provider._credentials)
    assert SECRET not in caplog.text
