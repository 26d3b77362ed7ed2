"""In front of the API: notes every request, adds latency and lets the ordered faults happen."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox import wire
from sandbox.faults import REQUEST_FAULTS, Fault
from sandbox.ledger import Request
from sandbox.provider import Provider
from sandbox.replies import decode, encode

CONTROL = "/_sandbox"
BODY_BYTES_MOST = 1024 * 1024
HTML = b"<html><body><h1>It works!</h1></body></html>"
Headers = list[tuple[bytes, bytes]]


@dataclass(kw_only=True, slots=True)
class Answer:
    """What the application answered."""

    status: int = 500
    headers: Headers = field(default_factory=list)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """One request with its body read, and the ways to end it."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    body: bytes
    record: Request

    async def perform(self) -> Answer:
        """Let the application do it; its answer is kept back."""
        answer = Answer()
        unread = [{"type": "http.request", "body": self.body, "more_body": False}]

        async def receive() -> Message:
            return unread.pop() if unread else await self.receive()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.headers = message["status"], list(message["headers"])
            else:
                answer.body += message.get("body", b"")

        await self.app(self.scope, receive, send)
        return answer

    async def reply(self, answer: Answer, *, cut_at: int | None = None) -> None:
        """Send an answer, or its first `cut_at` bytes only."""
        self.record.status = answer.status
        await self.send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await self.send(
            {"type": "http.response.body", "body": answer.body[:cut_at], "more_body": cut_at is not None}
        )

    async def vanish(self, *, reset: bool = False) -> None:
        """Cut the connection."""
        await wire.cut(self.scope, self.receive, reset=reset)


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
        await FAULTS[fault.name](exchange, fault)


async def answer_instead(exchange: Exchange, fault: Fault) -> None:
    """Answer as ordered without doing it."""
    await exchange.reply(_ordered(fault, status=500))


async def answer_wrongly(exchange: Exchange, fault: Fault) -> None:
    """Do it, then answer as ordered."""
    await exchange.perform()
    await exchange.reply(_ordered(fault, status=502))


async def lose_reply(exchange: Exchange, fault: Fault) -> None:
    """Do it, then cut the connection without a byte of reply."""
    await exchange.perform()
    await exchange.vanish(reset=fault.options.get("reset") is True)


async def hang(exchange: Exchange, _: Fault) -> None:
    """Do it and never answer."""
    await exchange.perform()
    await wire.until_gone(exchange.receive)


async def drop_before(exchange: Exchange, fault: Fault) -> None:
    """Cut the connection before doing anything."""
    await exchange.vanish(reset=fault.options.get("reset") is True)


async def delay(exchange: Exchange, fault: Fault) -> None:
    """Answer late: the waiting comes before the deed, or with `after` behind it."""
    delay_ms = fault.options.get("delay_ms", 1000)
    delay_s = (delay_ms if isinstance(delay_ms, int) else 1000) / 1000
    if fault.options.get("after"):
        answer = await exchange.perform()
        await asyncio.sleep(delay_s)
    else:
        await asyncio.sleep(delay_s)
        answer = await exchange.perform()
    await exchange.reply(answer)


async def garbage(exchange: Exchange, _: Fault) -> None:
    """Do it, then answer 200 with something that is no JSON."""
    await exchange.perform()
    await exchange.reply(Answer(status=200, headers=_headers(HTML, b"text/html"), body=HTML))


async def truncate(exchange: Exchange, _: Fault) -> None:
    """Do it, then cut the connection in the middle of the answer's body."""
    answer = await exchange.perform()
    await exchange.reply(answer, cut_at=len(answer.body) // 2)
    await exchange.vanish()


FAULTS: Mapping[str, Callable[[Exchange, Fault], Awaitable[None]]] = {
    "status": answer_instead,
    "done_then_status": answer_wrongly,
    "lose_reply": lose_reply,
    "hang": hang,
    "drop_before": drop_before,
    "delay_ms": delay,
    "garbage": garbage,
    "truncate": truncate,
}


def _ordered(fault: Fault, *, status: int) -> Answer:
    wanted, body, headers = (fault.options.get(key) for key in ("status", "body", "headers"))
    raw = body.encode() if isinstance(body, str) else b"" if body is None else encode(body)
    more = headers if isinstance(headers, dict) else {}
    return Answer(
        status=wanted if isinstance(wanted, int) else status,
        headers=_headers(raw, b"application/json")
        + [(str(key).lower().encode(), str(value).encode()) for key, value in more.items()],
        body=raw,
    )


def _headers(body: bytes, content_type: bytes) -> Headers:
    return [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]


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
