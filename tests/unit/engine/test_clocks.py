"""A worker whose clock is not the store's: due times are kept on one clock and compared on the other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.core.building import NOW_MS, card_body
from tests.unit.engine.world import CARD, UNSENT, FrozenClock, World, said

OFF_MS = 400


class ClockThatIsOff(FrozenClock):
    def __init__(self, clock: FrozenClock, ahead_ms: int) -> None:
        self._clock = clock
        self._ahead_ms = ahead_ms

    def now_ms(self) -> int:
        return self._clock.now_ms() + self._ahead_ms

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()


@pytest.mark.parametrize("ahead_ms", [-OFF_MS, 0, OFF_MS])
async def test_a_payment_that_waits_is_not_claimed_again_and_again(ahead_ms):
    world = World()
    world.engines["w2"] = replace(world.engines["w2"], clock=ClockThatIsOff(world.clock, ahead_ms))
    world.provider.script("create", UNSENT, said(card_body("pending")))
    await world.deliver()
    await world.turn(worker="w2")

    turns = 0
    for world.clock.ms in range(NOW_MS, NOW_MS + 3000, 5):
        turns += await world.turn(worker="w2")

    assert world.provider.calls["create"] == 2
    assert turns <= 3


async def test_a_due_time_is_the_worker_s_own_where_its_clock_is_right():
    world = World()
    world.provider.script("create", UNSENT)
    await world.submit()
    await world.turn()

    assert world.store.due(CARD) == world.clock.ms + world.policy.unsent_backoff_ms[0]
