"""Mistakes of the processes: intake, claims, turns, webhooks, the end of a worker."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator import accept as accept_module
from orchestrator import advance, held, parking
from orchestrator.adapters.memory_store import MemoryStore
from orchestrator.codec import decode
from orchestrator.errors import FencedError, StoreCorruptError, StoreUnavailableError
from orchestrator.ports import NotifyOutcome
from tests.simulator.planted.bug import Bug, Wrapped, attribute, everywhere, together
from workers import web
from workers.in_flight import InFlight
from workers.reconcile import Reconciler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.engine import Engine
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Record
    from orchestrator.refuse import Incoming


@contextmanager
def _acknowledged_before() -> Iterator[None]:
    real = accept_module.accept
    running: set[asyncio.Task[Any]] = set()

    async def accept(incoming: Incoming, *, engine: Engine, claim: bool = False) -> Record | None:
        del claim
        task = asyncio.create_task(held.until_answered(partial(real, incoming, engine=engine), engine=engine))
        running.add(task)
        task.add_done_callback(running.discard)
        return None

    with everywhere(accept_module, "accept", accept):
        yield


@contextmanager
def _webhook_lost() -> Iterator[None]:
    real = advance.notify

    async def notify(*args: Any, **rest: Any) -> NotifyOutcome:
        try:
            return await real(*args, **rest)
        except StoreUnavailableError:
            return NotifyOutcome.STORED

    with attribute(web, "notify", notify):
        yield


@contextmanager
def _given_up() -> Iterator[None]:
    async def until_answered(ask: Callable[[], Any], *, engine: Engine) -> Any:
        for pause_s in (0.05, 0.1, 0.2):
            try:
                return await ask()
            except StoreUnavailableError:
                await engine.clock.sleep(pause_s)
        raise FencedError("the store does not answer")

    with everywhere(held, "until_answered", until_answered):
        yield


@contextmanager
def _not_renewed() -> Iterator[None]:
    async def renew(_: Reconciler) -> None:
        return

    with attribute(Reconciler, "_renew", renew):
        yield


class _MachineClock(Wrapped):
    """A worker's time of day, which in this world is off by up to a minute."""

    def __init__(self, real: Any, owner: str) -> None:
        super().__init__(real)
        self._ahead_ms = zlib.crc32(owner.encode()) % 120_000 - 60_000

    def now_ms(self) -> int:
        return int(self._real.now_ms()) + self._ahead_ms


@contextmanager
def _local_clock() -> Iterator[None]:
    def on_its_clock(name: str) -> Any:
        real = vars(MemoryStore)[name]

        async def ask(store: MemoryStore, first: Any, **rest: Any) -> Any:
            owner = str(rest["owner"])
            with attribute(store, "_clock", _MachineClock(store._clock, owner)):
                return await real(store, first, **rest)

        return attribute(MemoryStore, name, ask)

    with together(*map(on_its_clock, ("claim", "renew"))):
        yield


@contextmanager
def _tried_at_once() -> Iterator[None]:
    async def put_aside(key: PaymentKey, _: Exception, *, engine: Engine) -> None:
        await engine.store.release(key, owner=engine.owner, due_at_ms=engine.clock.now_ms())

    with everywhere(parking, "put_aside", put_aside):
        yield


@contextmanager
def _read_together() -> Iterator[None]:
    async def claim_shard(reconciler: Reconciler, shard: int, limit: int) -> bool:
        engine = reconciler._engine
        records = await engine.store.claim(shard, owner=engine.owner, lease_ms=engine.policy.lease_ms, limit=limit)
        with contextlib.suppress(StoreCorruptError):
            for record in records:
                decode(record.body)
                reconciler.take(record)
        return len(records) == limit

    with attribute(Reconciler, "_claim_shard", claim_shard):
        yield


@contextmanager
def _never_parked() -> Iterator[None]:
    with attribute(parking, "PARKED_FROM", 1_000_000):
        yield


@contextmanager
def _calls_cut() -> Iterator[None]:
    async def idle(in_flight: InFlight, *, within_s: float) -> bool:
        del within_s
        await in_flight.cut()
        return True

    with attribute(InFlight, "idle", idle):
        yield


BUGS = (
    Bug(
        name="acknowledged-before-stored",
        breaks=("I2",),
        rule="A message is acknowledged after its intent is stored.",
        mistake="It is acknowledged when it was read, and stored in the background.",
        plant=_acknowledged_before,
    ),
    Bug(
        name="webhook-lost-with-200",
        breaks=("I2",),
        rule="A webhook is answered with 200 once it is stored.",
        mistake="While the store is away it is answered with 200 and dropped: polling will find out.",
        plant=_webhook_lost,
    ),
    Bug(
        name="reply-given-up",
        breaks=("I1", "I2", "I5", "I9"),
        rule="A reply in hand is kept until the store has it.",
        mistake="Three tries to write it are enough.",
        plant=_given_up,
    ),
    Bug(
        name="lease-not-renewed",
        breaks=("I1", "I2", "I5", "I9"),
        rule="A worker renews its claims every third of the lease.",
        mistake="A lease is as long as it is, and a call may be longer.",
        plant=_not_renewed,
    ),
    Bug(
        name="leases-by-local-clock",
        breaks=("I1", "I2", "I5", "I9"),
        rule="Leases run on the store's time.",
        mistake="Each worker counts them on the clock of its machine.",
        plant=_local_clock,
    ),
    Bug(
        name="poison-tried-at-once",
        breaks=("I9",),
        rule="A payment whose turn fails is put aside, longer and longer.",
        mistake="It is due again at once.",
        plant=_tried_at_once,
    ),
    Bug(
        name="unreadable-stops-the-batch",
        breaks=("I2", "I9"),
        rule="A payment that cannot be read stops only itself.",
        mistake="Those that were claimed after it are dropped with it.",
        plant=_read_together,
    ),
    Bug(
        name="never-parked",
        breaks=("I2", "I9"),
        rule="A payment that fails again and again is parked, with a review.",
        mistake="Nobody is told of it.",
        plant=_never_parked,
    ),
    Bug(
        name="calls-cut-at-stop",
        breaks=("I1", "I2", "I5", "I9"),
        rule="A worker that is stopped lets the calls on the wire end.",
        mistake="It cancels them.",
        plant=_calls_cut,
    ),
)
