"""Hello Clever over HTTP: one call, no retry, a total deadline, a cap on the body."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import aiohttp
import certifi
import httpx
from httpx_aiohttp import AiohttpTransport

from orchestrator.adapters.access_tokens import AccessTokens, TokenCall
from orchestrator.adapters.provider_json import write_json
from orchestrator.adapters.provider_reply import describe, read_reply
from orchestrator.adapters.wire_witness import WireWitness, WitnessedConnector, current_witness
from orchestrator.ports import Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from orchestrator.ports import Clock, ProviderRequest

_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")
UNAUTHORISED = 401
_METHODS = frozenset({"GET", "POST"})
# What we cannot read bounded is not asked for.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "payorch"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """One pair of the provider's keys; raises ValueError where a header could not carry them."""

    app_id: str
    secret_key: str = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("app_id", "secret_key"):
            if not _HEADER_VALUE.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} must be printable ASCII without spaces")


@dataclass(frozen=True, kw_only=True, slots=True)
class CallTimeouts:
    """Seconds: to connect one address, between two reads, and for the whole call (contract 4.3)."""

    connect_s: float = 5.0
    read_s: float = 30.0
    total_s: float = 40.0


class HelloClever:
    """The Provider port. May be built outside the loop; all calls belong to the loop of the first one.

    `keep_alive_s` is how long an idle connection is used again. It stays below the shortest idle time-out
    that servers commonly have (5 s), because a request written on a connection that the provider is just
    closing is in doubt.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credentials: Mapping[str, Credentials],
        clock: Clock,
        timeouts: CallTimeouts | None = None,
        max_connections: int = 100,
        keep_alive_s: float = 4.0,
        body_cap_bytes: int = 1024 * 1024,
        extra_ca_file: Path | None = None,
        plain_http: bool = False,
        token_call: TokenCall | None = None,
    ) -> None:
        """Raises ValueError where the address is no https address (http: loopback or `plain_http` only)."""
        self._api_url = _api_url(base_url, plain_http=plain_http)
        self._credentials = credentials  # looked up for each call: merchants come and go
        self._clock = clock
        self._timeouts = timeouts or CallTimeouts()
        self._body_cap_bytes = body_cap_bytes
        self._tls = _tls_context(extra_ca_file)
        self._max_connections = max_connections
        self._keep_alive_s = keep_alive_s
        self._token_call = token_call or TokenCall()
        self._tokens = AccessTokens(clock=clock, fetch=self.call, call=self._token_call)
        self._client = self._build_client()

    async def prepare(self, request: ProviderRequest, *, permit: Callable[[], Awaitable[int]]) -> Reply | None:
        """See to an access token where the request needs one; None, or the reply that gave none.

        Raises KeyError, before anything is marked as sent, where the request's credentials are not configured.
        """
        if request.credentials not in self._credentials:
            raise KeyError(request.credentials)
        if not request.needs_access_token:
            return None
        return await self._tokens.ensure(request.credentials, permit=permit)

    async def call(self, request: ProviderRequest, *, send_before_s: float | None = None) -> Reply:
        """Make the call once; never raises for anything the network or the provider does.

        Raises ValueError, TypeError or KeyError, and sends nothing, for a request that cannot be written.
        A cancelled call closes its connection; whether it was sent is then not known to the caller.
        """
        witness = WireWitness(clock=self._clock, send_before_s=send_before_s)
        access_token = self._tokens.current(request.credentials) if request.needs_access_token else None
        if request.needs_access_token and access_token is None:
            return Reply(sent=False, error="no_access_token")
        outgoing = self._write(request, witness, access_token)
        if witness.is_late():
            return Reply(sent=False, error="too_late")
        token = current_witness.set(witness)
        try:
            async with asyncio.timeout(self._timeouts.total_s):
                reply = await self._exchange(outgoing)
        except Exception as error:  # noqa: BLE001 - the witness decides, whatever was raised
            late = not witness.sent and witness.is_late()
            return Reply(sent=witness.sent, error="too_late" if late else describe(error))
        finally:
            current_witness.reset(token)
        if reply.http_status == UNAUTHORISED and access_token is not None:
            self._tokens.drop(request.credentials, access_token)
        return reply

    async def close(self) -> None:
        """Close all connections; no call may follow."""
        await self._client.aclose()

    async def _exchange(self, outgoing: httpx.Request) -> Reply:
        response = await self._client.send(outgoing, stream=True)
        try:
            return await read_reply(response, body_cap_bytes=self._body_cap_bytes, now_ms=self._clock.now_ms())
        finally:
            await response.aclose()

    def _write(self, request: ProviderRequest, witness: WireWitness, access_token: str | None) -> httpx.Request:
        if request.method not in _METHODS:
            raise ValueError(f"the provider is not called with {request.method}")
        keys = self._credentials[request.credentials]
        headers = {"app-id": keys.app_id, "secret-key": keys.secret_key}
        if access_token is not None:
            headers = {self._token_call.header: access_token}
        content = None
        if request.body is not None:
            content = write_json(request.body)
            headers["Content-Type"] = "application/json"
        return self._client.build_request(
            request.method,
            self._api_url + _target(request.path, request.query),
            headers=headers,
            content=content,
            timeout=self._time_limits(witness),
        )

    def _time_limits(self, witness: WireWitness) -> httpx.Timeout:
        """Of the phases; waiting for a connection is of no use beyond the moment it would be too late."""
        left_s = witness.left_s()
        pool_s = self._timeouts.total_s if left_s is None else min(left_s, self._timeouts.total_s)
        return httpx.Timeout(connect=self._timeouts.connect_s, read=self._timeouts.read_s, write=None, pool=pool_s)

    def _build_client(self) -> httpx.AsyncClient:
        transport = AiohttpTransport(verify=self._tls, trust_env=False, client=self._open_session)
        no_cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        return httpx.AsyncClient(
            transport=transport,
            headers=_HEADERS,
            cookies=no_cookies,
            trust_env=False,
            follow_redirects=False,
        )

    def _open_session(self) -> aiohttp.ClientSession:
        connector = WitnessedConnector(
            ssl=self._tls,
            limit=self._max_connections,
            keepalive_timeout=self._keep_alive_s,
            resolver=aiohttp.ThreadedResolver(),
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            max_line_size=8190,
            max_field_size=8190,
            max_headers=128,
        )


def _api_url(base_url: str, *, plain_http: bool) -> str:
    """`<scheme>://<host>[/prefix]/api`, with the base given with or without `/api` and a slash."""
    url = httpx.URL(base_url.strip())
    if url.userinfo or url.query or url.fragment or not url.host:
        raise ValueError("base_url must be a plain address such as https://api.example.com")
    if url.scheme != "https" and not (url.scheme == "http" and (plain_http or _is_loopback(url.host))):
        raise ValueError("base_url must start with https://")
    return str(url).rstrip("/").removesuffix("/api").rstrip("/") + "/api"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _target(path: str, query: tuple[tuple[str, str], ...]) -> str:
    """The path, in plain text, and the query, both encoded. Raises ValueError for a path that leads away."""
    segments = path.split("/")[1:]
    if not path.startswith(("/v1/", "/v2/")) or {"", ".", ".."} & set(segments):
        raise ValueError("the path must start with /v1/ or /v2/ and have no empty or dotted part")
    return quote(path, safe="/") + ("?" + urlencode(query, quote_via=quote, safe="") if query else "")


def _tls_context(extra_ca_file: Path | None) -> ssl.SSLContext:
    """Made once: verification on, TLS 1.2 at least, and none of the environment's files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_verify_locations(cafile=certifi.where())
    if extra_ca_file is not None:
        context.load_verify_locations(cafile=extra_ca_file)
    return context
