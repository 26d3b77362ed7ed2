"""The stored payments against the provider: read as polls are, behind everything else that wants to call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.absorb import interpreted
from orchestrator.codec import decode
from orchestrator.errors import StoreCorruptError
from orchestrator.flows import FLOWS, reads_of
from orchestrator.flows.provider_object import text
from orchestrator.identity import PaymentKey
from orchestrator.invariants import ProviderFact, broken_by_provider
from orchestrator.limits import heed, permitted, told_to_wait_ms
from orchestrator.list_pages import ListPages
from orchestrator.payment import OperationState, refunds_of
from orchestrator.ports import CallClass
from orchestrator.reading import read_payment
from orchestrator.sighting import AmountCheck, Source
from orchestrator.statuses import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.engine import Engine
    from orchestrator.invariants import Broken
    from orchestrator.payment import Payment
    from orchestrator.ports import Reply
    from workers.audit_findings import Audited, Findings

DAY_MS = 86_400_000
LOOKS_MAX = 5  # at one payment that changes all the time
PATIENCE_MS = 30_000  # so long a permit for one call is waited for
AT_ONCE = 20
Place = tuple[str, str]  # credentials, flow


@dataclass(slots=True)
class _Listed:
    """The payments that one list of the provider's should show, and what it shows of them."""

    sample: Payment
    earliest_ms: int
    facts: dict[PaymentKey, list[ProviderFact]] = field(default_factory=dict)


