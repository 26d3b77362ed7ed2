"""Two hours without a provider, then its return, on virtual time: nothing fails, no herd comes back (I2, I10)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.memory_limiter import MemoryLimiter
from orchestrator.adapters.memory_store import MemoryStore
from orchestrator.advance import advance
from orchestrator.breaker import OPENS_AT, PROBE_MAX_MS, PROBES_PER_OUTAGE, RAMP_FROM, RAMP_MS
from orchestrator.codec import decode
from orchestrator.identity import PaymentKey
from orchestrator.policy import Policy
from orchestrator.probe import probe
from orchestrator.statuses import Reason, Status
from tests.unit.core.building import payin_body, payin_intent
from tests.unit.engine.world import EMPTY_LIST, HOUR_MS, UNSENT, World, said
from workers.rations import Rations

PAYMENTS = 10_000
HASTY = 100  # whose customers do not wait for the end of the outage
RATE = CallRate(rate_per_s=50, burst=20)
OUTAGE_MS = 2 * HOUR_MS
BUSY_TICK_MS, IDLE_TICK_MS = 500, 15_000


class Outage:
    """One worker, a limiter with a breaker, and a provider that is away, or answers."""

    def __init__(self) -> None:
        self.world = World(Policy(polling=False))
        self.store = MemoryStore(clock=self.world.clock, shards=1)
        self.limiter = MemoryLimiter(clock=self.world.clock, rate_of=lambda _: RATE)
        self.engine = replace(self.world.engines["w1"], store=self.store, limiter=self.limiter)
        self.world.engines["w1"] = self.engine
        self.rations = Rations(self.limiter, shards=1)
        self.is_away = True
        self.calls: list[tuple[int, str]] = []  # when, what
        self.world.provider.latency_ms = 0
        self.world.provider.script("create", self._answer)
        self.world.provider.script("list", self._answer)

    @property
    def now_ms(self) -> int:
        return self.world.clock.ms

    def _answer(self, request):
        self.calls.append((self.now_ms, request.operation))
        if self.is_away:
            return UNSENT
        if request.operation != "create":
            return EMPTY_LIST
        name = request.body["external_id"]
        return said(payin_body("pending", uuid=f"U-{name}", external_id=name))

    async def tick(self, ms):
        """What a worker does at each tick of its reconciler."""
        self.world.clock.ms += ms
        self.rations.share_out(tick_s=ms / 1000)
        for account in self.limiter.broken():
            await probe(account, engine=self.engine)
        full = True
        while full:
            rations = self.rations.take(0)
            records = await self.store.claim(0, owner="w1", lease_ms=10_000, limit=100, rations=rations)
            for record in records:
                await advance(record, engine=self.engine)
            full = len(records) == 100

    async def until(self, at_ms, *, tick_ms):
        while self.now_ms < at_ms:
            await self.tick(tick_ms)

    async def payments(self):
        return [decode(record.body) async for record in self.store.scan()]


def most_beyond_the_limit(at_ms):
    """By how many calls any period holds more than burst and rate allow."""
    lowest, most = 0.0, 0.0
    for count, moment in enumerate(at_ms):
        level = count - RATE.rate_per_s * (moment - at_ms[0]) / 1000
        lowest = min(lowest, level)
        most = max(most, level + 1 - lowest - RATE.burst)
    return most


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_i2_i10_after_two_hours_of_outage_ten_thousand_payments_are_sent_by_and_by_and_none_fails():
    outage = Outage()
    for number in range(PAYMENTS):
        send_within_s = 3600 if number < HASTY else 6 * 3600
        await outage.world.deliver(payin_intent(intent_id=f"p-{number}", send_within_s=send_within_s))
    began_ms = outage.now_ms
    await outage.until(began_ms + OUTAGE_MS, tick_ms=IDLE_TICK_MS)

    kinds = Counter(operation for _, operation in outage.calls)
    assert kinds["create"] == OPENS_AT, "a create is no probe"
    assert OUTAGE_MS / PROBE_MAX_MS / 2 <= kinds["probe"] <= OUTAGE_MS / PROBE_MAX_MS + 10 * PROBES_PER_OUTAGE
    assert {payment.status for payment in await outage.payments()} <= {Status.ACCEPTED, Status.EXPIRED}

    outage.is_away, back_ms, asked = False, outage.now_ms, len(outage.calls)
    due_s = PAYMENTS / RATE.rate_per_s
    await outage.until(back_ms + int(1000 * (1.3 * due_s + 120)), tick_ms=BUSY_TICK_MS)

    created = [at_ms for at_ms, operation in outage.calls[asked:] if operation == "create"]
    closed_ms = next(at_ms for at_ms, operation in outage.calls[asked:] if operation == "probe")
    assert closed_ms - back_ms <= PROBE_MAX_MS + IDLE_TICK_MS
    assert most_beyond_the_limit([at_ms for at_ms, _ in outage.calls]) <= 0
    at_first = [at_ms for at_ms in created if at_ms <= closed_ms + RAMP_MS // RAMP_FROM]
    assert len(at_first) <= RATE.rate_per_s * RAMP_MS / 1000 / RAMP_FROM / RAMP_FROM + RATE.burst, "a herd"
    outcomes = Counter((payment.status, payment.reason) for payment in await outage.payments())
    assert outcomes == {
        (Status.PROCESSING, Reason.AWAITING_PAY_CODE): PAYMENTS - HASTY,
        (Status.EXPIRED, Reason.NOT_SENT): HASTY,
    }
    assert len(created) == PAYMENTS - HASTY
    assert outage.world.ledger.said("merchant.breaker_opened") == 1
    assert outage.world.ledger.said("merchant.breaker_closed") == 1


async def test_a_payment_whose_time_runs_out_while_the_breaker_is_open_expires_unsent():
    outage = Outage()
    for number in range(OPENS_AT + 1):
        await outage.world.deliver(payin_intent(intent_id=f"p-{number}", send_within_s=120))
    await outage.until(outage.now_ms + 300_000, tick_ms=BUSY_TICK_MS)
    payments = await outage.payments()
    assert {(payment.status, payment.reason) for payment in payments} == {(Status.EXPIRED, Reason.NOT_SENT)}
    assert sum(operation == "create" for _, operation in outage.calls) == OPENS_AT


async def test_a_webhook_is_applied_at_once_while_the_breaker_is_open():
    outage = Outage()
    outage.is_away = False
    await outage.world.deliver(payin_intent(intent_id="paid"))
    await outage.tick(BUSY_TICK_MS)
    for _ in range(OPENS_AT):
        await outage.limiter.outcome("default", is_alive=False)
    outage.is_away = True
    for number in range(20):
        await outage.world.deliver(payin_intent(intent_id=f"p-{number}"))
    await outage.tick(BUSY_TICK_MS)
    key = PaymentKey(merchant="default", intent_id="paid")
    body = payin_body("failed", uuid="U-paid", external_id="paid")
    await outage.world.hook(body, key=key, turn=False)
    await outage.tick(BUSY_TICK_MS)
    record = await outage.store.load(key)
    assert record is not None
    assert decode(record.body).status is Status.FAILED
