"""Payments whose workers died again and again are tried while nothing else is in hand: if this one dies, it is known
which payment is to blame, and nobody else's payment was at stake.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from orchestrator.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.engine import Engine
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Record
    from workers.in_flight import InFlight

EVERY_S = 5.0  # and never more than half of the time: the pause is as long as the last try was, if that was longer
PATIENCE_FIRST_S = 5.0  # for what is in flight to end, meanwhile nothing new is claimed; doubled when it was too short
PATIENCE_MAX_S = 60.0  # longer than any call lasts
ALONE_FOR_S = 10.0  # so long one suspect is tried after the other
TURN_S = 10.0  # one that takes longer is alone no more

log = structlog.get_logger(__name__)


class Suspects:
    """Tries suspects alone, from time to time; belongs to the event loop of `in_flight`."""

    def __init__(self, engine: Engine, in_flight: InFlight, *, may_claim: Callable[[], bool]) -> None:
        self.counts: Counter[str] = Counter(tried_alone=0)
        self.keeps_quiet = False  # nothing else may be claimed now
        self.alone: PaymentKey | None = None  # whose claim is renewed as one alone
        self._engine = engine
        self._in_flight = in_flight
        self._may_claim = may_claim
        self._patience_s = PATIENCE_FIRST_S

    async def watch(self) -> None:
        """Look for suspects for ever."""
        loop = asyncio.get_running_loop()
        pause_s = EVERY_S
        while True:
            await asyncio.sleep(pause_s)
            began_s = loop.time()
            try:
                shards = await self._engine.store.suspects() if self._may_claim() else ()
                if shards:
                    await self.try_some(shards)
            except StoreUnavailableError as error:
                log.warning("suspects.store_away", error=str(error))
            pause_s = max(EVERY_S, loop.time() - began_s)

    async def try_some(self, shards: Sequence[int]) -> None:
        """Wait until nothing is in flight, then try suspects of these shards one after the other, for a while."""
        self.keeps_quiet = True
        try:
            if await self._in_flight.idle(within_s=self._patience_s):
                self._patience_s = PATIENCE_FIRST_S
                self._in_flight.hold()
                await self._try_alone(shards)
            else:
                log.info("suspects.wait", in_flight=len(self._in_flight), patience_s=self._patience_s)
                self._patience_s = min(2 * self._patience_s, PATIENCE_MAX_S)
        finally:
            self.keeps_quiet = False
            self._in_flight.let_go()

    async def _try_alone(self, shards: Sequence[int]) -> None:
        engine, loop = self._engine, asyncio.get_running_loop()
        until_s = loop.time() + ALONE_FOR_S
        for shard in shards:
            while self._may_claim() and loop.time() < until_s:
                lease_ms = engine.policy.lease_ms
                record = await engine.store.claim_alone(shard, owner=engine.owner, lease_ms=lease_ms)
                if record is None:
                    break
                if not await self._ends(record):
                    return

    async def _ends(self, record: Record) -> bool:
        """Whether its turn has ended; one that takes long goes on among the others, and is blamed for nothing."""
        self.counts["tried_alone"] += 1
        log.warning("payment.tried_alone", payment=str(record.key), claims=record.claims, rests=record.rests)
        self.alone = record.key
        try:
            if await self._in_flight.alone(record, within_s=TURN_S):
                return True
        finally:
            self.alone = None
        engine = self._engine
        await engine.store.renew([record.key], owner=engine.owner, lease_ms=engine.policy.lease_ms)
        return False
