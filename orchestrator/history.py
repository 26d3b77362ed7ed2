"""A payment's history: what was said, done and decided, in order, bounded, with nothing secret in it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from orchestrator.card_numbers import mask_text

FIRST_KEPT = 10
LAST_KEPT = 50
WORDS_REMEMBERED = 256  # the provider says few different ones
HIDDEN = "?"
# Words of the provider's that may be shown: no address, no run of digits that could be a code or a number.
_WORD = re.compile(r"(?!(?:tok|sk|pk)_|eyJ)[A-Za-z](?:[A-Za-z_.-]|[0-9]{1,4}(?![0-9])){0,39}", re.ASCII)

_NAME = re.compile(r"(?!(?:tok|sk|pk)_|eyJ|po1\.)[A-Za-z0-9][A-Za-z0-9_.@+:-]{0,79}", re.ASCII)


class What(StrEnum):
    """Who or what an entry tells of."""

    INTENT = "intent"
    COMMAND = "command"
    PERSON = "person"  # a decision by hand
    CALL = "call"  # marked as sending; the request goes out after it
    REPLY = "reply"
    WEBHOOK = "webhook"
    READ = "read"
    SCAN = "scan"
    CLOCK = "clock"  # a move of our own: a deadline, a review, another attempt
    LEFT = "left"  # calls whose worker is gone
    TAIL_LOST = "tail_lost"  # confirmed writes are gone, the mark of a call perhaps among them
    PARKED = "parked"
    UNREADABLE = "unreadable"  # an observation that no version of ours wrote
    LEFT_OUT = "left_out"  # entries between the first and the last, which are not kept


class Verdict(StrEnum):
    """What became of what was said."""

    APPLIED = "applied"
    SAME = "same"  # nothing new
    STALE = "stale"  # out of order: the payment is past it
    TO_CONFIRM = "to_confirm"  # applied, or not, by the read that was asked for
    UNUSABLE = "unusable"
    ABSENT = "absent"  # it does not show what was looked for
    NOT_OURS = "not_ours"
    UNKNOWN = "unknown"  # a status that nobody documents
    NOT_EXECUTED = "not_executed"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    REPEATED = "repeated"  # a command that was answered before


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of the history; the same said again in a row raises `times`."""

    at_ms: int
    what: str  # a What; kept as text, so that a word of a later version can be read
    said: str = ""
    verdict: str = ""  # a Verdict, or empty
    detail: str = ""  # what it led to, or the code of a refusal
    times: int = 1
    last_at_ms: int = 0  # of the last of them; 0 where it was said once


def line_of(entry: Entry) -> str:
    """The entry as it is kept: `at|what|said|verdict|detail`, or `at+times+last|…` where it was said again.

    A payment is written and read at every step, its history by people only: lines cost it nearly nothing.
    """
    head = f"{entry.at_ms}+{entry.times}+{entry.last_at_ms}" if entry.times > 1 else str(entry.at_ms)
    rest = (entry.what, entry.said, entry.verdict, entry.detail)
    return "|".join((head, *(text.replace("|", "/") for text in rest)))


def entry_of(line: str) -> Entry:
    """The entry in a line; raises ValueError where it is none."""
    head, what, said, verdict, detail = line.split("|", 4)
    at_ms, times, last_at_ms = (*head.split("+"), "1", "0")[:3]
    return Entry(
        at_ms=int(at_ms),
        what=what,
        said=said,
        verdict=verdict,
        detail=detail,
        times=int(times),
        last_at_ms=int(last_at_ms),
    )


def added(history: tuple[str, ...], line: str) -> tuple[str, ...]:
    """The history with one line more: at most the first 10, the last 50, and one that counts those between."""
    place = _said_before(history, line)
    if place is not None:
        return (*history[:place], _again(history[place], line), *history[place + 1 :])
    longer = (*history, line)
    return longer if len(longer) <= FIRST_KEPT + LAST_KEPT else _shortened(longer)


def word(value: object) -> str:
    """A word of the provider's as it may be kept, a question mark for any other text, nothing for none."""
    return _shown(value) if isinstance(value, str) and value else ""


def name(value: str) -> str:
    """Somebody's name or id as it may be kept, a question mark where it could be more than that."""
    return value if _NAME.fullmatch(value) and mask_text(value) == value else HIDDEN


@lru_cache(WORDS_REMEMBERED)
def _shown(value: str) -> str:
    return value if _WORD.fullmatch(value) and mask_text(value) == value else HIDDEN


def _said_before(history: tuple[str, ...], line: str) -> int | None:
    """Where the same stands as the latest; of a call that is tried again and again, before its last reply."""
    if not history:
        return None
    last, said = len(history) - 1, _said(line)
    if _said(history[last]) == said:
        return last
    if last and said.startswith(_CALL) and _NOT_EXECUTED in history[last]:
        return last - 1 if _said(history[last - 1]) == said else None
    return None


_CALL = f"{What.CALL}|"
_NOT_EXECUTED = f"|{Verdict.NOT_EXECUTED}|"


def _said(line: str) -> str:
    return line.partition("|")[2]


def _again(earlier: str, line: str) -> str:
    entry = entry_of(earlier)
    return line_of(replace(entry, times=entry.times + 1, last_at_ms=entry_of(line).at_ms))


def _shortened(longer: tuple[str, ...]) -> tuple[str, ...]:
    dropped = [entry_of(line) for line in longer[FIRST_KEPT:-LAST_KEPT]]
    gap = Entry(
        at_ms=dropped[0].at_ms,
        what=What.LEFT_OUT,
        times=sum(entry.times for entry in dropped),
        last_at_ms=dropped[-1].last_at_ms or dropped[-1].at_ms,
    )
    return (*longer[:FIRST_KEPT], line_of(gap), *longer[-LAST_KEPT:])
