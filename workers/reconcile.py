"""Reconcile: claim what is due, advance it, keep its lease; the recovery path of everything that got lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from orchestrator.advance import advance
from orchestrator.errors import StoreUnavailableError
from orchestrator.unclaimed import refuse_unclaimed

if TYPE_CHECKING:
    from orchestrator.engine import Engine
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Record

TICK_S = 0.5  # a lost bell costs so much
BATCH = 100  # claimed by one script: it blocks Redis for about a millisecond
QUIET_AFTER_RECONNECT_S = 3.0  # those who lived through an outage renew first
RENEWALS_PER_LEASE = 3
SWEEP_S = 5.0

log = structlog.get_logger(__name__)


class Reconciler:
    """Advances due payments, at most `concurrency` at once; belongs to one event loop."""

    def __init__(self, engine: Engine, *, concurrency: int) -> None:
        self._engine = engine
        self._concurrency = concurrency
        self._in_flight: dict[PaymentKey, asyncio.Task[None]] = {}
        self._again: dict[PaymentKey, Record] = {}
        self._counts: Counter[str] = Counter(advanced=0, failed=0, leases_gone=0)
        self._rung: set[int] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._store_away = False
        self._claim_from_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to claim."""
        loops = (self._claim_forever, self._renew_forever, self._hear, self._sweep_forever)
        self._tasks = [asyncio.create_task(run()) for run in loops]

    @property
    def free(self) -> int:
        """How many more payments may be in flight here."""
        return 0 if self._stopping else max(0, self._concurrency - len(self._in_flight))

    def take(self, record: Record) -> None:
        """Advance a payment that this process has claimed; one that is still at work here gets another turn after it.

        That happens where the claim's answer overtook the one of the commit that had released the payment.
        """
        if record.key in self._in_flight:
            self._again[record.key] = record
        else:
            self._in_flight[record.key] = asyncio.create_task(self._turns(record))

    async def stop(self, timeout_s: float) -> bool:
        """Stop claiming, let what is in flight end; True where all did in time.

        What is left over is dropped: a call on the wire is in doubt, the rest is due again when its lease ends.
        """
        self._stopping = True
        _, renewing, hearing, sweeping = self._tasks
        self._wake.set()
        hearing.cancel()
        sweeping.cancel()
        left = set(self._in_flight.values())
        if left:
            _, left = await asyncio.wait(left, timeout=timeout_s)
        renewing.cancel()
        for task in left:
            task.cancel()
        await asyncio.gather(*self._tasks, *left, return_exceptions=True)
        return not left

    def figures(self) -> dict[str, object]:
        """Counters and state, for `celery inspect stats` and the metrics."""
        return {**self._counts, "in_flight": len(self._in_flight), "store_away": self._store_away}

    async def _turns(self, record: Record) -> None:
        try:
            turn: Record | None = record
            while turn is not None:
                await self._advance(turn)
                turn = self._again.pop(record.key, None)
        finally:
            del self._in_flight[record.key]

    async def _advance(self, record: Record) -> None:
        with structlog.contextvars.bound_contextvars(payment=str(record.key)):
            try:
                await advance(record, engine=self._engine)
                self._counts["advanced"] += 1
            except Exception:
                # The claim is left to run out: after five such ends the payment is parked, the others go on (I9).
                self._counts["failed"] += 1
                log.exception("payment.advance_failed")

    async def _claim_forever(self) -> None:
        """Every shard at each tick, in between those that were rung: bells that never stop hold up no look."""
        loop = asyncio.get_running_loop()
        tick_s = loop.time()
        while not self._stopping:
            rung, self._rung = self._rung, set()
            self._wake.clear()
            is_tick = loop.time() >= tick_s
            if is_tick:
                tick_s = loop.time() + TICK_S
            await self._claim(range(self._engine.store.shards) if is_tick else rung)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(tick_s):
                    await self._wake.wait()

    async def _claim(self, shards: range | set[int]) -> None:
        loop = asyncio.get_running_loop()
        if not shards or loop.time() < self._claim_from_s:
            return
        try:
            if self._store_away:
                await self._come_back()
            else:
                await asyncio.gather(*(self._claim_shard(shard) for shard in shards))
        except StoreUnavailableError as error:
            if not self._store_away:
                log.warning("store.away", error=str(error))
            self._store_away = True

    async def _come_back(self) -> None:
        """Renew what is held and rest: those who lived through an outage renew before anybody claims."""
        engine = self._engine
        await self._renew()
        # Asks for nothing: it only shows that Redis answers, held payments or not.
        await engine.store.claim(0, owner=engine.owner, lease_ms=engine.policy.lease_ms, limit=0)
        self._store_away = False
        self._claim_from_s = asyncio.get_running_loop().time() + QUIET_AFTER_RECONNECT_S
        log.info("store.back")

    async def _claim_shard(self, shard: int) -> None:
        while limit := min(BATCH, self.free):
            engine = self._engine
            records = await engine.store.claim(shard, owner=engine.owner, lease_ms=engine.policy.lease_ms, limit=limit)
            for record in records:
                self.take(record)
            if len(records) < limit:
                return

    async def _renew_forever(self) -> None:
        pause_s = self._engine.policy.lease_ms / 1000 / RENEWALS_PER_LEASE
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._renew()
            except StoreUnavailableError as error:
                log.warning("store.renewal_failed", error=str(error))

    async def _renew(self) -> None:
        engine = self._engine
        keys = list(self._in_flight)
        lost = await engine.store.renew(keys, owner=engine.owner, lease_ms=engine.policy.lease_ms)
        # Those that ended meanwhile are not ours any more either; who lost a claim at work is fenced at its commit.
        self._counts["leases_gone"] += len(lost)

    async def _sweep_forever(self) -> None:
        """Refuse commands whose payment did not come; every worker does, and a repeat changes nothing."""
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                for shard in range(self._engine.store.shards):
                    await refuse_unclaimed(shard, engine=self._engine)
            except StoreUnavailableError as error:
                log.warning("commands.sweep_failed", error=str(error))

    async def _hear(self) -> None:
        async for shard in self._engine.store.bells():
            self._rung.add(shard)
            self._wake.set()
