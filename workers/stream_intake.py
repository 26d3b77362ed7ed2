"""Intake from the Redis stream: a consumer group whose entries are acknowledged only after they are stored."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog
from redis.exceptions import RedisError, ResponseError

from orchestrator.accept import accept
from orchestrator.errors import RefusedError, StoreUnavailableError
from orchestrator.refuse import Incoming, refuse

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from orchestrator.engine import Engine
    from workers.reconcile import Reconciler

STREAM = "payments.intents"
GROUP = "payorch"
READ_COUNT = 100
BLOCK_MS = 1000
RESCUE_EVERY_S = 3.0
ALONE_AFTER_DELIVERIES = 5  # such an entry is taken alone
POISON_AFTER_DELIVERIES = 10  # such an entry becomes a dead letter
FORGET_CONSUMER_AFTER_MS = 3_600_000
PAUSE_FIRST_S = 0.1
PAUSE_MAX_S = 2.0

Entry = tuple[bytes, dict[bytes, bytes] | None]
log = structlog.get_logger(__name__)


async def ensure_group(client: Redis, *, namespace: str) -> None:
    """Make the consumer group, from the stream's first entry, and the stream where it is absent."""
    try:
        await client.xgroup_create(f"{namespace}{STREAM}", GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


class StreamIntake:
    """Reads `payments.intents` as one consumer; belongs to one event loop. Dead consumers' entries are rescued."""

    def __init__(self, client: Redis, *, engine: Engine, reconciler: Reconciler | None, rescue_idle_s: float) -> None:
        self._client: Any = client
        self._engine = engine
        self._reconciler = reconciler
        self._stream = f"{engine.namespace}{STREAM}"
        self._rescue_idle_ms = int(rescue_idle_s * 1000)
        self._counts: Counter[str] = Counter(taken=0, rescued=0, gone=0, reads=0)
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the group where it is absent and begin to read."""
        await self._make_group()
        self._tasks = [asyncio.create_task(self._forever(step)) for step in (self._read_once, self._rescue_once)]

    async def stop(self) -> None:
        """Read nothing more; what was read is stored and acknowledged first."""
        self._stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def signs_of_life(self) -> int:
        """Rises with each read that Redis answered, an empty one too."""
        return self._counts["reads"]

    def figures(self) -> dict[str, object]:
        """Counters, for `celery inspect stats` and the metrics."""
        return dict(self._counts)

    async def _forever(self, step: Any) -> None:
        pause_s = PAUSE_FIRST_S
        while not self._stopping.is_set():
            try:
                await step()
                pause_s = PAUSE_FIRST_S
            except (RedisError, StoreUnavailableError, OSError) as error:
                log.warning("intake.waits", error=type(error).__name__)
                if isinstance(error, ResponseError) and "NOGROUP" in str(error):
                    await self._make_group()
                await self._pause(pause_s)
                pause_s = min(2 * pause_s, PAUSE_MAX_S)
            except Exception:
                # What could not be stored stays pending, is taken alone after a while and ends as a dead letter (I9).
                log.exception("intake.step_failed")
                await self._pause(PAUSE_MAX_S)

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until the stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _make_group(self) -> None:
        try:
            await ensure_group(self._client, namespace=self._engine.namespace)
        except RedisError as error:
            log.warning("intake.no_group", error=type(error).__name__)

    async def _read_once(self) -> None:
        answer = await self._client.xreadgroup(
            GROUP, self._engine.owner, {self._stream: ">"}, count=READ_COUNT, block=BLOCK_MS
        )
        self._counts["reads"] += 1
        for _, entries in answer or ():
            await self._take(entries)

    async def _rescue_once(self) -> None:
        """Take over what a dead consumer had read; entries seen too often are taken alone, then put aside."""
        _, entries, gone = await self._client.xautoclaim(
            self._stream, GROUP, self._engine.owner, self._rescue_idle_ms, count=READ_COUNT
        )
        if gone:
            self._counts["gone"] += len(gone)
            log.error("intake.entries_deleted_unread", count=len(gone))
        if entries:
            self._counts["rescued"] += len(entries)
            deliveries = await self._deliveries([entry_id for entry_id, _ in entries])
            often = [entry for entry in entries if deliveries.get(entry[0], 0) > ALONE_AFTER_DELIVERIES]
            await self._take([entry for entry in entries if entry not in often])
            for entry in often:
                await self._take_alone(entry, deliveries[entry[0]])
        await self._forget_dead_consumers()
        await self._pause(RESCUE_EVERY_S)

    async def _deliveries(self, entry_ids: list[bytes]) -> dict[bytes, int]:
        pending = await self._client.xpending_range(
            self._stream, GROUP, min=entry_ids[0], max=entry_ids[-1], count=10 * READ_COUNT
        )
        return {row["message_id"]: row["times_delivered"] for row in pending}

    async def _take_alone(self, entry: Entry, deliveries: int) -> None:
        if deliveries <= POISON_AFTER_DELIVERIES:
            await self._take([entry])
            return
        incoming = _incoming(entry[1] or {})
        poison = RefusedError("poison", f"The message was delivered {deliveries} times and never stored.")
        await refuse(incoming, poison, {}, engine=self._engine)
        await self._acknowledge([entry[0]])

    async def _take(self, entries: list[Entry]) -> None:
        """Store a batch side by side; what could be stored is acknowledged, the rest stays pending."""
        results = await asyncio.gather(*(self._accept(fields or {}) for _, fields in entries), return_exceptions=True)
        stored = [entry_id for (entry_id, _), failed in zip(entries, results, strict=True) if failed is None]
        self._counts["taken"] += len(stored)
        if stored:
            await self._acknowledge(stored)
        for failed in results:
            if failed is not None:
                raise failed

    async def _accept(self, fields: dict[bytes, bytes]) -> None:
        can_advance = self._reconciler is not None and self._reconciler.free > READ_COUNT
        record = await accept(_incoming(fields), engine=self._engine, claim=can_advance)
        if record is not None and self._reconciler is not None:
            self._reconciler.take(record)

    async def _acknowledge(self, entry_ids: list[bytes]) -> None:
        """Acknowledge and delete in one transaction."""
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.xack(self._stream, GROUP, *entry_ids)
            pipeline.xdel(self._stream, *entry_ids)
            await pipeline.execute()

    async def _forget_dead_consumers(self) -> None:
        for consumer in await self._client.xinfo_consumers(self._stream, GROUP):
            if not consumer["pending"] and consumer["idle"] > FORGET_CONSUMER_AFTER_MS:
                await self._client.xgroup_delconsumer(self._stream, GROUP, consumer["name"])


def _incoming(fields: dict[bytes, bytes]) -> Incoming:
    """The message in an entry's field `intent` or `command`; anything else is taken whole, to be refused."""
    if b"command" in fields and b"intent" not in fields:
        return Incoming(body=fields[b"command"], origin="stream", is_command=True)
    if b"intent" in fields:
        return Incoming(body=fields[b"intent"], origin="stream")
    readable = {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in fields.items()}
    return Incoming(body=json.dumps(readable).encode(), origin="stream")
