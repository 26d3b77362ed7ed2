"""What reaches a screen: rich on a terminal, plain text elsewhere, and nothing that I8 forbids."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from orchestrator.card_numbers import mask_text
from orchestrator.money import EXPONENTS

MASK = "***"
_ADDRESS = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{1,20})://\S+")
_ACTION_SHOWN = frozenset({"type", "purpose", "expires_at"})


def say(text: str = "") -> None:
    """A line on standard output."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Lines on standard error."""
    sys.stderr.write("".join(f"{printable(line)}\n" for line in text.splitlines()))


def say_json(value: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table; without a terminal aligned text of which nothing is cut off."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        for row in (columns, *cells):
            say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        # What names the row is needed whole, to be copied.
        table.add_column(column, no_wrap=number == 0, overflow="ignore" if number == 0 else "fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def printable(text: str) -> str:
    """The text on one line, without what a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


def masked_view(data: Mapping[str, Any], *, show_action: bool = False) -> dict[str, Any]:
    """A public view or an event's data whose addresses and payment codes are masked."""
    shown = dict(data)
    action = shown.get("next_action")
    if action and not show_action:
        shown["next_action"] = {key: value if key in _ACTION_SHOWN else MASK for key, value in action.items()}
    for name in ("failure", "metadata"):
        shown[name] = _without_addresses(shown.get(name))
    return shown


def without_addresses(text: str) -> str:
    """The text with card numbers masked, and of each address only its scheme."""
    return _ADDRESS.sub(rf"\1://{MASK}", mask_text(text))


def amount(minor: int | None, currency: str) -> str:
    """`100.00 AUD`."""
    if minor is None:
        return "-"
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        return f"{minor} minor units of {currency}"
    return f"{Decimal(minor).scaleb(-exponent):f} {currency}"


def moment(at_ms: int) -> str:
    """`2026-11-21 02:03:04Z`."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span(age_ms: int) -> str:
    """`42s`, `7m`, `3h`, `12d`."""
    age_s = max(age_ms, 0) // 1000
    for unit_s, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if age_s >= 2 * unit_s:
            return f"{age_s // unit_s}{unit}"
    return f"{age_s}s"


def _without_addresses(value: Any) -> Any:
    if isinstance(value, str):
        return without_addresses(value)
    if isinstance(value, Mapping):
        return {key: _without_addresses(item) for key, item in value.items()}
    return value
