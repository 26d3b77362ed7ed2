"""Recognise and mask card numbers: we hold tokens only (interface 1)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT_FIELDS = frozenset({"account_number", "payer_account_no", "document_number"})
_EXEMPT_AT_TOP = frozenset({"intent_id"})
_PARAMS = "method.payin_method_params"
_RUN = re.compile(r"[0-9](?:[ -]*[0-9])*", re.ASCII)
_GROUP = re.compile(r"[0-9]+")
_DIGITS_MIN, _DIGITS_MAX = 13, 19
# Digits, space and hyphen as JSON may write them; other escapes cannot stand in a card number.
_ESCAPE = re.compile(r"\\u00(3[0-9]|20|2[dD])")

# First digits from, to, and the lengths a card of that brand has.
_BRANDS: tuple[tuple[str, str, frozenset[int]], ...] = (
    ("4", "4", frozenset({13, 16, 19})),
    ("51", "55", frozenset({16})),
    ("2221", "2720", frozenset({16})),
    ("34", "34", frozenset({15})),
    ("37", "37", frozenset({15})),
    ("6011", "6011", frozenset(range(16, 20))),
    ("644", "649", frozenset(range(16, 20))),
    ("65", "65", frozenset(range(16, 20))),
    ("3528", "3589", frozenset(range(16, 20))),
    ("62", "62", frozenset(range(16, 20))),
    ("36", "36", frozenset(range(14, 20))),
    ("38", "39", frozenset(range(14, 20))),
    ("300", "305", frozenset(range(14, 20))),
)


def find_card_number(message: Any) -> str | None:
    """Where the first string holding a card number is (`metadata.note`), or None.

    Left out are `intent_id` and the documented account fields of `payin_method_params`.
    """
    return next((path for path, text in _strings(message, "") if _spans(text)), None)


def mask_text(text: str) -> str:
    """The text with every card number's digits but the last four replaced by asterisks."""
    parts, done = [], 0
    for start, end in _spans(text):
        parts += [text[done:start], _masked_number(text[start:end])]
        done = end
    return "".join([*parts, text[done:]])


def mask_body(body: bytes) -> tuple[bytes, bool]:
    """A message as it may be kept: (the body, False) where it holds no card number, else (masked, True)."""
    text = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), body.decode("utf-8", "replace"))
    masked = mask_text(text)
    try:
        parsed = json.loads(text, parse_float=_float)
    except (ValueError, RecursionError):
        return (body, False) if masked == text else (masked.encode(), True)
    screened = _masked(parsed)
    if masked == text and screened == parsed:
        return body, False
    return json.dumps(screened, ensure_ascii=False).encode("utf-8", "replace"), True


def _masked_number(number: str) -> str:
    digits_left = sum(char.isdigit() for char in number) - 4
    masked = []
    for char in number:
        masked.append("*" if char.isdigit() and digits_left > 0 else char)
        digits_left -= char.isdigit()
    return "".join(masked)


def _float(written: str) -> float | str:
    masked = mask_text(written)
    return float(written) if masked == written else masked


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            yield inner, str(key)
            if inner in _EXEMPT_AT_TOP or (path == _PARAMS and key in ACCOUNT_FIELDS and isinstance(item, str)):
                continue
            yield from _strings(item, inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, f"{path}[{index}]")


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {mask_text(key): _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and mask_text(str(value)) != str(value):
        return mask_text(str(value))
    return value


def _spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each card number: consecutive digit groups of a run that make one up."""
    found: list[tuple[int, int]] = []
    for run in _RUN.finditer(text):
        groups = list(_GROUP.finditer(text, run.start(), run.end()))
        first = 0
        while first < len(groups):
            last = _last_of_card(groups, first)
            if last is None:
                first += 1
            else:
                found.append((groups[first].start(), groups[last].end()))
                first = last + 1
    return found


def _last_of_card(groups: list[re.Match[str]], first: int) -> int | None:
    """Where the card number that begins with this group ends; looks no further than a number is long."""
    digits = ""
    for last in range(first, min(first + _DIGITS_MAX, len(groups))):
        digits += groups[last].group()
        if len(digits) > _DIGITS_MAX:
            return None
        if len(digits) >= _DIGITS_MIN and _has_brand(digits) and _passes_luhn(digits):
            return last
    return None


def _has_brand(digits: str) -> bool:
    return any(low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _BRANDS)


def _passes_luhn(digits: str) -> bool:
    doubled = [int(d) if n % 2 == 0 else sum(divmod(2 * int(d), 10)) for n, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
