"""In front of the API: notes every request, adds latency and lets the ordered faults happen."""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.exchange import Exchange
from sandbox.faults import REQUEST_FAULTS
from sandbox.mishaps import MISHAPS
from sandbox.provider import Provider
from sandbox.replies import decode

CONTROL = "/_sandbox"
BODY_BYTES_MOST = 1024 * 1024


class Gate:
    """The ASGI application around the API; the control API passes untouched."""

    def __init__(self, app: ASGIApp, *, provider: Provider) -> None:
        """Stand in front of `app`."""
        self._app, self._provider = app, provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or let it go wrong as ordered."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        facts = _facts(scope, body)
        record = self._provider.ledger.saw(**facts)
        exchange = Exchange(app=self._app, scope=scope, receive=receive, send=send, body=body, record=record)
        fault = self._provider.faults.take(facts, REQUEST_FAULTS)
        await asyncio.sleep(self._provider.settings.latency_ms / 1000)
        if fault is None:
            await exchange.reply(await exchange.perform())
            return
        record.fault = fault.name
        await MISHAPS[fault.name](exchange, fault)


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more and len(body) <= BODY_BYTES_MOST:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _facts(scope: Scope, body: bytes) -> dict[str, str]:
    headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode("latin-1"))
    given = _object(body)
    in_path = scope["path"].rpartition("/payments/")[2] if "/payments/" in scope["path"] else ""
    return {
        "method": scope["method"],
        "path": scope["path"],
        "app_id": headers.get("app-id", ""),
        "external_id": str(given.get("external_id") or ""),
        "uuid": str(given.get("uuid") or query.get("uuid", [in_path])[0]),
    }


def _object(body: bytes) -> Mapping[str, object]:
    try:
        given = decode(body) if body else {}
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}
