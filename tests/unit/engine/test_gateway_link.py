"""A gateway link from the token to the late money."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.policy import Policy
from tests.unit.core.building import LINK, gateway_body, gateway_intent, gateway_reply
from tests.unit.engine.world import (
    DAY_MS,
    GATEWAY,
    HOUR_MS,
    LOST,
    MINUTE_MS,
    UNAUTHORISED,
    UNKNOWN_ID,
    UNSENT,
    World,
    said,
)


async def linked(policy: Policy | None = None, **changes) -> World:
    world = World(policy)
    world.provider.script("create", said(gateway_reply()))
    await world.submit(gateway_intent(**changes))
    return world


async def test_t20_a_link_is_shown_and_its_payment_believed_from_the_webhook():
    world = await linked()
    assert world.story(GATEWAY) == ["accepted", "requires_action"]
    assert world.last(GATEWAY)["next_action"] == {"type": "redirect", "purpose": "payment", "url": LINK}
    assert world.last(GATEWAY)["provider"] == {
        "name": "hello_clever",
        "reference": "46345",
        "status": None,
        "stage": None,
    }
    await world.hook(gateway_body("received"), key=GATEWAY)
    last = world.last(GATEWAY)
    assert (last["status"], last["review"], last["settled"], last["paid_minor"]) == ("succeeded", [], True, 10000)
    assert world.provider.calls == {"create": 1}
    assert world.store.due(GATEWAY) is None
    await world.assert_consistent(GATEWAY)


async def test_the_order_carries_the_webhook_of_its_attempt():
    world = await linked()
    body = world.provider.requests[0][1].body
    assert body is not None
    notification: Any = body["payment_gateway_notification"]
    assert notification["endpoint_url"].endswith("/default/ord-4001/1")


@pytest.mark.parametrize(
    ("changes", "policy", "after_ms"),
    [
        ({}, None, DAY_MS),
        ({}, Policy(link_ttl_ms=HOUR_MS), HOUR_MS),
        ({"expires_at": "2027-01-15T08:30:00Z"}, None, 30 * MINUTE_MS),
        ({"expires_at": "2027-01-18T08:00:00Z"}, None, 3 * DAY_MS),
    ],
    ids=["a day", "the setting", "the intent's, earlier", "the intent's, later"],
)
async def test_t20_a_link_that_nobody_pays_lapses_by_our_clock(changes, policy, after_ms):
    world = await linked(policy, **changes)
    await world.pass_time(after_ms - MINUTE_MS)
    assert world.story(GATEWAY) == ["accepted", "requires_action"]
    await world.pass_time(2 * MINUTE_MS)
    assert world.story(GATEWAY)[2:] == ["expired/link_lapsed"]
    assert world.last(GATEWAY)["observed_by"] == "clock"
    assert world.last(GATEWAY)["expires_at"] == (changes.get("expires_at", "").replace("00Z", "00.000Z") or None)
    assert world.store.due(GATEWAY) is None
    assert world.provider.calls == {"create": 1}


async def test_t45_money_after_the_lapse_is_taken_and_flagged():
    world = await linked()
    await world.pass_time(2 * DAY_MS)
    await world.hook(gateway_body("pending"), key=GATEWAY)
    assert world.story(GATEWAY)[2:] == ["expired/link_lapsed"]
    await world.hook(gateway_body("received"), key=GATEWAY)
    last = world.last(GATEWAY)
    assert (last["status"], last["customer_paid"], last["paid_minor"]) == ("succeeded", True, 10000)
    assert "late_payment" in last["review"]
    await world.assert_consistent(GATEWAY)


@pytest.mark.parametrize("word", ["mystery", "SUCCESS", "paid", "refund_requested"])
async def test_d13_an_unknown_status_is_frozen_and_flagged_and_the_link_still_lapses(word):
    world = await linked()
    await world.hook(gateway_body(word), key=GATEWAY)
    assert (world.last(GATEWAY)["status"], world.last(GATEWAY)["review"]) == ("requires_action", ["unknown_status"])
    await world.pass_time(2 * DAY_MS)
    assert world.story(GATEWAY)[-1] == "expired/link_lapsed"
    assert world.provider.calls == {"create": 1}


async def test_i2_an_unfinished_link_stays_due_although_there_is_nothing_to_read():
    world = await linked()
    for word in ("waiting", "return_pending", "in_dispute"):
        await world.hook(gateway_body(word), key=GATEWAY)
        assert world.store.due(GATEWAY) is not None
        await world.pass_time(3 * DAY_MS)
        assert world.store.due(GATEWAY) is not None
    assert world.story(GATEWAY)[2:] == ["processing/settling", "refund_pending", "disputed"]
    assert world.provider.calls == {"create": 1}


# Its token


async def test_vector_11_the_first_401_is_answered_by_another_token_at_once():
    world = World()
    world.provider.script("create", UNAUTHORISED, said(gateway_reply()))
    await world.submit(gateway_intent())
    assert world.story(GATEWAY) == ["accepted", "requires_action"]
    assert world.provider.calls == {"create": 2}
    assert world.ledger.said("merchant.paused") == 0


def pauses(world):
    """The reasons for which calls were paused."""
    return {fields["reason"] for event, fields in world.ledger.lines if event == "merchant.paused"}


async def test_vector_11_the_second_401_pauses_the_merchant_and_no_loop_follows():
    world = World()
    world.provider.script("create", UNAUTHORISED)
    await world.submit(gateway_intent())
    assert world.provider.calls == {"create": 2}
    assert world.ledger.said("merchant.paused") == 1
    assert await world.gate.paused() == {"default": "paused"}
    await world.pass_time(10 * MINUTE_MS)
    pauses = 10 * 60 // 30
    assert pauses // 2 <= world.provider.calls["create"] <= 2 + pauses
    assert world.story(GATEWAY) == ["accepted"]
    world.provider.script("create", said(gateway_reply()))
    await world.pass_time(MINUTE_MS)
    assert world.story(GATEWAY) == ["accepted", "requires_action"]


async def test_a_401_that_comes_again_after_another_answer_is_a_first_one_again():
    world = World()
    world.provider.script("create", UNAUTHORISED, said({}, 429), UNAUTHORISED, said(gateway_reply()))
    await world.submit(gateway_intent())
    await world.pass_time(MINUTE_MS)
    assert world.story(GATEWAY) == ["accepted", "requires_action"]
    assert "unauthorised" not in pauses(world)


async def test_a_token_that_is_refused_pauses_the_merchant_and_sends_nothing():
    world = World()
    world.provider.script("token", UNAUTHORISED, None)
    world.provider.script("create", said(gateway_reply()))
    await world.submit(gateway_intent())
    assert world.provider.requests == []
    assert world.ledger.said("merchant.paused") == 1
    assert (await world.payment(GATEWAY)).create.state == "ready"
    await world.pass_time(2 * MINUTE_MS)
    assert world.story(GATEWAY) == ["accepted", "requires_action"]


@pytest.mark.parametrize("obstacle", [said({}, 500), said({}, 200), UNKNOWN_ID, LOST, UNSENT, said({}, 429)], ids=str)
async def test_i5_a_token_that_cannot_be_had_fails_no_payment(obstacle):
    world = World()
    world.provider.script("token", obstacle, obstacle, None)
    world.provider.script("create", said(gateway_reply()))
    await world.submit(gateway_intent())
    assert (world.provider.requests, world.story(GATEWAY)) == ([], ["accepted"])
    await world.pass_time(5 * MINUTE_MS)
    assert world.story(GATEWAY) == ["accepted", "requires_action"]
    assert "unauthorised" not in pauses(world)


async def test_without_a_token_in_time_it_expires_unsent():
    world = World()
    world.provider.script("token", said({}, 500))
    await world.submit(gateway_intent(send_within_s=120))
    await world.pass_time(HOUR_MS)
    assert world.story(GATEWAY) == ["accepted", "expired/not_sent"]
    assert world.provider.requests == []


async def test_i10_the_create_and_its_token_take_a_permit_each():
    world = World()
    world.provider.script("token", None)
    world.provider.script("create", said(gateway_reply()))
    await world.submit(gateway_intent())
    assert world.gate.given == {"act": 2}


# What the create may answer


async def test_a_404_whose_cause_nobody_explains_keeps_it_accepted_and_alarms():
    world = World()
    world.provider.script("create", UNKNOWN_ID, UNKNOWN_ID, said(gateway_reply()))
    await world.submit(gateway_intent())
    assert world.story(GATEWAY) == ["accepted"]
    assert world.ledger.said("provider.misconfigured") == 1
    await world.pass_time(MINUTE_MS)
    assert world.story(GATEWAY) == ["accepted", "requires_action"]
    assert world.ledger.said("provider.misconfigured") == 2


async def test_a_404_for_ever_expires_it_unsent():
    world = World()
    world.provider.script("create", UNKNOWN_ID)
    await world.submit(gateway_intent(send_within_s=600))
    await world.pass_time(HOUR_MS)
    assert world.story(GATEWAY) == ["accepted", "expired/not_sent"]
    assert 10 <= world.provider.calls["create"] <= 30


async def test_a_422_fails_it():
    world = World()
    world.provider.script("create", said({"errors": {"message": "Bad phone"}}, 422))
    await world.submit(gateway_intent())
    assert world.story(GATEWAY) == ["accepted", "failed"]
    assert world.last(GATEWAY)["failure"] == {"code": "http_422", "message": "Bad phone"}


async def test_i1_a_lost_create_is_repeated_once_and_resolved_by_its_webhook():
    world = World()
    world.provider.script("create", LOST)
    await world.submit(gateway_intent())
    await world.pass_time(2 * DAY_MS)
    assert world.story(GATEWAY) == ["accepted", "in_doubt", "in_doubt"]
    assert world.last(GATEWAY)["review"] == ["in_doubt_aged"]
    assert world.provider.calls == {"create": 2}
    assert world.store.due(GATEWAY) is not None
    await world.hook(gateway_body("received"), key=GATEWAY)
    assert world.story(GATEWAY)[3:] == ["succeeded"]
    assert world.last(GATEWAY)["review"] == []
    assert world.last(GATEWAY)["provider"]["reference"] == "46345"


async def test_a_webhook_before_the_reply_wins_and_the_reply_adds_its_link():
    world = World()

    async def overtaken(_request):
        await world.hook(gateway_body("received"), key=GATEWAY, turn=False)
        return said(gateway_reply())

    world.provider.script("create", overtaken)
    await world.submit(gateway_intent())
    await world.turn()
    assert world.story(GATEWAY)[-1] == "succeeded"
    await world.assert_consistent(GATEWAY)
