"""Asking the provider how a payment stands: the ordered list of a flow's reads, and the scan of its list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.absorb import belief_of, interpreted
from orchestrator.doubt import after_empty_list, after_read
from orchestrator.flows import FLOWS, reads_of
from orchestrator.judgement import answer_of
from orchestrator.lagging import looked_at_again, may_be_behind
from orchestrator.limits import heed, permitted, told_to_wait_ms
from orchestrator.notes import sighted
from orchestrator.observe import observe
from orchestrator.outcome import Verdict, verdict_of
from orchestrator.sighting import Sighting, Source

if TYPE_CHECKING:
    from orchestrator.engine import Engine
    from orchestrator.payment import Payment
    from orchestrator.ports import CallClass, Reply


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What was read: bodies of the provider's, to be applied to whatever is stored then."""

    engine: Engine
    source: Source
    bodies: tuple[object, ...] = ()
    answers: str = ""  # what each of the reads was answered with, where none was usable
    asked_ms: int = 0  # when we began to ask
    is_whole: bool = False  # of a scan: the list was read to its end and every record names its payment
    wait_ms: int = 0  # nothing was asked or nobody may ask: come back then

    def apply(self, payment: Payment) -> Payment:
        """The payment after what was read; where nothing usable was, that too is an observation."""
        policy, now_ms = self.engine.policy, self.engine.clock.now_ms()
        sightings = [interpreted(payment, body, source=self.source, policy=policy) for body in self.bodies]
        for sighting in sightings or [Sighting(source=self.source, usable=False)]:
            seen = self._seen(payment, replace(sighting, asked_ms=self.asked_ms), now_ms)
            payment = sighted(payment, seen, sighting, now_ms=now_ms, answers=self.answers)
        return payment

    def _seen(self, payment: Payment, sighting: Sighting, now_ms: int) -> Payment:
        policy = self.engine.policy
        if self.source is Source.READ and may_be_behind(payment, sighting):
            return looked_at_again(payment)
        seen = observe(payment, sighting, belief=belief_of(payment, policy), now_ms=now_ms)
        if self.source is Source.READ:
            return after_read(seen, sighting, asked_ms=self.asked_ms, now_ms=now_ms, policy=policy)
        if self.is_whole and not self.bodies:
            return after_empty_list(seen, asked_ms=self.asked_ms, policy=policy)
        return seen


async def read_payment(payment: Payment, call_class: CallClass, *, engine: Engine) -> Reading:
    """Ask the paths of the flow's list in order until one knows the payment."""
    reads = reads_of(payment.flow, engine.policy.dialect)
    answers: list[str] = []
    for read in engine.read_paths.worth_asking(payment, reads, now_ms=engine.clock.now_ms()):
        async with permitted(payment.credentials, call_class, engine=engine) as wait_ms:
            if wait_ms:
                return Reading(engine=engine, source=Source.READ, wait_ms=wait_ms)
            request, asked_ms = read(payment, engine.policy.dialect), engine.clock.now_ms()
            reply = await engine.provider.call(request)
        await heed(reply, request, engine=engine, key=payment.key)
        told_ms = told_to_wait_ms(reply, engine=engine)
        if told_ms:
            return Reading(engine=engine, source=Source.READ, wait_ms=told_ms)
        if _knows(payment, reply, engine):
            engine.read_paths.knew(payment, read)
            return Reading(engine=engine, source=Source.READ, bodies=(reply.body,), asked_ms=asked_ms)
        answers.append(answer_of(reply))
        if reply.http_status not in engine.policy.dialect.not_found_http and verdict_of(reply) is not Verdict.ANSWERED:
            break
        engine.read_paths.did_not_know(payment, read, now_ms=engine.clock.now_ms())
    return Reading(engine=engine, source=Source.READ, answers=", ".join(answers))


async def scan_list(payment: Payment, *, engine: Engine) -> Reading:
    """What the provider's list holds under our id, around the moment of sending."""
    scan = FLOWS[payment.flow].scan
    if scan is None:
        return Reading(engine=engine, source=Source.SCAN)
    listed = await engine.list_scans.scan(payment, scan, engine=engine)
    bodies = listed.found.get(payment.key.intent_id, ())
    return Reading(
        engine=engine,
        source=Source.SCAN,
        bodies=bodies,
        asked_ms=listed.started_ms,
        answers="" if listed.is_whole else "in part",
        is_whole=listed.is_whole,
        wait_ms=0 if bodies else listed.wait_ms,
    )


def _knows(payment: Payment, reply: Reply, engine: Engine) -> bool:
    if verdict_of(reply) is not Verdict.ANSWERED:
        return False
    return interpreted(payment, reply.body, source=Source.READ, policy=engine.policy).usable
