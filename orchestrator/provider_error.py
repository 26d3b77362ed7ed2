"""What the provider says when it says no, in whatever shape it says it (contract 1.6, D-12)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import islice
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_CHARACTERS = 300
_MOST_CODE_CHARACTERS = 64
_MOST_READ = 4000  # characters of one text, before it is cleaned
_MOST_PARTS = 20
_MOST_DEPTH = 4
_CODE_NAMES = ("code", "error_code")
_TEXT_NAMES = ("message", "error_message", "detail", "error_description")
_ENVELOPES = ("errors", "error")

_INVISIBLE = re.compile(r"<(script|style)\b.*?(</\1\s*>|\Z)|<!--.*?(-->|\Z)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_SECRETS = (
    (re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,15}://\S+"), "[address]"),
    (re.compile(r"\beyJ[\w-]+(?:\.[\w-]*)*"), "[token]"),
    (re.compile(r"\b(bearer)\s+(?=\S*\d)\S{8,}", re.IGNORECASE), r"\1 [token]"),
    (re.compile(r"\b(tok|sk|pk)_(?=\w*\d)[\w-]{6,}", re.IGNORECASE), r"\1_[token]"),
    (
        re.compile(
            r"((?:(?:secret|app|api|access)[-_ ]?(?:key|token|id)|authori[sz]ation(?:_header)?)"
            r"[\"']?\s{0,3}[:=]\s{0,3})(?:basic\s|bearer\s)?\S+",
            re.IGNORECASE,
        ),
        r"\1[secret]",
    ),
    (re.compile(r"(?<![\w-])(?:\d[ -]?){11,18}\d(?![\w-])"), "[number]"),
    (re.compile(r"[\w+/=-]{40,}"), "[token]"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderError:
    """A refusal in one shape; `message` is never empty, one line, redacted, at most 300 characters."""

    http_status: int
    code: str | None
    message: str


def parse_error(http_status: int, body: object) -> ProviderError:
    """Read an error body of any shape; never raises.

    `body` is the parsed JSON, the text of a reply that was not JSON, or None.
    """
    texts = [text for text in map(_clean, islice(_texts(body, _MOST_DEPTH), _MOST_PARTS)) if text]
    message = "; ".join(dict.fromkeys(texts)) or f"HTTP {http_status} without an explanation"
    return ProviderError(http_status=http_status, code=_code(body), message=_cut(message, _MOST_CHARACTERS))


def plain(text: str) -> str:
    """What the provider wrote as one line of at most 300 characters, without markup and secrets; maybe nothing."""
    return _cut(_clean(text), _MOST_CHARACTERS)


def _code(body: object) -> str | None:
    """The first code: of the body, of what `errors` or `error` holds, or of the first of a list."""
    for part in _codes(body, _MOST_DEPTH):
        if isinstance(part, str | int) and not isinstance(part, bool):
            code = _cut(_clean(_text(part)), _MOST_CODE_CHARACTERS)
            if code:
                return code
    return None


def _codes(body: object, depth_left: int) -> Iterator[object]:
    if depth_left < 0:
        return
    if isinstance(body, Mapping):
        yield from (body[name] for name in _CODE_NAMES if name in body)
        for name in _ENVELOPES:
            yield from _codes(body.get(name), depth_left - 1)
    elif _is_list(body):
        for item in islice(body, _MOST_PARTS):
            yield from _codes(item, depth_left - 1)


def _texts(body: object, depth_left: int) -> Iterator[str]:
    """What was said, in order. Of an object at the top only what is named as an error is read, no echo."""
    if not isinstance(body, Mapping):
        yield from _said(body, depth_left)
        return
    for name in _ENVELOPES:
        yield from _said(body.get(name), depth_left)
    yield from (_text(body[name]) for name in _TEXT_NAMES if isinstance(body.get(name), str))


def _said(part: object, depth_left: int) -> Iterator[str]:
    """A text; a list of such; an object with a message, or a map of field to any of these."""
    if depth_left < 0 or part is None or isinstance(part, bool):
        return
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name not in _CODE_NAMES:
                label = "" if name in _TEXT_NAMES or name in _ENVELOPES else f"{_text(name).strip()}: "
                yield from (label + text.strip() for text in _said(value, depth_left - 1))
    elif _is_list(part):
        for item in part:
            yield from _said(item, depth_left - 1)
    else:
        yield _text(part)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return bytes(value[:_MOST_READ]).decode("utf-8", errors="replace")
    if isinstance(value, int) and value.bit_length() > _MOST_READ:
        return ""  # Python refuses to write out a number of so many digits
    return str(value)


def _clean(text: str) -> str:
    """One line without markup, control characters and secrets."""
    text = text[:_MOST_READ]
    text = unescape(_TAG.sub(" ", _INVISIBLE.sub(" ", text)))
    text = _UNPRINTABLE.sub(" ", text).strip()
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
