"""How each fault of a request happens."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from sandbox import wire
from sandbox.exchange import Answer, Exchange, Headers
from sandbox.faults import Fault
from sandbox.replies import encode

HTML = b"<html><body><h1>It works!</h1></body></html>"


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


MISHAPS: Mapping[str, Callable[[Exchange, Fault], Awaitable[None]]] = {
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
