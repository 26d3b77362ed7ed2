"""The store comes back without its last writes, once in a seed at most: what was confirmed did not happen after all.

The promise that then holds (docs/promises.md): what was accepted in those moments may be gone, and so may events;
nothing is charged twice for it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.adapters.memory_payment import StoredPayment
    from orchestrator.identity import PaymentKey
    from tests.simulator.world import World

KIND = "store tail lost"
WRITES_MAX = 12
AFTERSHOCK_S = 10.0  # so long what happens may still rest on what is gone


@dataclass(frozen=True, kw_only=True, slots=True)
class _Snapshot:
    payments: dict[PaymentKey, StoredPayment]
    due: dict[PaymentKey, int]
    orphans: dict[PaymentKey, list[bytes]]
    unclaimed: dict[PaymentKey, int]
    events: list[int]


class Tail:
    """Remembers how the store was before each of its last writes, in seeds that lose some."""

    def __init__(self, world: World) -> None:
        self.lost_s: float | None = None
        self._world = world
        self._taken_along: set[str] = set()  # intents that were stored when the last writes were lost, and are not now
        self._before: deque[_Snapshot] = deque(maxlen=WRITES_MAX)

    @property
    def is_fresh(self) -> bool:
        """Whether writes were lost just now."""
        return self.lost_s is not None and self._world.loop.time() < self.lost_s + AFTERSHOCK_S

    def took(self, intent: str) -> bool:
        """Whether an intent that was stored may have gone with the last writes."""
        return self.is_fresh or intent in self._taken_along

    def comes(self) -> None:
        """A write comes: perhaps those before it are lost first."""
        if self.lost_s is not None or not self._world.weather.has(KIND):
            return
        if self._before and self._world.weather.brings(KIND):
            self._lose(self._before[-self._world.dice.count(1, len(self._before))])
        self._before.append(self._taken())

    def _taken(self) -> _Snapshot:
        store = self._world.store
        return _Snapshot(
            payments={key: _copy(stored) for key, stored in store._payments.items()},
            due=dict(store._due),
            orphans={key: list(waiting) for key, waiting in store._orphans.items()},
            unclaimed=dict(store._unclaimed),
            events=[len(store.events(shard)) for shard in range(store.shards)],
        )

    def _lose(self, then: _Snapshot) -> None:
        world, store = self._world, self._world.store
        self.lost_s = world.loop.time()
        self._taken_along = {str(key) for key in store._payments.keys() - then.payments.keys()}
        world.story.tell(f"the store comes back without its last writes; {len(then.payments)} payments are left")
        for kept, were in (
            (store._payments, then.payments),
            (store._due, then.due),
            (store._orphans, then.orphans),
            (store._unclaimed, then.unclaimed),
        ):
            kept.clear()
            kept.update(were)  # type: ignore[arg-type]  # each with its own
        store._suspects.clear()
        for shard in range(store.shards):
            world.event_log.lose(shard, after=then.events[shard])
            store.lose_tail(shard)
        world.checks.begin_anew()
        world.truth.begin_anew()
        world.conduct.begin_anew()
        world.courier.lost.update(world.truth.asked)
        for process in (*world.workers, world.web):
            process.life.troubled_s = self.lost_s + AFTERSHOCK_S


def _copy(stored: StoredPayment) -> StoredPayment:
    return replace(stored, observations=list(stored.observations))
