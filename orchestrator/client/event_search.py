"""Finds an event in the event log of Redis; knows the commands but not how they are sent (interface 2)."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

from orchestrator.identity import shard_of

if TYPE_CHECKING:
    from orchestrator.client.until import Wanted

PAGE = 500  # entries read at once
BLOCK_MS = 1000  # the longest single wait, below the socket's time-out
NO_SHARDS_PAUSE_S = 0.2
BEGINNING = "0-0"
_THREE_DIGITS_FROM = 101

Words = tuple[str | int, ...]
Step = Words | float  # a command whose answer is sent back, or seconds to pause
Search = Generator[Step, Any, dict[str, Any]]


def search(wanted: Wanted, *, namespace: str) -> Search:
    """Yield commands until an event meets the wait; returns its data, raises TimeoutError at the deadline.

    First backwards through what is there, so that of several events the newest counts, then forwards as
    events come: nothing is missed, whenever the wait begins. All commands are reads and may be repeated.
    """
    root = f"{namespace}payorch:"
    while (shards := (yield ("GET", f"{root}shards"))) is None:
        yield min(NO_SHARDS_PAUSE_S, wanted.left_s())
    prefix = f"{root}{_slot(wanted, int(shards))}:"
    newest, found = yield from _look_back(wanted, prefix)
    while found is None:
        block_ms = max(1, min(BLOCK_MS, int(wanted.left_s() * 1000)))
        answer = yield ("XREAD", "COUNT", PAGE, "BLOCK", block_ms, "STREAMS", f"{prefix}events", newest)
        for entry_id, body in _entries(answer[0][1] if answer else ()):
            newest = entry_id
            data = wanted.data_of(body)
            if data is not None and wanted.met(data):
                return data
    return found


def _look_back(wanted: Wanted, prefix: str) -> Generator[Step, Any, tuple[str, dict[str, Any] | None]]:
    """The id of the newest entry, and the newest event before it that meets the wait."""
    stream = f"{prefix}events"
    page = list(_entries((yield ("XREVRANGE", stream, "+", "-", "COUNT", PAGE))))
    newest = page[0][0] if page else BEGINNING
    # Asked after the newest entry was read: a payment that is not stored has no event up to there.
    if not (yield ("EXISTS", f"{prefix}payment:{wanted.key}")):
        return newest, None
    while page:
        for _, body in page:
            data = wanted.data_of(body)
            if data is not None and wanted.met(data):
                return newest, data
            if data is not None and data.get("sequence") == 1:
                return newest, None
        wanted.left_s()
        page = list(_entries((yield ("XREVRANGE", stream, f"({page[-1][0]}", "-", "COUNT", PAGE))))
    return newest, None


def _entries(answer: Iterable[Any]) -> Iterable[tuple[str, bytes]]:
    # An entry that was deleted meanwhile has no fields.
    return ((entry_id.decode(), (fields or {}).get(b"event", b"")) for entry_id, fields in answer)


def _slot(wanted: Wanted, shards: int) -> str:
    width = 3 if shards >= _THREE_DIGITS_FROM else 2
    number = f"{shard_of(wanted.key, shards=shards):0{width}}"
    return f"{{s{number}}}"
