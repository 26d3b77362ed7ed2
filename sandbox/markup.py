"""HTML built from elements, so that nothing reaches a page unescaped."""

from collections.abc import Sequence
from html import escape
from itertools import chain

VOID = frozenset({"input", "link", "meta"})


class Markup(str):
    """Text that is HTML already; any other text is escaped."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | bool) -> Markup:
    """Return an element; `class_` is written `class`, an attribute that is False is left out, True has no value."""
    given = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not False)
    written = "".join(f" {key}" if value is True else f' {key}="{escape(str(value))}"' for key, value in given)
    end = "" if name in VOID else f"</{name}>"
    return Markup(f"<{name}{written}>{join(*children)}{end}")


def join(*children: str) -> Markup:
    """Return the children one after the other, escaped where they are no markup."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def table(heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Markup:
    """Return a table in a box that scrolls sideways where the page is too narrow."""
    head = tag("tr", *(tag("th", text, scope="col") for text in heads))
    body = (tag("tr", *(tag("td", cell) for cell in row)) for row in rows)
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll", tabindex="0")


def facts(pairs: dict[str, str]) -> Markup:
    """Return a list of names and values."""
    items = chain.from_iterable((tag("dt", name), tag("dd", value)) for name, value in pairs.items())
    return tag("dl", *items)
