"""From a streamed HTTP answer to a Reply: bounded, whole or nothing."""

from __future__ import annotations

import errno
import re
import zlib
from email.utils import parsedate_to_datetime

import httpx

from orchestrator.adapters.provider_json import read_json
from orchestrator.errors import PayorchError
from orchestrator.ports import Reply

_MOST_RETRY_AFTER_S = 3600
_SECONDS = re.compile(r"[0-9]{1,18}", re.ASCII)
_ENCODINGS = {"gzip": 47, "x-gzip": 47, "deflate": 47}  # zlib: 32 finds the header, 15 is the window


class UnreadableAnswerError(PayorchError):
    """The answer is no final one, larger than we are ready to hold, cut, or encoded as we did not ask for."""


async def read_reply(response: httpx.Response, *, body_cap_bytes: int, now_ms: int) -> Reply:
    """The whole answer. Raises UnreadableAnswerError, or what the connection raises while it is read."""
    if response.status_code < 200:
        raise UnreadableAnswerError("the provider wants to speak another protocol")
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    raw = await _read_capped(response, body_cap_bytes)
    body, is_json = read_json(_decoded(raw, encoding, body_cap_bytes))
    return Reply(
        sent=True,
        http_status=response.status_code,
        body=body,
        is_json=is_json,
        retry_after_s=retry_after_s(response.headers.get("retry-after"), now_ms=now_ms),
    )


def retry_after_s(text: str | None, *, now_ms: int) -> int | None:
    """Whole seconds of a Retry-After header (seconds or HTTP date), 0 to 3600; None where it says nothing."""
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return min(int(text), _MOST_RETRY_AFTER_S)
    try:
        at_s = int(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return min(max(at_s - now_ms // 1000, 0), _MOST_RETRY_AFTER_S)


def describe(error: BaseException) -> str:
    """The classes of an exception and its causes, and the names of errno: no text that others wrote."""
    words: list[str] = []
    # What httpx makes of aiohttp's exception misleads: a refused connection becomes a ConnectTimeout.
    misleads = isinstance(error, httpx.HTTPError) and error.__cause__ is not None
    cause = error.__cause__ if misleads else error
    while cause is not None and len(words) < 6:
        words.append(type(cause).__name__)
        if isinstance(cause, OSError) and (cause.errno or 0) in errno.errorcode:
            words.append(errno.errorcode[cause.errno or 0])
        cause = cause.__cause__
    return "/".join(words)[:200]


async def _read_capped(response: httpx.Response, cap_bytes: int) -> bytes:
    raw = bytearray()
    async for chunk in response.aiter_raw():
        raw += chunk
        if len(raw) > cap_bytes:
            raise UnreadableAnswerError("the body is too large")
    return bytes(raw)


def _decoded(raw: bytes, encoding: str, cap_bytes: int) -> bytes:
    if encoding in {"identity", ""} or not raw:
        return raw
    if encoding not in _ENCODINGS:
        raise UnreadableAnswerError("the body is in an encoding that was not asked for")
    decoder = zlib.decompressobj(_ENCODINGS[encoding])
    try:
        plain = decoder.decompress(raw, cap_bytes + 1)
    except zlib.error as error:
        raise UnreadableAnswerError("the body is not what its encoding says") from error
    if len(plain) > cap_bytes or not decoder.eof:
        raise UnreadableAnswerError("the body is too large or cut")
    return plain
