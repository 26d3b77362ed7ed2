"""Who may be paid here and how, kept up with the merchants file while the process runs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.adapters.call_rate import CallRate
    from orchestrator.adapters.hello_clever import Credentials
    from orchestrator.policy import Looks
    from orchestrator.ports import Journal

LOOK_EVERY_S = 2.0
Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What is configured of merchants; a rate or schedule is there where it is the merchant's own."""

    names: frozenset[str]
    credentials: Mapping[str, Credentials]
    rates: Mapping[str, CallRate] = field(default_factory=dict)
    looks: Mapping[str, Looks] = field(default_factory=dict)


class Merchants(Collection[str]):
    """The names are looked up here by the intake; `credentials` and `looks` are changed in place by a new file.

    `read` gives the terms and raises ValueError with a sentence. A file that it refuses changes nothing. Credentials
    are never taken away while the process runs: payments of a merchant that was removed are followed to their end.
    Belongs to one thread.
    """

    def __init__(self, read: Callable[[], Terms], *, file: Path | None, rate: CallRate, journal: Journal) -> None:
        """Raises ValueError where the file is refused now."""
        self._read = read
        self._file = file
        self._rate = rate
        self._journal = journal
        self._stamp = self._look()
        self._terms = read()
        self.credentials: dict[str, Credentials] = dict(self._terms.credentials)
        self.looks: dict[str, Looks] = dict(self._terms.looks)

    def __contains__(self, merchant: object) -> bool:
        """Whether intents of the merchant are taken; one that is not known may have just been added."""
        if merchant not in self._terms.names:
            self.refresh()
        return merchant in self._terms.names

    def __iter__(self) -> Iterator[str]:
        """All merchants, as last read."""
        return iter(sorted(self._terms.names))

    def __len__(self) -> int:
        return len(self._terms.names)

    def rate_of(self, merchant: str) -> CallRate:
        """The merchant's own limit, or everybody's."""
        return self._terms.rates.get(merchant, self._rate)

    def refresh(self) -> None:
        """Read the file again if it is another one than last time."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            terms = self._read()
        except ValueError as error:
            self._journal.warning("merchants.refused", error=str(error))
            return
        added, removed = sorted(terms.names - self._terms.names), sorted(self._terms.names - terms.names)
        self._terms = terms
        self.credentials.update(terms.credentials)
        self.looks.clear()
        self.looks.update(terms.looks)
        self._journal.info("merchants.reloaded", added=added, removed=removed)

    async def watch(self) -> None:
        """Refresh for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.refresh()

    def _look(self) -> Stamp:
        """What tells one file from another: replaced, or written anew."""
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
