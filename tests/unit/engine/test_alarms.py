"""What stays in doubt for a day is told to a person: one log line, one count, one event for each operation."""

from __future__ import annotations

import pytest

from orchestrator.policy import Policy
from tests.unit.core.building import (
    card_body,
    card_intent,
    gateway_intent,
    payid_intent,
    payin_body,
    payin_intent,
)
from tests.unit.engine.world import CARD, DAY_MS, GATEWAY, HOUR_MS, LOST, MINUTE_MS, PAYID, PAYIN, World, said
from workers.telemetry import Telemetry

MOBILE = {"payin_method_name": "gh_mobile_money_ghs", "payin_method_params": {"account_number": "0551234567"}}
METHODS = {"token": "tok_a", "return_url": "https://s.example/", "capture": "manual"}


def a_world(**scripts) -> World:
    """No create is made again: what is in doubt stays there."""
    world = World(Policy(recreated_flows=frozenset()))
    for kind, reply in scripts.items():
        world.provider.script(kind, reply)
    return world


async def lost_create(intent) -> World:
    world = a_world(create=LOST)
    await world.submit(intent)
    return world


async def lost_capture() -> World:
    authorised = said(card_body("authorised"))
    world = a_world(create=authorised, card=authorised, capture=LOST)
    await world.submit(card_intent(method=METHODS))
    await world.command("capture")
    return world


async def lost_code() -> World:
    waits = said(payin_body("pending", stage="authorize_otp"))
    world = a_world(create=waits, detail=waits, otp=LOST)
    await world.submit(payin_intent(currency="GHS", method=MOBILE))
    await world.command("confirm_otp", key=PAYIN, code="123456")
    return world


async def lost_refund() -> World:
    paid = said(payin_body("received"))
    world = a_world(create=paid, detail=paid, refund=LOST)
    await world.submit(payin_intent())
    await world.command("refund", key=PAYIN, refund_id="r-1", amount_minor=100)
    return world


LOST_CALLS = {
    "card": (CARD, lambda: lost_create(card_intent())),
    "payin": (PAYIN, lambda: lost_create(payin_intent())),
    "payid": (PAYID, lambda: lost_create(payid_intent())),
    "gateway_link": (GATEWAY, lambda: lost_create(gateway_intent())),
    "capture": (CARD, lost_capture),
    "confirm_otp": (PAYIN, lost_code),
    "refund": (PAYIN, lost_refund),
}


@pytest.mark.parametrize("call", LOST_CALLS)
async def test_whatever_stays_in_doubt_for_a_day_alarms_once(call):
    key, lose = LOST_CALLS[call]
    world = await lose()
    await world.pass_time(20 * HOUR_MS if call != "capture" else MINUTE_MS)
    assert "in_doubt_aged" not in world.last(key)["review"]
    await world.pass_time(4 * DAY_MS)

    assert "in_doubt_aged" in world.last(key)["review"]
    telemetry = Telemetry()
    for event, fields in world.ledger.lines:
        if fields.get("review") == "in_doubt_aged":
            telemetry.warning(event, **fields)
    flow = (await world.payment(key)).flow
    counted = f'payorch_reviews_total{{flow="{flow}",review="in_doubt_aged"}} 1.0'
    assert counted in telemetry.exposition().decode()
    await world.assert_consistent(key)
