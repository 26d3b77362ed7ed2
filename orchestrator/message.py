"""The bytes of a message as a JSON object: bounded, without surprises, CloudEvents unwrapped."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from orchestrator.errors import RefusedError

BODY_MAX_BYTES = 64 * 1024
DEPTH_MAX = 32
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # the Unicode categories Cc and Cs


def parse_message(body: bytes) -> dict[str, Any]:
    """The intent or command in a message; a CloudEvents 1.0 structured message is unwrapped.

    Raises RefusedError: too_large, invalid_json, not_an_object, duplicate_field, too_deep, control_character.
    """
    if len(body) > BODY_MAX_BYTES:
        raise RefusedError("too_large", f"The message has {len(body)} bytes; at most {BODY_MAX_BYTES} are taken.")
    try:
        parsed = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant
        )
    except RecursionError:
        raise RefusedError("too_deep", f"The message is nested deeper than {DEPTH_MAX} levels.") from None
    except ValueError as error:
        raise RefusedError("invalid_json", f"The message is not UTF-8 JSON: {_shown(str(error))}.") from None
    if not isinstance(parsed, dict):
        raise RefusedError("not_an_object", "The message must be one JSON object.")
    if "specversion" in parsed and "data" in parsed:
        parsed = parsed["data"]
        if not isinstance(parsed, dict):
            raise RefusedError("not_an_object", "The CloudEvent's data must be one JSON object.", field="data")
    _check_strings(parsed, "", 1)
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for key, value in pairs:
        if key in unique:
            name = _shown(key)
            raise RefusedError("duplicate_field", f"The field {name!r} is given twice; give it once.", field=name)
        unique[key] = value
    return unique


def _finite(written: str) -> float:
    number = float(written)
    if math.isinf(number):
        _no_constant(_shown(written))
    return number


def _no_constant(name: str) -> None:
    message = f"{name} is not a JSON number"
    raise ValueError(message)


def _check_strings(value: Any, path: str, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise RefusedError("too_deep", f"The message is nested deeper than {DEPTH_MAX} levels.")
    if isinstance(value, str) and _CONTROL.search(value):
        name = path or "message"
        raise RefusedError(
            "control_character", f"{name} holds a control character; remove it (line breaks too).", field=name
        )
    if isinstance(value, dict):
        for key, item in value.items():
            name = _shown(key)
            _check_strings(key, f"{path}.{name}" if path else name, depth + 1)
            _check_strings(item, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_strings(item, f"{path}[{index}]", depth + 1)


def _shown(text: str) -> str:
    """A received name fit for an error text: printable, short."""
    shown = text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
    return shown[:80]
