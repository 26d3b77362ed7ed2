"""Table G of the faults: a clock that jumps costs time, never money (I1); nothing ends in 2038."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

import pytest

from orchestrator.adapters.redis_time import RedisTime
from tests.unit.core.building import card_body, card_intent, payin_body, payin_intent
from tests.unit.engine.world import DAY_MS, HOUR_MS, MINUTE_MS, PAYIN, UNSENT, World, said

JUMPS_MS = (-DAY_MS, -HOUR_MS, -5 * MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, DAY_MS)
ACTION = card_body("pending", pay_code={"3ds_url": "https://pay.example/3ds"})
IN_2038_MS = 2**31 * 1000


async def unsent_card():
    """A card payment whose first call never left; it will be tried again."""
    world = World()
    world.provider.script("create", UNSENT, said(ACTION))
    world.provider.script("card", said(ACTION))
    world.provider.script("capture", said(card_body("waiting")))
    await world.submit(card_intent(send_within_s=7 * 24 * 3600))
    return world


@pytest.mark.parametrize("jump_ms", JUMPS_MS)
async def test_i1_the_stores_clock_may_jump_and_nothing_is_sent_twice(jump_ms):
    world = await unsent_card()

    world.clock.ms += jump_ms
    await world.pass_time(2 * DAY_MS)

    assert [kind for kind, _ in world.provider.requests].count("create") == 2  # the first never left
    assert world.story()[:2] == ["accepted", "requires_action"]
    await world.assert_consistent()


@pytest.mark.parametrize("jump_ms", JUMPS_MS)
async def test_i1_a_jump_while_the_customer_is_away_neither_pays_nor_expires_anything(jump_ms):
    world = World()
    action = payin_body("pending", pay_code={"pay_url": "https://pay.example/x"})
    world.provider.script("create", said(action))
    world.provider.script("detail", said(action))
    await world.submit(payin_intent())

    world.clock.ms += jump_ms
    await world.pass_time(MINUTE_MS)
    assert world.last(PAYIN)["status"] == "requires_action"  # the provider is asked; our clock decides nothing
    world.provider.script("detail", said(payin_body("received")))
    await world.pass_time(2 * DAY_MS)

    assert world.story(PAYIN)[-1] == "succeeded"
    await world.assert_consistent(PAYIN)


async def test_what_happens_after_2038_happens_as_before():
    world = World()
    world.clock.ms = IN_2038_MS - 1_000
    action = payin_body("pending", pay_code={"pay_url": "https://pay.example/x"})
    world.provider.script("create", said(action))
    world.provider.script("detail", said(action), said(payin_body("received")))

    await world.submit(payin_intent(expires_at="2038-02-01T00:00:00Z"))
    await world.pass_time(2 * DAY_MS)

    assert world.story(PAYIN)[-1] == "succeeded"
    assert world.events(PAYIN)[-1]["time"] > "2038-01-19T03:14:07Z"


@pytest.mark.parametrize("zone", ["UTC", "Australia/Sydney", "America/New_York"])
async def test_the_machines_time_zone_and_its_summer_time_mean_nothing(zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        world = World()
        world.clock.ms = int(datetime(2027, 4, 3, 15, 30, tzinfo=UTC).timestamp() * 1000)  # Sydney's hour that is twice
        action = payin_body("pending", pay_code={"pay_url": "https://pay.example/x"})
        world.provider.script("create", said(action))
        world.provider.script("detail", said(action))
        await world.submit(payin_intent(expires_at="2027-04-03T16:30:00Z"))
        await world.pass_time(HOUR_MS)
    finally:
        os.environ.pop("TZ")
        time.tzset()

    assert world.events(PAYIN)[0]["time"].startswith("2027-04-03T15:30:00")
    assert world.events(PAYIN)[0]["data"]["expires_at"].startswith("2027-04-03T16:30:00")


def test_what_redis_said_last_holds_however_its_clock_jumped():
    told = RedisTime()
    told.learn(2_000_000)

    told.learn(1_000_000)

    now_ms = told.now_ms()
    assert now_ms is not None
    assert 1_000_000 <= now_ms < 1_900_000
