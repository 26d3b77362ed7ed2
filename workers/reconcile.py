"""Reconcile: claim what is due, advance it, keep its lease; the recovery path of everything that got lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog

from orchestrator.advance import advance
from orchestrator.errors import StoreCorruptError, StoreUnavailableError
from orchestrator.parking import put_aside
from orchestrator.unclaimed import refuse_unclaimed
from workers.in_flight import InFlight
from workers.probes import Probes
from workers.rations import Rations
from workers.suspects import Suspects

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from orchestrator.engine import Engine
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Record

TICK_S = 0.5  # a lost bell costs so much
BATCH = 100  # claimed by one script: it blocks Redis for about a millisecond
QUIET_S = 3.0  # after a start or an outage nothing is claimed: those who lived through it renew first
HAND_BACK_S = 2.0  # for the claims that are left when a stop is cut short
RENEWALS_PER_LEASE = 3
SWEEP_S = 5.0

log = structlog.get_logger(__name__)


class Reconciler:
    """Advances due payments, at most `concurrency` at once; belongs to one event loop."""

    def __init__(self, engine: Engine, *, concurrency: int) -> None:
        self._engine = engine
        self._concurrency = concurrency
        self._in_flight = InFlight(self._advance)
        self._suspects = Suspects(engine, self._in_flight, may_claim=self._may_claim)
        self._probes = Probes(engine)
        self._rations = Rations(engine.limiter, shards=engine.store.shards)
        self._counts: Counter[str] = Counter(advanced=0, failed=0, leases_gone=0, rounds=0, unreadable=0)
        self._rung: set[int] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._hurrying = asyncio.Event()
        self._store_away = False
        self._claim_from_s = 0.0
        self._asked_for = 0  # payments that claims under way may bring
        self._claiming: asyncio.Task[None] | None = None
        self._trying: asyncio.Task[None] | None = None
        self._others: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to claim, after the quiet in which others may renew what they hold."""
        self._claim_from_s = asyncio.get_running_loop().time() + QUIET_S
        self._claiming = asyncio.create_task(self._keep_running(self._claim_until_stopped))
        self._trying = asyncio.create_task(self._keep_running(self._suspects.watch))
        others = (self._renew_forever, self._hear, self._sweep_forever)
        self._others = [asyncio.create_task(self._keep_running(run)) for run in others]

    @property
    def free(self) -> int:
        """How many more payments may be in flight here."""
        if self._stopping or self._suspects.keeps_quiet:
            return 0
        return max(0, self._concurrency - len(self._in_flight) - self._asked_for)

    @property
    def signs_of_life(self) -> int:
        """Rises with each round of claims that Redis answered."""
        return self._counts["rounds"]

    def take(self, record: Record) -> None:
        """Advance a payment that this process has claimed."""
        self._in_flight.take(record)

    def begin_stop(self) -> None:
        """Claim nothing more and begin no call: what is not on the wire is handed over at once."""
        self._stopping = True
        self._wake.set()

    def hurry(self) -> None:
        """Cut a stop short: do not wait for the calls on the wire any more."""
        self._hurrying.set()

    async def stop(self, timeout_s: float) -> bool:
        """Let the calls on the wire end and commit what came of them; True where all did in time.

        What is left over is cut off and handed back, due now: such a call is in doubt, and looked at by others.
        """
        self.begin_stop()
        drained = asyncio.create_task(self._drained())
        hurried = asyncio.create_task(self._hurrying.wait())
        await asyncio.wait({drained, hurried}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        is_complete = drained.done()
        await _cancelled(drained, hurried, self._claiming, self._trying, *self._others)
        await self._probes.stop()
        await self._hand_back(await self._in_flight.cut())
        return is_complete

    def figures(self) -> dict[str, object]:
        """Counters and state, for `celery inspect stats` and the metrics."""
        counts = {**self._counts, **self._suspects.counts}
        return {**counts, "in_flight": len(self._in_flight), "store_away": self._store_away}

    async def _drained(self) -> None:
        """Claims that were under way may still bring payments; nothing is in flight once this ends."""
        await _cancelled(self._trying)
        if self._claiming is not None:
            await asyncio.wait({self._claiming})
        while not await self._in_flight.idle(within_s=TICK_S):
            continue

    async def _hand_back(self, keys: Iterable[PaymentKey]) -> None:
        """Release claims whose turns were cut off; one that Redis does not take back runs out by itself."""
        engine = self._engine
        releases = [engine.store.release(key, owner=engine.owner, due_at_ms=engine.clock.now_ms()) for key in keys]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HAND_BACK_S):
                await asyncio.gather(*releases, return_exceptions=True)

    def _may_claim(self) -> bool:
        loop = asyncio.get_running_loop()
        return not (self._stopping or self._store_away) and loop.time() >= self._claim_from_s

    async def _advance(self, record: Record) -> None:
        with structlog.contextvars.bound_contextvars(payment=str(record.key)):
            try:
                await advance(record, engine=self._engine, is_stopping=lambda: self._stopping)
                self._counts["advanced"] += 1
            except Exception as error:
                # Put aside with a rest, and after a few more with a review: the others go on (I9).
                self._counts["failed"] += 1
                log.exception("payment.advance_failed")
                await self._put_aside(record.key, error)

    async def _put_aside(self, key: PaymentKey, error: Exception) -> None:
        try:
            await put_aside(key, error, engine=self._engine)
        except Exception:
            # The claim is left to run out; then it is tried once more.
            log.exception("payment.not_put_aside")

    async def _keep_running(self, part: Callable[[], Awaitable[None]]) -> None:
        """A defect in one part must not stop it for good: a worker that claims nothing looks well from outside."""
        while True:
            try:
                return await part()
            except Exception:
                log.exception("reconcile.part_failed", part=part.__name__)
            await asyncio.sleep(TICK_S)

    async def _claim_until_stopped(self) -> None:
        """Every shard at each tick, in between those that were rung: bells that never stop hold up no look."""
        loop = asyncio.get_running_loop()
        tick_s = loop.time()
        while not self._stopping:
            rung, self._rung = self._rung, set()
            self._wake.clear()
            is_tick = loop.time() >= tick_s
            if is_tick:
                tick_s = loop.time() + TICK_S
                self._rations.share_out(tick_s=TICK_S)
                self._probes.begin()
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
                await self._claim_all(shards)
            self._counts["rounds"] += 1
        except StoreUnavailableError as error:
            if not self._store_away:
                log.warning("store.away", error=str(error))
            self._store_away = True

    async def _come_back(self) -> None:
        """Renew what is held and rest: those who lived through an outage renew before anybody claims."""
        engine = self._engine
        await self._renew()
        # Asks for nothing: it shows that Redis answers, and whether a shard's counter of commits went back, before
        # others have raised it again.
        looks = (
            engine.store.claim(shard, owner=engine.owner, lease_ms=engine.policy.lease_ms, limit=0)
            for shard in range(engine.store.shards)
        )
        await asyncio.gather(*looks)
        self._store_away = False
        self._claim_from_s = asyncio.get_running_loop().time() + QUIET_S
        log.info("store.back")

    async def _claim_all(self, shards: range | set[int]) -> None:
        """Share the room among the shards; those that filled their share are asked again while there is some left."""
        waiting = random.sample(list(shards), len(shards))  # another order each time: the last may find no room
        while waiting and self.free and self._may_claim():
            share = max(1, min(BATCH, self.free // len(waiting)))
            asked, waiting = waiting[: self.free // share], waiting[self.free // share :]
            are_full = await asyncio.gather(*(self._claim_shard(shard, share) for shard in asked))
            waiting += [shard for shard, is_full in zip(asked, are_full, strict=True) if is_full]

    async def _claim_shard(self, shard: int, limit: int) -> bool:
        """Whether as many were due as were asked for."""
        engine = self._engine
        self._asked_for += limit
        try:
            records = await engine.store.claim(
                shard,
                owner=engine.owner,
                lease_ms=engine.policy.lease_ms,
                limit=limit,
                rations=self._rations.take(shard),
            )
        except StoreCorruptError as error:
            # What is of no payment alone, as its index: the other shards go on.
            self._counts["unreadable"] += 1
            log.error("store.shard_unreadable", shard=shard, error=str(error))  # noqa: TRY400 - there is no trace to show
            return False
        finally:
            self._asked_for -= limit
        for record in records:
            self.take(record)
        return len(records) == limit

    async def _renew_forever(self) -> None:
        pause_s = self._engine.policy.lease_ms / 1000 / RENEWALS_PER_LEASE
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._renew()
            except StoreUnavailableError as error:
                log.warning("store.renewal_failed", error=str(error))

    async def _renew(self) -> None:
        engine, alone = self._engine, self._suspects.alone
        keys = [key for key in self._in_flight.keys if key != alone]
        lost = await engine.store.renew(keys, owner=engine.owner, lease_ms=engine.policy.lease_ms)
        if alone is not None:
            lost |= await engine.store.renew([alone], owner=engine.owner, lease_ms=engine.policy.lease_ms, alone=True)
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


async def _cancelled(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel these tasks and wait for their end."""
    some = [task for task in tasks if task is not None]
    for task in some:
        task.cancel()
    await asyncio.gather(*some, return_exceptions=True)
