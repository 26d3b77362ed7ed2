"""Commands that come before their intent: kept for a minute, picked up or refused."""

from __future__ import annotations

import json

from tests.unit.core.building import card_body, card_intent
from tests.unit.engine.world import (
    DAY_MS,
    MINUTE_MS,
    World,
    said,
)

MANUAL = card_intent(method={"token": "tok_a", "return_url": "https://s.example/", "capture": "manual"})


# Before the intent


async def test_a_command_that_comes_first_is_picked_up_when_the_intent_comes():
    world = World()
    await world.command("cancel")
    world.clock.ms += 59_000
    await world.sweep()
    assert world.refusals() == []
    await world.submit(MANUAL)
    await world.pass_time(DAY_MS)
    assert world.story() == ["accepted", "canceled"]
    assert world.provider.requests == []
    await world.sweep()
    assert world.refusals() == []


async def test_a_command_that_waits_for_an_intent_does_not_put_its_create_in_doubt():
    world = World()
    world.provider.script("create", said(card_body("authorised")))
    world.provider.script("card", said(card_body("authorised")))
    await world.command("capture")
    await world.submit(MANUAL)
    assert world.story() == ["accepted", "requires_capture"]
    assert world.refusals() == [("refusal/default/c-1", "not_capturable")]


async def test_a_command_whose_intent_does_not_come_within_a_minute_is_refused_once():
    world = World()
    await world.command("cancel")
    world.clock.ms += MINUTE_MS
    for _ in range(3):
        await world.sweep()
    assert world.refusals() == [("refusal/default/c-1", "unknown_intent")]
    event = json.loads(world.store.dead_letters[0].event)
    assert (event["subject"], event["data"]["command"]) == ("ord-1001", "cancel")
    world.provider.script("create", said(card_body("authorised")))
    await world.submit(MANUAL)
    assert world.story() == ["accepted", "requires_capture"]


async def test_each_command_for_an_unknown_id_waits_its_own_minute():
    world = World()
    await world.command("cancel")
    world.clock.ms += 40_000
    await world.command("capture", command_id="c-2")
    world.clock.ms += 20_000
    await world.sweep()
    assert world.refusals() == [("refusal/default/c-1", "unknown_intent")]
    world.clock.ms += 39_000
    await world.sweep()
    assert len(world.refusals()) == 1
    world.clock.ms += 1_000
    await world.sweep()
    assert world.refusals()[1:] == [("refusal/default/c-2", "unknown_intent")]


async def test_a_webhook_beside_a_refused_command_still_puts_the_create_in_doubt():
    world = World()
    await world.command("cancel")
    await world.hook(card_body("authorised"))
    world.clock.ms += MINUTE_MS
    await world.sweep()
    assert world.refusals() == [("refusal/default/c-1", "unknown_intent")]
    await world.submit(MANUAL)
    assert world.provider.calls["create"] == 0
    assert world.story()[-1] == "requires_capture"


async def test_a_command_is_not_refused_where_the_intent_came_in_the_last_moment():
    world = World()
    await world.command("cancel")
    world.clock.ms += MINUTE_MS
    listed = world.store.unclaimed

    async def list_then_accept(shard: int, *, before_ms: int):
        found = await listed(shard, before_ms=before_ms)
        if found:
            await world.deliver(MANUAL)
        return found

    world.store.unclaimed = list_then_accept  # type: ignore[method-assign]
    await world.sweep()
    await world.turn()
    assert world.story() == ["accepted", "canceled"]
    assert world.refusals() == []
