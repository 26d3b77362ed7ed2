"""Carrying out a person's decision on many payments: look, write down, send, wait, write down again."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.codec import decode
from orchestrator.errors import StoreUnavailableError
from orchestrator.events import rfc3339
from orchestrator.observation import encode_observation
from orchestrator.ports import NotifyOutcome
from workers.cli.screen import complain
from workers.cli.standing import wait_until
from workers.cli.views import status_word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.adapters.redis_audit import RedisAudit
    from orchestrator.adapters.redis_store import RedisStore
    from orchestrator.identity import PaymentKey
    from orchestrator.observation import DecisionSeen
    from orchestrator.ports import Clock, Record
    from workers.cli.cases import Case, Words

AT_ONCE = 16


@dataclass(kw_only=True, slots=True)
class Resolving:
    """Sends decisions, a few at once; where no worker answers one in time the rest is not sent."""

    store: RedisStore
    audit: RedisAudit
    clock: Clock
    words: Words
    timeout_s: float
    told: Callable[[int], None]  # how many are over
    _over: int = 0
    _is_given_up: bool = False
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def carry_out(self, cases: Sequence[Case]) -> list[Case]:
        """What came of each case that was ready; others are returned as they are."""
        return list(await asyncio.gather(*(self._one(case) for case in cases)))

    async def _one(self, case: Case) -> Case:
        if case.decision is None or case.result != "ready":
            return case
        async with self._turns:
            ended = await self._decided(case, case.decision)
        self._over += 1
        self.told(self._over)
        return ended

    async def _decided(self, case: Case, decision: DecisionSeen) -> Case:
        if self._is_given_up:
            return _not_sent(case, "no worker answered the others in time")
        decision = replace(decision, at_ms=self.clock.now_ms())
        try:
            await self.audit.append(self._at() | _asked(case, decision, self.words))
        except StoreUnavailableError as error:
            return _not_sent(case, f"it could not be written down: {error}")
        until_s = time.monotonic() + self.timeout_s
        ended = await self._sent(case, decision, until_s)
        if ended.result == "timed_out":
            self._is_given_up = True
        try:
            await self.audit.append(self._at() | _answered(ended, decision, self.words))
        except StoreUnavailableError as error:
            complain(f"{case.key}: what came of it could not be written down: {error}")
        return ended

    def _at(self) -> dict[str, str]:
        return {"at": rfc3339(self.clock.now_ms()) or ""}

    async def _sent(self, case: Case, decision: DecisionSeen, until_s: float) -> Case:
        late = replace(
            case,
            then="",
            result="timed_out",
            message="no worker applied it in time; it still waits and is applied, or refused, when one comes",
        )
        outcome = await self._notified(case.key, decision, until_s)
        if outcome is None:
            return replace(late, message="Redis did not answer: whether it was sent is not known; look again later")
        if outcome is not NotifyOutcome.STORED:
            return replace(case, then="", result="refused", code="busy", message="too much waits for this payment")
        record = await wait_until(
            case.key,
            lambda payment: decision.decision_id in payment.decisions,
            store=self.store,
            clock=self.clock,
            until_s=until_s,
        )
        return late if record is None else _ended(case, decision, record)

    async def _notified(self, key: PaymentKey, decision: DecisionSeen, until_s: float) -> NotifyOutcome | None:
        """Repeated until Redis answers: the payment carries a decision out once. A parked one is woken by it."""
        seen, op = encode_observation(decision), uuid.uuid4().hex
        while time.monotonic() < until_s:
            with suppress(StoreUnavailableError):
                return await self.store.notify(key, seen, op=op, is_command=True)
            await asyncio.sleep(1)
        return None


def _not_sent(case: Case, why: str) -> Case:
    return replace(case, then="", result="not_sent", message=f"not sent: {why}")


def _ended(case: Case, decision: DecisionSeen, record: Record) -> Case:
    payment = decode(record.body)
    why_refused = payment.decisions[decision.decision_id]
    code, _, message = why_refused.partition(": ")
    return replace(
        case,
        version=record.version,
        then=status_word(payment),
        result="refused" if why_refused else "applied",
        code=code,
        message=message,
    )


def _asked(case: Case, decision: DecisionSeen, words: Words) -> dict[str, str]:
    return _entry("asked", case, decision, words) | {
        "reason": decision.reason,
        "evidence": decision.evidence,
        "status": case.now,
    }


def _answered(case: Case, decision: DecisionSeen, words: Words) -> dict[str, str]:
    return _entry("answered", case, decision, words) | {
        "result": case.result,
        "code": case.code,
        "message": case.message,
        "status": case.then,
    }


def _entry(stage: str, case: Case, decision: DecisionSeen, words: Words) -> dict[str, str]:
    paid = decision.paid_minor
    return {
        "action": "resolve",
        "stage": stage,
        "decision_id": decision.decision_id,
        "actor": decision.actor,
        "login": words.login,
        "merchant": case.key.merchant,
        "intent_id": case.key.intent_id,
        "version": str(case.version),
        "outcome": str(decision.outcome),
        "operation": case.operation or "",
        "attempt": str(decision.attempt) if case.operation else "",
        "reference": decision.reference or "",
        "paid_minor": "" if paid is None else str(paid),
        "reviews": ",".join(decision.reviews),
    }
