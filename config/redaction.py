"""What may be written to a log: plain values under harmless names; the rest is masked (invariant I8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

MASK = "***"
DEPTH_MAX = 6
TEXT_MAX = 16_384

# A key is masked if one of its words is here ("redirect_url", "X-Secret-Key", "customerEmail", "url2").
_SENSITIVE_WORDS = frozenset(
    (
        *("secret", "secrets", "token", "tokens", "authorization", "auth", "credential", "credentials"),
        *("password", "passwd", "passphrase", "signature", "hmac", "key", "keys", "cookie", "cookies"),
        *("url", "urls", "uri", "uris", "link", "links", "href", "query", "headers", "params", "metadata"),
        *("body", "payload", "raw", "content", "code", "codes", "otp", "pan", "card", "cvv", "cvc"),
        *("iban", "bsb", "account", "accounts", "email", "emails", "phone", "address", "customer"),
        *("shipping", "first_name", "last_name", "args", "kwargs"),
    )
)
# Nobody joins these to another word by accident ("authtoken", "returnurl").
_SENSITIVE_ENDS = ("secret", "token", "password", "authorization", "url", "secretkey", "apikey")
# Names with such a word whose values are ours and harmless.
_HARMLESS_KEYS = frozenset(
    (
        *("status_code", "exit_code", "error_code", "refusal_code", "routing_key"),
        *("body_bytes", "body_sha256", "content_type", "content_length"),
    )
)
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")

# An address keeps scheme, host and port: enough to see whom it means.
_ADDRESS = re.compile(
    r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://)(?:[^\s/@'\"<>]*@)?(?P<host>[^\s/?#'\"<>]*)(?P<rest>[^\s'\"<>]*)"
)
_PROVIDER_TOKEN = re.compile(r"tok_[A-Za-z0-9_\-]+")
_WEBHOOK_AUTHORIZATION = re.compile(r"po1\.[A-Za-z0-9_\-.=]+")
_JSON_WEB_TOKEN = re.compile(r"(?<![\w\-])eyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)?")
_SCHEME_AND_CREDENTIAL = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/_\-.=]{6,}")
# secret-key: abc, 'access_token': 'abc', password=abc
_NAMED_VALUE = re.compile(
    r"(?i)(?<![\w\-])(?P<name>[\w\-]{0,60}?(?:secret|token|passw(?:or)?d|authorization|credential|api[-_]?key|cvv|cvc|otp)"
    r"[\w\-]{0,60})(?P<between>['\"]?\s*[:=]\s*)(?P<quote>b?['\"]?)(?P<value>[^\s'\",;&}\])]+)"
)
_DIGITS = re.compile(r"\d(?:[ \-]?\d){12,}")
_CARD = re.compile(
    r"4\d{12}(?:\d{3})?(?:\d{3})?"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}"
    r"|(?:6011|64[4-9]\d|65\d\d|352[89]|35[3-8]\d|62\d\d)\d{12,15}"
    r"|(?:36|38|39|30[0-5])\d{11,17}"
)


def redact(event: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a log event that may be shown: sensitive keys masked, patterns in every text masked."""
    shown: dict[str, Any] = _items(event, 1)
    return shown


def redact_text(text: str) -> str:
    """The text without card numbers, tokens, credentials and the tails of addresses."""
    return _text(text)


def is_sensitive(key: str) -> bool:
    """Whether a value under this name is never shown, whatever it is."""
    if key.lower() in _HARMLESS_KEYS:
        return False
    words = [word.lower().rstrip("0123456789") for word in _WORD_ENDS.split(key)]
    named = {*words, *("_".join(pair) for pair in pairwise(words))}
    return not _SENSITIVE_WORDS.isdisjoint(named) or any(word.endswith(_SENSITIVE_ENDS) for word in words)


def _value(value: Any, depth: int) -> Any:
    """Plain values stay; whatever else comes shows itself as it likes, so its text is searched."""
    if value is None or isinstance(value, bool | float | Decimal | date | datetime):
        return value
    if isinstance(value, int):
        return value if _text(str(value)) == str(value) else MASK
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _items(value, depth + 1) if depth < DEPTH_MAX else MASK
    return _text(value if isinstance(value, str) else repr(value))


def _items(value: Any, depth: int) -> Any:
    if not isinstance(value, Mapping):
        return [_value(item, depth) for item in value]
    pairs = ((str(key), item) for key, item in value.items())
    return {_text(key): MASK if is_sensitive(key) else _value(item, depth) for key, item in pairs}


def _text(text: str) -> str:
    if len(text) > TEXT_MAX:
        text = f"{text[:TEXT_MAX]}… ({len(text)} characters)"
    text = _ADDRESS.sub(_host_only, text)
    text = _WEBHOOK_AUTHORIZATION.sub(f"po1.{MASK}", text)
    text = _PROVIDER_TOKEN.sub(f"tok_{MASK}", text)
    text = _JSON_WEB_TOKEN.sub(MASK, text)
    text = _SCHEME_AND_CREDENTIAL.sub(rf"\1 {MASK}", text)
    text = _NAMED_VALUE.sub(rf"\g<name>\g<between>\g<quote>{MASK}", text)
    return _DIGITS.sub(_without_card, text)


def _host_only(match: re.Match[str]) -> str:
    tail = match["rest"]
    return f"{match['scheme']}{match['host']}{tail if tail in {'', '/'} else '/' + MASK}"


def _without_card(match: re.Match[str]) -> str:
    """Masks the whole run if a card number is anywhere in it: an expiry date may follow without a gap."""
    digits = re.sub(r"\D", "", match[0])
    return MASK if _holds_card(digits) else match[0]


def _holds_card(digits: str) -> bool:
    return any(
        _CARD.fullmatch(window) and passes_luhn(window)
        for start in range(len(digits) - 12)
        for window in (digits[start : start + length] for length in range(13, 20))
        if start + len(window) <= len(digits)
    )


def passes_luhn(digits: str) -> bool:
    """The check digit of card numbers."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if position % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
