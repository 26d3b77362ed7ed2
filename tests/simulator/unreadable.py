"""Payments that this version of the program cannot read for a while: another one wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import StoreCorruptError

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey
    from tests.simulator.world import World

GARBAGE = b"written by another version"


class Unreadable:
    """Spoils stored bodies and puts them right again; each stops only itself (I9)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.spoilt: set[str] = set()  # intents whose payments were unreadable once
        self._bodies: dict[PaymentKey, bytes] = {}

    def written(self, key: PaymentKey) -> None:
        """A payment was written."""
        world = self._world
        if world.weather.has("store tail lost"):
            return  # a body that was put right would be spoilt again, for ever
        if key in world.checks.stored and key not in self._bodies and world.weather.brings("payment unreadable"):
            world.story.tell(f"{key} becomes unreadable")
            self.spoilt.add(str(key))
            record = world.store.stored(key)
            self._bodies[key], record.body = record.body, GARBAGE
            world.loop.after(world.dice.skewed(1, 600), self._restore, key)

    def explains(self, error: BaseException | None) -> bool:
        """Whether a turn failed for this."""
        return isinstance(error, StoreCorruptError)

    def clear_up(self) -> None:
        """All can be read again."""
        for key in list(self._bodies):
            self._restore(key)

    def _restore(self, key: PaymentKey) -> None:
        body = self._bodies.pop(key, None)
        record = self._world.store.stored(key)
        if body is not None and record.body == GARBAGE:
            self._world.story.tell(f"{key} is readable again")
            record.body = body
