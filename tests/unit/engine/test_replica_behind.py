"""A replica follows the store and is behind: what was marked now would be lost with the master, so it is not sent."""

from __future__ import annotations

from orchestrator.payment import OperationState
from tests.unit.core.building import card_body, card_intent
from tests.unit.engine.world import MINUTE_MS, World, said

ACTION = card_body("pending", pay_code={"3ds_url": "https://pay.example/3ds"})


async def test_i1_nothing_is_sent_whose_mark_is_not_safe_and_it_is_sent_when_the_replica_is_back():
    world = World()
    world.provider.script("create", said(ACTION))
    world.provider.script("card", said(ACTION))
    world.store.replica_is_behind = True

    await world.submit(card_intent())
    await world.pass_time(5_000)

    assert world.provider.calls["create"] == 0
    assert (await world.payment()).create.state is OperationState.READY
    assert world.story() == ["accepted"]

    world.store.replica_is_behind = False
    await world.pass_time(MINUTE_MS)

    assert world.provider.calls["create"] == 1
    assert world.story() == ["accepted", "requires_action"]
    await world.assert_consistent()
