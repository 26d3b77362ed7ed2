"""A provider's list, page after page, and whether it was read to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.flows.provider_object import text, unwrap
from orchestrator.outcome import Verdict, verdict_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from orchestrator.ports import Reply

    Records = list[Mapping[str, Any]]


@dataclass(slots=True)
class ListPages:
    """The pages of a list; `is_whole` says afterwards whether it was read to its end."""

    is_whole: bool = False

    async def read(self, ask: Callable[[int], Awaitable[Reply | None]], *, pages_max: int) -> AsyncIterator[Records]:
        """The records of each page that `ask` gets by its number, from 1 on.

        Ends early where it gets none, where an answer is no page, and where the same page comes again: its number
        is not heeded, and there is no more to learn.
        """
        before: Records | None = None
        so_far = 0
        for page in range(1, pages_max + 1):
            reply = await ask(page)
            records = records_in(reply) if reply is not None else None
            if reply is None or records is None or (records and records == before):
                return
            so_far += len(records)
            self.is_whole = _is_last(reply, records, page=page, so_far=so_far)
            yield records
            if self.is_whole:
                return
            before = records


def records_in(reply: Reply) -> Records | None:
    """The records of a page, one that is no object as an empty one; None where the reply is no page."""
    body = unwrap(reply.body) if verdict_of(reply) is Verdict.ANSWERED else None
    records = body.get("records") if body else None
    return [record if isinstance(record, dict) else {} for record in records] if isinstance(records, list) else None


def _is_last(reply: Reply, of_page: Records, *, page: int, so_far: int) -> bool:
    """An empty page ends the list. So does a short one, where the pages' length is told and nothing tells of more.

    Which of `total` and `total_page` counts what is not certain (T-29): either can only make us read on.
    """
    if not of_page:
        return True
    length, pages, total = (_told(reply, name) for name in ("per_page", "total_page", "total"))
    return length is not None and len(of_page) < length and page >= (pages or 0) and so_far >= (total or 0)


def _told(reply: Reply, name: str) -> int | None:
    """What the provider says of its list: a positive number, or nothing."""
    number = text((unwrap(reply.body) or {}).get(name))
    return int(number) if number is not None and number.isdecimal() and int(number) > 0 else None
