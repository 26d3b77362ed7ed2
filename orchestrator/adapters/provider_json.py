"""The provider's JSON: written exactly, read tolerantly."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NoReturn, cast

import simplejson

_MOST_DIGITS = 100  # of a number; no amount or identifier comes near
_MOST_DEPTH = 64
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def write_json(body: Mapping[str, object]) -> bytes:
    """The body as JSON in ASCII. Decimals are written exactly and without an exponent (contract D-14).

    Raises TypeError for a float, bytes or any other type, ValueError for a Decimal that is not finite.
    """
    text: str = simplejson.dumps(_plain(body), separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def read_json(raw: bytes) -> tuple[object, bool]:
    """(parsed, True), or (None, False) where the bytes are not JSON that we can use. Raises nothing.

    Numbers become int or Decimal; NaN and Infinity, numbers of more than 100 digits or places and nesting
    beyond 64 are not JSON. The last of duplicate keys wins; what is not UTF-8 becomes U+FFFD.
    """
    text = raw.decode("utf-8-sig", errors="replace")
    try:
        parsed = json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=_refuse)
        if text.count("[") + text.count("{") > _MOST_DEPTH or _ESCAPED_SURROGATE.search(text):
            parsed = _mended(parsed, _MOST_DEPTH)
    except (ValueError, ArithmeticError, RecursionError):
        return None, False
    return parsed, True


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        return _exact(value)
    if isinstance(value, Mapping):
        return {_name(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__} cannot be sent to the provider")


def _name(key: object) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"a {type(key).__name__} cannot be the name of a field")


def _exact(value: Decimal) -> object:
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
        raise ValueError("this number cannot be sent to the provider")
    if value == value.to_integral_value():
        return int(value)
    return simplejson.RawJSON(format(value, "f"))


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if len(text) > _MOST_DIGITS or abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError("no number of a payment")
    return number


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("no number of a payment")
    return int(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _mended(value: object, depth_left: int) -> object:
    """The same value without lone surrogates, which nothing downstream could encode."""
    if depth_left < 0:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("�", value)
    if isinstance(value, list):
        return [_mended(item, depth_left - 1) for item in value]
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return {_LONE_SURROGATE.sub("�", name): _mended(item, depth_left - 1) for name, item in fields.items()}
    return value
