"""A payment on which every turn fails: the adapter has a defect with what it holds. It stops only itself (I9)."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from orchestrator.identity import PaymentKey, shard_of
from orchestrator.statuses import Review

if TYPE_CHECKING:
    from tests.simulator.loop import Life
    from tests.simulator.world import World

IN_A_MINUTE_MAX = 9  # turns; it is put aside for longer and longer
RESTS_UNTOLD_MAX = 2  # from the third on a person was told
KIND = "defect"
_PARKED = Review.PARKED.encode()


class DefectError(Exception):
    """What no adapter should raise, and one day does."""


class Poison:
    """Chooses the payments, and counts how often they are tried all the same."""

    def __init__(self, world: World) -> None:
        self.has_struck = False
        self._world = world
        self._is_poison: dict[str, bool] = {}
        self._failed_s: defaultdict[str, list[float]] = defaultdict(list)

    def meet(self, life: Life, intent: str) -> None:
        """A turn comes to a call for this payment; raises DefectError where that is the end of it."""
        if not self._world.weather.has(KIND):
            return
        if intent not in self._is_poison:
            self._is_poison[intent] = self._world.weather.brings(KIND)
        if self._is_poison[intent]:
            self._count(life, intent)
            raise DefectError(intent)

    def _count(self, life: Life, intent: str) -> None:
        world, failed_s = self._world, self._failed_s[intent]
        self.has_struck = True
        failed_s.append(world.loop.time())
        world.story.tell(f"{life.name}: turn {len(failed_s)} of {intent} fails, as all do")
        recent = sum(1 for at_s in failed_s if at_s > failed_s[-1] - 60)
        if recent > IN_A_MINUTE_MAX:
            world.violated("I9", f"{intent} was tried {recent} times within a minute, though every turn of it fails")
        rests = world.store.rests(PaymentKey.parse(intent))
        # One that could not be read was put aside too, and only the log tells of that.
        is_heard_of = intent in world.unreadable.spoilt or self._is_told(intent)
        if rests > RESTS_UNTOLD_MAX and not is_heard_of:
            world.violated("I9", f"{intent} was put aside {rests} times, and nobody was told")

    def _is_told(self, intent: str) -> bool:
        """Whether an event told of it, now or before something else moved the payment on."""
        store, key = self._world.store, PaymentKey.parse(intent)
        events = store.events(shard_of(key, shards=store.shards))
        told = [json.loads(event)["data"] for event in events if _PARKED in event]
        reviews = [
            data["review"] for data in told if (data["merchant"], data["intent_id"]) == (key.merchant, key.intent_id)
        ]
        return any(Review.PARKED in review for review in reviews)