class ProviderAudit:
    """Compares payments with what the provider holds; of flows with a list all that is under an id is seen.

    An id of each payment of such a flow is kept in memory until `finish`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lists: dict[Place, _Listed] = {}

    async def look(self, payment: Payment, findings: Findings, audited: Audited) -> None:
        """Compare this payment now, or leave it for its list."""
        if payment.create.state is OperationState.READY and payment.create.attempt == 1:
            return
        place = (payment.credentials, payment.flow)
        if FLOWS[payment.flow].scan is None:
            await self._compare(payment.key, (), findings, audited)
            return
        listed = self._lists.setdefault(place, _Listed(sample=payment, earliest_ms=payment.accepted_at_ms))
        listed.earliest_ms = min(listed.earliest_ms, payment.accepted_at_ms)
        listed.facts.setdefault(payment.key, [])

    async def finish(self, findings: Findings, audited: Audited, *, on_progress: Callable[[Audited], None]) -> None:
        """Read the lists, and compare what they were waited for."""
        for listed in self._lists.values():
            await self._read(listed)
            keys = list(listed.facts)
            for start in range(0, len(keys), AT_ONCE):
                some = keys[start : start + AT_ONCE]
                await asyncio.gather(*(self._compare(key, listed.facts[key], findings, audited) for key in some))
                on_progress(audited)

    async def _read(self, listed: _Listed) -> None:
        """All pages of the list, day by day, since the first of the payments was accepted."""
        from_ms, now_ms = listed.earliest_ms - self._engine.policy.scan_window_ms, self._engine.clock.now_ms()
        while from_ms < now_ms:
            pages = ListPages()
            ask = partial(self._page, listed.sample, from_ms)
            async for records in pages.read(ask, pages_max=self._engine.policy.scan_pages_max):
                await self._note(listed, records)
            if not pages.is_whole:
                return  # what it did not show is asked for one by one
            from_ms += DAY_MS

    async def _page(self, sample: Payment, from_ms: int, page: int) -> Reply | None:
        """A page of a day, behind everything else that wants to call; None where the wait is longer than patience."""
        scan = FLOWS[sample.flow].scan
        if scan is None:
            return None
        request = scan.request(sample, from_ms, from_ms + DAY_MS, page)
        waited_ms = 0
        while True:
            async with permitted(sample.credentials, CallClass.LOOK, engine=self._engine) as permit_ms:
                reply = None if permit_ms else await self._engine.provider.call(request)
            if reply is not None:
                await heed(reply, request, engine=self._engine)
            wait_ms = told_to_wait_ms(reply, engine=self._engine) if reply is not None else permit_ms
            if not wait_ms:
                return reply
            waited_ms += wait_ms
            if waited_ms > PATIENCE_MS:
                return None
            await self._engine.clock.sleep(wait_ms / 1000)

    async def _note(self, listed: _Listed, records: Iterable[Mapping[str, object]]) -> None:
        for record in records:
            external_id = text(record.get("external_id"))
            key = PaymentKey(merchant=listed.sample.key.merchant, intent_id=external_id or "")
            if key not in listed.facts:
                continue
            payment, _ = await self._stored(key)
            fact = fact_in(payment, record, Source.SCAN, self._engine) if payment is not None else None
            if fact is not None and fact.reference not in {known.reference for known in listed.facts[key]}:
                listed.facts[key].append(fact)

    async def _compare(
        self, key: PaymentKey, listed: Iterable[ProviderFact], findings: Findings, audited: Audited
    ) -> None:
        """Compare, and again on what both say then before anything is reported."""
        payment, version = await self._stored(key)
        facts = list(listed)
        if payment is not None and not any(fact.reference == payment.reference for fact in facts):
            facts = [*facts, *await self._read_own(payment)]
        if payment is None or not facts:
            audited.not_asked += payment is not None
            return
        audited.at_the_provider += 1
        for _ in range(LOOKS_MAX):
            if not await self._broken(payment, facts):
                return
            own = await self._read_own(payment)
            others = [fact for fact in facts if fact.reference != payment.reference]
            facts = [*others, *(own or [fact for fact in facts if fact not in others])]
            again, version_now = await self._stored(key)
            if again is None:
                return
            if version_now == version:
                findings.add_all(await self._broken(again, facts))
                return
            payment, version = again, version_now
        audited.unsettled += 1

    async def _broken(self, payment: Payment, facts: list[ProviderFact]) -> list[Broken]:
        due_at_ms = await self._engine.store.due_at(payment.key)
        now_ms = self._engine.clock.now_ms()
        return broken_by_provider(payment, facts, due_at_ms=due_at_ms, policy=self._engine.policy, now_ms=now_ms)

    async def _stored(self, key: PaymentKey) -> tuple[Payment | None, int]:
        """The payment and its version; None where it is gone or cannot be read."""
        try:
            record = await self._engine.store.load(key)
            return (decode(record.body), record.version) if record is not None else (None, 0)
        except StoreCorruptError:
            return None, 0

    async def _read_own(self, payment: Payment) -> list[ProviderFact]:
        """What the provider says of the payment under its reference; empty where it says nothing usable."""
        if payment.reference is None or not reads_of(payment.flow, self._engine.policy.dialect):
            return []
        waited_ms = 0
        while True:
            reading = await read_payment(payment, CallClass.LOOK, engine=self._engine)
            waited_ms += reading.wait_ms
            if not reading.wait_ms or waited_ms > PATIENCE_MS:
                break
            await self._engine.clock.sleep(reading.wait_ms / 1000)
        facts = (fact_in(payment, body, Source.READ, self._engine) for body in reading.bodies)
        return [fact for fact in facts if fact is not None]


def fact_in(payment: Payment, body: object, source: Source, engine: Engine) -> ProviderFact | None:
    """What a body tells of a payment of the provider's; None where it tells no status that we know.

    A sum of nothing is none told. So is the sum of one refund of several, and what is said to be paid of a payment
    of which something went back: it may be what is left (contract D-04, T-22, T-27).
    """
    sighting = interpreted(payment, body, source=source, policy=engine.policy)
    if not sighting.usable or sighting.target is None or sighting.reference is None:
        return None
    ours = {refund.amount_minor for refund in refunds_of(payment)}
    is_whole = sighting.amount is not AmountCheck.MISMATCH and sighting.target.column is Stage.SUCCEEDED and not ours
    return ProviderFact(
        reference=sighting.reference,
        stage=sighting.target.column,
        paid_minor=(sighting.paid_minor or None) if is_whole else None,
        refunded_minor=(sighting.refunded_minor or None) if sighting.refunded_minor not in ours else None,
    )
