"""The stored payments against their events, on a live system: nothing is stopped, nothing is written.

Who changes while being looked at is looked at again, so that what is reported was so at one moment.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.codec import decode
from orchestrator.errors import StoreCorruptError
from orchestrator.identity import PaymentKey
from orchestrator.invariants import Broken, broken_by_payment
from orchestrator.payment import CREATE
from orchestrator.policy import DAY_S
from orchestrator.trail import read_event
from workers.audit_findings import Audited, Finding, Findings
from workers.audit_slices import EVENTS_AT_ONCE, Slice, slices_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.adapters.redis_inspection import LogEntry, RedisInspection
    from orchestrator.engine import Engine
    from orchestrator.payment import Payment
    from orchestrator.ports import Record
    from workers.audit_provider import ProviderAudit
    from workers.audit_request import Chosen

BEGINNING = "0-0"
AT_ONCE = 20
LOOKS_MAX = 10  # at one payment that changes all the time
BETWEEN_LOOKS_S = 0.2
TRIMMED_EARLIER_MS = 600_000  # the relay trims by its own clock


@dataclass(slots=True)
class _Logs:
    """The events of a slice as far as they were read."""

    read_to: dict[int, str]
    events: defaultdict[PaymentKey, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    seen: set[PaymentKey] = field(default_factory=set)  # those with events that were looked at
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Audit:
    """One run. `run` raises StoreUnavailableError where Redis goes away; `audited` says then how far it came."""

    def __init__(
        self,
        engine: Engine,
        inspection: RedisInspection,
        chosen: Chosen,
        *,
        events_days: int,
        provider: ProviderAudit | None = None,
        on_finding: Callable[[Finding], None],
        on_progress: Callable[[Audited], None] = lambda _: None,
        events_at_once: int = EVENTS_AT_ONCE,
    ) -> None:
        self.audited = Audited()
        self._engine = engine
        self._inspection = inspection
        self._chosen = chosen
        self._kept_ms = events_days * DAY_S * 1000 - TRIMMED_EARLIER_MS
        self._provider = provider
        self._findings = Findings(self.audited, on_finding)
        self._on_progress = on_progress
        self._events_at_once = events_at_once

    async def run(self) -> Audited:
        """Look through everything that was chosen, once."""
        for part in self._slices(await self._inspection.lengths()):
            logs = _Logs(read_to=dict.fromkeys(part.shards, self._first_entry()))
            for shard in part.shards:
                await self._read_on(part, shard, logs)
                await asyncio.sleep(0)  # a worker's loop has other things to do
            await self._payments(part, logs)
            await self._forgotten(logs)
            await self._indexed(part)
        if self._provider is not None:
            await self._provider.finish(self._findings, self.audited, on_progress=self._on_progress)
        return self.audited

    def _slices(self, lengths: list[int]) -> list[Slice]:
        wanted = self._chosen.payment
        if wanted is None:
            return list(slices_of(lengths, most=self._events_at_once))
        return [Slice(shards=(self._inspection.shard(wanted),))]

    def _first_entry(self) -> str:
        """No event of a payment is older than its acceptance; the clocks of who stamps them differ a little."""
        since_ms = self._chosen.since_ms
        return BEGINNING if since_ms is None else f"{max(since_ms - TRIMMED_EARLIER_MS, 0)}-0"

    def _takes(self, part: Slice, key: PaymentKey) -> bool:
        return self._chosen.takes(key) and part.takes(key, self._inspection.shard(key))

    # The events

    async def _read_on(self, part: Slice, shard: int, logs: _Logs) -> None:
        """Read the shard's log to its end; one after another, as no event may be taken twice."""
        async with logs.turn:
            async for entries in self._inspection.events(shard, after=logs.read_to[shard]):
                for entry in entries:
                    self._keep(part, shard, entry, logs)
                logs.read_to[shard] = entries[-1].entry_id
                self._on_progress(self.audited)

    def _keep(self, part: Slice, shard: int, entry: LogEntry, logs: _Logs) -> None:
        event = read_event(entry.body)
        if event is None:
            name = self._inspection.shard_name(shard)
            self._findings.add(name, "I3", f"entry {entry.entry_id} of its event log is no event")
            return
        key = PaymentKey(merchant=event["data"]["merchant"], intent_id=event["data"]["intent_id"])
        if self._takes(part, key):
            logs.events[key].append(entry.body)
            self.audited.events += 1

    # The payments

    async def _payments(self, part: Slice, logs: _Logs) -> None:
        if self._chosen.payment is not None:
            await self._payment(part, self._chosen.payment, logs)
            return
        async for keys in self._inspection.payments():
            wanted = [key for key in keys if self._takes(part, key) and key not in logs.seen]
            for start in range(0, len(wanted), AT_ONCE):
                some = wanted[start : start + AT_ONCE]
                await asyncio.gather(*(self._payment(part, key, logs) for key in some))
                self._on_progress(self.audited)

    async def _payment(self, part: Slice, key: PaymentKey, logs: _Logs) -> None:
        """Look at one payment; what seems broken is looked at again together with all its events."""
        shard = self._inspection.shard(key)
        if key in logs.events:
            logs.seen.add(key)
        seen = await self._stored(key)
        if seen is None or (seen.payment is not None and self._is_earlier(seen.payment)):
            return
        self.audited.payments += 1
        if not self._broken(seen, logs.events.get(key, [])):
            await self._at_the_provider(seen)
            return
        for _ in range(LOOKS_MAX):
            before = await self._stored(key)
            await self._read_on(part, shard, logs)
            seen = await self._stored(key)
            if seen is None:
                return
            if seen.is_as(before):
                self._tell(seen, logs.events.get(key, []))
                await self._at_the_provider(seen)
                return
            await asyncio.sleep(BETWEEN_LOOKS_S)
        self.audited.unsettled += 1

    async def _at_the_provider(self, seen: _Seen) -> None:
        if self._provider is not None and seen.payment is not None and CREATE in seen.payment.operations:
            await self._provider.look(seen.payment, self._findings, self.audited)

    async def _stored(self, key: PaymentKey) -> _Seen | None:
        try:
            record = await self._engine.store.load(key)
        except StoreCorruptError:
            return _Seen(key=key, record=None, payment=None, due_at_ms=None)
        if record is None:
            return None
        due_at_ms = await self._due_at(key)
        try:
            payment = decode(record.body)
        except StoreCorruptError:
            payment = None
        return _Seen(key=key, record=record, payment=payment, due_at_ms=due_at_ms)

    async def _due_at(self, key: PaymentKey) -> int | None:
        """When it comes due; an entry where no claim ever looks is none."""
        due_at_ms, is_claimed = await asyncio.gather(
            self._engine.store.due_at(key), self._inspection.is_claimed_from(key)
        )
        return due_at_ms if is_claimed else None

    def _is_earlier(self, payment: Payment) -> bool:
        return self._chosen.since_ms is not None and payment.accepted_at_ms < self._chosen.since_ms

    def _broken(self, seen: _Seen, events: list[bytes]) -> bool:
        return seen.record is None or seen.payment is None or bool(self._checked(seen, events))

    def _tell(self, seen: _Seen, events: list[bytes]) -> None:
        if seen.record is None or seen.payment is None:
            self._findings.add(str(seen.key), "I2", "what is stored of it cannot be read: nobody advances it")
        else:
            self._findings.add_all(self._checked(seen, events))

    def _checked(self, seen: _Seen, events: list[bytes]) -> list[Broken]:
        if seen.record is None or seen.payment is None:
            return []
        now_ms = self._engine.clock.now_ms()
        try:
            return broken_by_payment(
                seen.record,
                seen.payment,
                [json.loads(event) for event in events],
                due_at_ms=seen.due_at_ms,
                policy=self._engine.policy,
                now_ms=now_ms,
                events_are_whole=seen.payment.accepted_at_ms > now_ms - self._kept_ms,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # It was decoded, but it is no payment: it must not keep the others from being looked at.
            sentence = f"what is stored of it makes no sense ({type(error).__name__}): nobody can advance it"
            return [Broken(invariant="I2", key=seen.key, sentence=sentence)]

    # What should have a payment and has none

    async def _forgotten(self, logs: _Logs) -> None:
        """Events of payments that are not stored, and are not remembered as erased or as long over either."""
        for key in logs.events.keys() - logs.seen:
            if await self._engine.store.find_fingerprint(key) is None:
                count = len(logs.events[key])
                self._findings.add(str(key), "I2", f"events of it are in the log ({count}), but it is not stored")

    async def _indexed(self, part: Slice) -> None:
        """Entries of the due index without a payment."""
        for shard in part.shards if part.part == 0 else ():
            async for keys in self._inspection.strays(shard):
                for key in keys:
                    if self._chosen.takes(key):
                        self._findings.add(str(key), "I2", "the due index names it, but it is not stored")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """A payment as it stood at one look; without a record or a payment it cannot be read."""

    key: PaymentKey
    record: Record | None
    payment: Payment | None
    due_at_ms: int | None

    def is_as(self, other: _Seen | None) -> bool:
        """Whether nothing that counts was written in between; a renewed lease does not count."""
        return other is not None and self.marks == other.marks

    @property
    def marks(self) -> tuple[object, ...]:
        """What tells two looks apart."""
        if self.record is None:
            return (None,)
        return self.record.version, self.record.observed, self.record.body, self.due_at_ms is None
