"""In front of the API: notes every request, adds latency and lets the ordered faults happen."""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.exchange import Exchange
from sandbox.faults import REQUEST_FAULTS
from sandbox.mishaps import MISHAPS
from sandbox.origin import is_foreign
from sandbox.provider import Provider
from sandbox.replies import answer, decode

PEOPLE = ("/_sandbox", "/pay/", "/favicon.ico")
BODY_BYTES_MOST = 1024 * 1024


class Gate:
    """The ASGI application around the API; the control API and the pages are for people and pass untouched."""

    def __init__(self, app: ASGIApp, *, provider: Provider) -> None:
        """Stand in front of `app`."""
        self._app, self._provider = app, provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or let it go wrong as ordered."""
        if scope["type"] != "http" or scope["path"].startswith(PEOPLE):
            await self._app_for_people(scope, receive, send)
            return
        body = await _read(receive)
        facts = self._facts(scope, body)
        record = self._provider.ledger.saw(**facts)
        exchange = Exchange(app=self._app, scope=scope, receive=receive, send=send, body=body, record=record)
        fault = self._provider.faults.take(facts, REQUEST_FAULTS)
        await asyncio.sleep(self._provider.settings.latency_ms / 1000)
        if fault is None:
            await exchange.reply(await exchange.perform())
            return
        record.fault = fault.name
        await MISHAPS[fault.name](exchange, fault)

    async def _app_for_people(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_foreign(scope["method"], Headers(scope=scope)):
            await answer({"error": "a page of another site asked for this"}, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _facts(self, scope: Scope, body: bytes) -> dict[str, str]:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        given = {**_query(scope), **_object(body)}
        path = scope["path"]
        return {
            "method": scope["method"],
            "path": path,
            "app_id": headers.get("app-id") or self._provider.tokens.holder(headers.get("access-token", "")) or "",
            "external_id": _first(given, "external_id", "order_id"),
            "uuid": _first(given, "uuid", "payment_request_id", "id", "payid") or _in_path(path),
        }


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more and len(body) <= BODY_BYTES_MOST:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _query(scope: Scope) -> Mapping[str, object]:
    return {key: values[0] for key, values in parse_qs(scope["query_string"].decode("latin-1")).items()}


def _first(given: Mapping[str, object], *keys: str) -> str:
    return next((str(given[key]) for key in keys if given.get(key)), "")


def _in_path(path: str) -> str:
    return path.rpartition("/payments/")[2] if "/payments/" in path else ""


def _object(body: bytes) -> Mapping[str, object]:
    try:
        given = decode(body) if body else {}
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}
