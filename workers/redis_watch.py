"""The Redis that holds the state: waited for, refused where it would lose payments, watched from then on."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from orchestrator.adapters.redis_durability import UnfitRedisError, inspect_durability
from orchestrator.adapters.redis_store import ShardCountError
from orchestrator.adapters.store_clock import HEAR_EVERY_S
from orchestrator.errors import StoreUnavailableError

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from orchestrator.adapters.redis_durability import Durability
    from orchestrator.adapters.redis_store import RedisStore
    from orchestrator.adapters.store_clock import StoreClock

CONNECT_PAUSE_S = 1.0

log = structlog.get_logger(__name__)


class RedisWatch:
    """Knows the row of the promise table that holds; belongs to one event loop."""

    def __init__(self, client: Redis, *, store: RedisStore, clock: StoreClock) -> None:
        self.row = "not asked yet"
        self._client = client
        self._store = store
        self._clock = clock
        self._refused: str | None = None

    def figures(self) -> dict[str, object]:
        """Whether a worker would not start on this Redis as it is now."""
        return {"unfit": int(self._refused is not None)}

    async def wait(self) -> None:
        """Wait until Redis is there; raises UnfitRedisError or ShardCountError where it must not be used."""
        while True:
            try:
                durability = await inspect_durability(self._client)
                if durability.refused:
                    raise UnfitRedisError(durability.refused)
                await self._store.ensure_shards()
                await self._clock.hear(self._client)
            except StoreUnavailableError as error:
                log.warning("worker.waits_for_redis", error=str(error))
                await asyncio.sleep(CONNECT_PAUSE_S)
                continue
            self.row = durability.row
            self._store.follow(durability.followed)
            log.info("worker.redis", durability=durability.row)
            return

    async def watch(self) -> None:
        """Set the clock by Redis, and tell what changed about it, for ever.

        Schedules and graces run on the store's time; while Redis is away our own monotonic clock carries it on. A
        Redis that became unfit is told of and used on: payments in hand are not safer if nobody looks at them.
        """
        while True:
            await asyncio.sleep(HEAR_EVERY_S)
            with contextlib.suppress(StoreUnavailableError):  # those who need Redis say that it is away
                await self._clock.hear(self._client)
                await self._look()

    async def _look(self) -> None:
        self._note(await inspect_durability(self._client))
        try:
            await self._store.ensure_shards()  # a Redis that was emptied has forgotten it
        except ShardCountError as error:
            log.error("redis.unfit", reason=str(error))  # noqa: TRY400 - there is no trace to show

    def _note(self, durability: Durability) -> None:
        if durability.refused and durability.refused != self._refused:
            log.error("redis.unfit", reason=durability.refused)
        elif self._refused and not durability.refused:
            log.info("redis.fit_again", durability=durability.row)
        elif durability.row != self.row:
            log.warning("redis.durability_changed", was=self.row, durability=durability.row)
        self.row, self._refused = durability.row, durability.refused
        self._store.follow(durability.followed)
