"""Looking payments up in the provider's list: one scan answers for every payment in doubt that it covers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.doubt import grace_ends_ms
from orchestrator.flows.provider_object import status_word, text, time_ms
from orchestrator.limits import heed, permitted, told_to_wait_ms
from orchestrator.list_pages import ListPages
from orchestrator.payment import CREATE, Payment
from orchestrator.ports import CallClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.engine import Engine
    from orchestrator.flows.common import Scan
    from orchestrator.ports import Reply

    Place = tuple[str, str]  # credentials, flow
    Found = Mapping[str, tuple[Mapping[str, Any], ...]]

FRESH_MS = 5_000  # so long after its end a scan answers for others
SLACK_MS = 60_000  # a scan reaches back a little further, so that it covers those sent shortly before
PATIENCE_MS = 5_000  # a longer wait for a permit ends the scan; a shorter one is waited for, nothing starts over


@dataclass(frozen=True, kw_only=True, slots=True)
class ListScan:
    """What a scan found, by our id."""

    from_ms: int
    started_ms: int
    ended_ms: int
    found: Found = field(default_factory=dict)
    is_whole: bool = False  # read to its end, and every record names the payment it is of: absence means something
    wait_ms: int = 0  # it was not made: nobody may ask before then

    def answers(self, *, since_ms: int, from_ms: int, now_ms: int) -> bool:
        """Whether it began late enough, reaches back far enough and is fresh."""
        return self.started_ms >= since_ms and self.from_ms <= from_ms and now_ms <= self.ended_ms + FRESH_MS


@dataclass(slots=True)
class ListScans:
    """The latest scan of each list, in the memory of one process; forgetting it costs calls, nothing else."""

    _latest: dict[Place, ListScan] = field(default_factory=dict)
    _turns: defaultdict[Place, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def scan(self, payment: Payment, scan: Scan, *, engine: Engine) -> ListScan:
        """A scan that answers for this payment: somebody else's, or a new one, one at a time for each list."""
        place = (payment.credentials, payment.flow)
        from_ms = sent_ms(payment, engine) - engine.policy.scan_window_ms
        async with self._turns[place]:
            latest, now_ms = self._latest.get(place), engine.clock.now_ms()
            since_ms = _of_use_since_ms(payment, engine, now_ms=now_ms)
            if latest is None or not latest.answers(since_ms=since_ms, from_ms=from_ms, now_ms=now_ms):
                latest = await _made(payment, scan, from_ms - SLACK_MS, engine)
                if not latest.wait_ms:
                    self._latest[place] = latest
            return latest


def sent_ms(payment: Payment, engine: Engine) -> int:
    """When the create was sent, as far as is known."""
    create = payment.operations[CREATE]
    if create.attempt > 1 or create.is_unproven:  # the first attempt is looked for too; and one whose mark was lost
        return payment.accepted_at_ms
    return create.deadline_ms - engine.policy.call_total_ms if create.deadline_ms else payment.accepted_at_ms


def _of_use_since_ms(payment: Payment, engine: Engine, *, now_ms: int) -> int:
    """A scan that began earlier tells nothing new: it answered before, or its silence does not count any more."""
    grace_over_ms = grace_ends_ms(payment.create, engine.policy)
    heard_ms = -1 if payment.looked_at_ms is None else payment.looked_at_ms
    return max(payment.create.at_ms, heard_ms + 1, grace_over_ms if grace_over_ms <= now_ms else 0)


async def _made(payment: Payment, scan: Scan, from_ms: int, engine: Engine) -> ListScan:
    """Read page after page; a record's absence proves nothing, so an error just ends the scan early."""
    started_ms = engine.clock.now_ms()
    asking = _Asking(payment, scan, from_ms, started_ms + engine.policy.scan_window_ms, engine)
    pages = ListPages()
    records = [
        record async for page in pages.read(asking.ask, pages_max=engine.policy.scan_pages_max) for record in page
    ]
    ended_ms = engine.clock.now_ms()
    return ListScan(
        from_ms=from_ms,
        started_ms=started_ms,
        ended_ms=ended_ms,
        found=_by_id(records),
        is_whole=pages.is_whole and all(text(record.get("external_id")) for record in records),
        wait_ms=asking.wait_ms,
    )


@dataclass(slots=True)
class _Asking:
    """Asks for a page at a time; `wait_ms` says for how long nobody may ask, where it got none for that."""

    payment: Payment
    scan: Scan
    from_ms: int
    to_ms: int
    engine: Engine
    wait_ms: int = 0

    async def ask(self, page: int) -> Reply | None:
        async with AsyncExitStack() as calls:
            self.wait_ms = await _patient_permit(self.payment, self.engine, calls)
            if self.wait_ms:
                return None
            request = self.scan.request(self.payment, self.from_ms, self.to_ms, page)
            reply = await self.engine.provider.call(request)
        await heed(reply, request, engine=self.engine, key=self.payment.key)
        self.wait_ms = told_to_wait_ms(reply, engine=self.engine)
        return None if self.wait_ms else reply


async def _patient_permit(payment: Payment, engine: Engine, calls: AsyncExitStack) -> int:
    """0, or what is left to wait where that is longer than a scan waits for its next page."""
    while wait_ms := await calls.enter_async_context(permitted(payment.credentials, CallClass.CONFIRM, engine=engine)):
        if wait_ms > PATIENCE_MS:
            return wait_ms
        await engine.clock.sleep(wait_ms / 1000)
    return 0


def _by_id(records: Iterable[Mapping[str, Any]]) -> Found:
    """The records under each of our ids; the oldest that did not fail comes first: it is adopted (contract 5)."""
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        external_id = text(record.get("external_id"))
        if external_id is not None:
            found[external_id].append(record)
    return {external_id: tuple(sorted(same, key=_adopted_first)) for external_id, same in found.items()}


def _adopted_first(record: Mapping[str, Any]) -> tuple[bool, int]:
    return status_word(record.get("status")) == "failed", time_ms(record.get("created_at")) or 0
