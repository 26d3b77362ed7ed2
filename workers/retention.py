"""Payments that ended long ago are deleted, with all that is known of them; their ids are remembered for longer."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from orchestrator.codec import decode
from orchestrator.errors import PayorchError, StoreCorruptError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future
    from typing import Any

    from orchestrator.adapters.redis_store import RedisStore
    from orchestrator.ports import Clock
    from orchestrator.retention import Retention

REST_AFTER = 1000  # payments looked at; then others have Redis for a moment
REST_S = 0.05

log = structlog.get_logger(__name__)


class RetentionRunningError(PayorchError):
    """The worker deletes already; wait for its end, `retention.done` in the log."""


class RetentionJob:
    """The operator's task `payments.retention`: at most one at a time in a worker."""

    def __init__(
        self,
        *,
        submit: Callable[[Coroutine[Any, Any, None]], Future[None]],
        store: RedisStore,
        clock: Clock,
        retention: Retention,
    ) -> None:
        self._submit = submit
        self._store = store
        self._clock = clock
        self._retention = retention
        self._running: Future[None] | None = None

    def start(self) -> None:
        """Begin and return; raises RetentionRunningError."""
        if self._running is not None and not self._running.done():
            raise RetentionRunningError("payments are being deleted in this worker already")
        self._running = self._submit(self._run())

    async def _run(self) -> None:
        try:
            counts = await sweep(self._store, clock=self._clock, retention=self._retention)
        except PayorchError as error:
            log.error("retention.failed", error=str(error))  # noqa: TRY400  # a sentence, no traceback
            return
        log.info("retention.done", **counts)


async def sweep(store: RedisStore, *, clock: Clock, retention: Retention) -> Counter[str]:
    """Delete what has ended; how many were deleted, kept, and could not be read. Safe to be cut off anywhere."""
    counts: Counter[str] = Counter(deleted=0, kept=0, unreadable=0)
    async for record in store.scan():
        try:
            has_ended = retention.has_ended(decode(record.body), now_ms=clock.now_ms())
        except StoreCorruptError:
            counts["unreadable"] += 1
            continue
        is_deleted = has_ended and await store.erase(record, remember_ms=retention.id_ms)
        counts["deleted" if is_deleted else "kept"] += 1
        if counts.total() % REST_AFTER == 0:
            await asyncio.sleep(REST_S)
    return counts
