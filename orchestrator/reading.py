"""Asking the provider how a payment stands: the ordered list of a flow's reads, and the scan of its list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.absorb import belief_of, interpreted
from orchestrator.flows import FLOWS, reads_of
from orchestrator.flows.provider_object import status_word, text, time_ms, unwrap
from orchestrator.limits import heed, permit
from orchestrator.observe import observe
from orchestrator.outcome import Verdict, verdict_of
from orchestrator.payment import CREATE, Payment
from orchestrator.ports import CallClass
from orchestrator.sighting import Sighting, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.engine import Engine
    from orchestrator.ports import Reply

RETRY_AFTER_DEFAULT_S = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What was read: bodies of the provider's, to be applied to whatever is stored then."""

    engine: Engine
    source: Source
    bodies: tuple[object, ...] = ()
    wait_ms: int = 0  # nothing was asked or nobody may ask: come back then

    def apply(self, payment: Payment) -> Payment:
        """The payment after what was read; where nothing usable was, that too is an observation."""
        policy, now_ms = self.engine.policy, self.engine.clock.now_ms()
        sightings = [interpreted(payment, body, source=self.source, policy=policy) for body in self.bodies]
        for sighting in sightings or [Sighting(source=self.source, usable=False)]:
            payment = observe(payment, sighting, belief=belief_of(payment, policy), now_ms=now_ms)
        return payment


async def read_payment(payment: Payment, call_class: CallClass, *, engine: Engine) -> Reading:
    """Ask the paths of the flow's list in order until one knows the payment."""
    reads = reads_of(payment.flow, engine.policy.dialect)
    for read in engine.read_paths.worth_asking(payment, reads, now_ms=engine.clock.now_ms()):
        wait_ms = await permit(payment.key.merchant, call_class, engine=engine)
        if wait_ms:
            return Reading(engine=engine, source=Source.READ, wait_ms=wait_ms)
        request = read(payment, engine.policy.dialect)
        reply = await engine.provider.call(request)
        await heed(reply, request, payment.key, engine=engine)
        wait_ms = told_to_wait_ms(reply, engine)
        if wait_ms:
            return Reading(engine=engine, source=Source.READ, wait_ms=wait_ms)
        if _knows(payment, reply, engine):
            engine.read_paths.knew(payment, read)
            return Reading(engine=engine, source=Source.READ, bodies=(reply.body,))
        if reply.http_status not in engine.policy.dialect.not_found_http and verdict_of(reply) is not Verdict.ANSWERED:
            break
        engine.read_paths.did_not_know(payment, read, now_ms=engine.clock.now_ms())
    return Reading(engine=engine, source=Source.READ)


async def scan_list(payment: Payment, *, engine: Engine) -> Reading:
    """Look through the provider's list around the moment of sending for records under our id.

    The oldest that did not fail comes first: it is the one that is adopted (contract 5).
    """
    scan = FLOWS[payment.flow].scan
    found: list[Mapping[str, Any]] = []
    if scan is None:
        return Reading(engine=engine, source=Source.SCAN)
    from_ms, to_ms = _window(payment, engine)
    for page in range(1, engine.policy.scan_pages_max + 1):
        wait_ms = await permit(payment.key.merchant, CallClass.CONFIRM, engine=engine)
        if wait_ms:
            return Reading(engine=engine, source=Source.SCAN, wait_ms=wait_ms)
        request = scan.request(payment, from_ms, to_ms, page)
        reply = await engine.provider.call(request)
        await heed(reply, request, payment.key, engine=engine)
        wait_ms = told_to_wait_ms(reply, engine)
        if wait_ms:
            return Reading(engine=engine, source=Source.SCAN, wait_ms=wait_ms)
        records = _records(reply)
        found += [record for record in records if text(record.get("external_id")) == payment.key.intent_id]
        if len(records) < scan.per_page:
            break
    found.sort(
        key=lambda record: (status_word(record.get("status")) == "failed", time_ms(record.get("created_at")) or 0)
    )
    return Reading(engine=engine, source=Source.SCAN, bodies=tuple(found))


def _knows(payment: Payment, reply: Reply, engine: Engine) -> bool:
    if verdict_of(reply) is not Verdict.ANSWERED:
        return False
    return interpreted(payment, reply.body, source=Source.READ, policy=engine.policy).usable


def told_to_wait_ms(reply: Reply, engine: Engine) -> int:
    """How long the provider wants no call of this merchant's; 0 where it says nothing of the kind."""
    verdict = verdict_of(reply)
    if verdict is Verdict.UNAUTHORISED:
        return engine.policy.unauthorised_pause_ms
    if verdict is Verdict.NOT_EXECUTED:
        return (reply.retry_after_s or RETRY_AFTER_DEFAULT_S) * 1000
    return 0


def _window(payment: Payment, engine: Engine) -> tuple[int, int]:
    create = payment.operations[CREATE]
    sent_ms = create.deadline_ms - engine.policy.call_total_ms if create.deadline_ms else payment.accepted_at_ms
    return sent_ms - engine.policy.scan_window_ms, engine.clock.now_ms() + engine.policy.scan_window_ms


def _records(reply: Reply) -> list[Mapping[str, Any]]:
    body = unwrap(reply.body)
    records = body.get("records") if body else None
    return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []
