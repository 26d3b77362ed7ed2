"""A webhook that comes before our own write, or for a payment that is not stored: it shows that it was created."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.errors import StoreUnavailableError
from orchestrator.ports import NotifyOutcome
from tests.unit.core.building import card_body, payin_body, payin_intent
from tests.unit.engine.world import CARD, DAY_MS, PAYIN, said

ACTION = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})
AUTHORISED = card_body("authorised")
USELESS = {"half": "a body"}


@pytest.fixture(autouse=True)
def _provider(stage):
    stage.desk.script("create", said(ACTION))
    stage.desk.script("capture", said(card_body("waiting")))
    stage.desk.script("card", said(ACTION))


async def test_a_webhook_that_overtakes_the_create_s_reply_stands_and_the_reply_is_stale(stage, w1, web):
    stage.desk.script("card", said(card_body("received")))
    halt = w1.halt("on the wire")
    turn = stage.start(w1.submit())
    await halt.reached()
    for body in (AUTHORISED, card_body("waiting"), card_body("received")):
        await stage.hook(web, body)
    halt.go()
    await stage.finish(turn)
    await stage.settle(w1)

    assert stage.calls["create"] == 1
    assert stage.calls["capture"] == 0
    assert (await stage.story())[-1] == "succeeded"


@pytest.mark.parametrize("place", ["before accept", "after accept", "before mark"])
@pytest.mark.parametrize("body", [ACTION, USELESS], ids=["usable", "unusable"])
async def test_i1_a_webhook_for_what_was_never_sent_refuses_the_mark(stage, w1, web, place, body):
    halt = w1.halt(place)
    turn = stage.start(w1.submit())
    await halt.reached()
    outcome = await stage.hook(web, body)
    halt.go()
    await stage.finish(turn)
    await stage.settle(w1, for_ms=DAY_MS)

    assert outcome is (NotifyOutcome.ORPHANED if place == "before accept" else NotifyOutcome.STORED)
    assert stage.calls["create"] == 0
    view = (await stage.views())[-1]
    assert view["status"] == ("requires_action" if body is ACTION else "in_doubt")
    assert "unexpected_observation" in view["review"]


@pytest.mark.parametrize("fault", ["lost", "away", ""])
async def test_a_webhook_for_a_payment_not_yet_stored_is_kept_for_it_and_nothing_is_sent(stage, w1, web, fault):
    if fault:
        web.way.disturb("notify", fault)
        with pytest.raises(StoreUnavailableError):
            await stage.hook(web, ACTION)
    assert await stage.hook(web, ACTION) is NotifyOutcome.ORPHANED

    await w1.deliver()
    assert await stage.is_due()
    await stage.settle(w1)

    assert stage.calls["create"] == 0
    assert await stage.story() == ["accepted", "requires_action"]
    assert (await stage.record()).observations == ()


async def test_webhooks_and_the_intent_at_once_are_one_payment_that_is_sent_at_most_once(stage, w1, w2, web):
    await asyncio.gather(
        w1.submit(), stage.hook(web, ACTION), w2.submit(), stage.hook(web, AUTHORISED), stage.hook(w2, USELESS)
    )
    await stage.settle(w1)

    record = await stage.record()
    assert stage.calls["create"] <= 1
    assert (record.observed, record.observations) == (3, ())
    assert (await stage.story())[-1] == "processing/settling"
    assert stage.calls["capture"] == 1


async def test_a_payin_that_was_paid_before_its_create_was_answered_is_confirmed_and_succeeds(stage, w1, web):
    stage.desk.script("create", said(payin_body("pending", pay_code={"pay_url": "https://pay.example/x"})))
    stage.desk.script("detail", said(payin_body("received")))
    halt = w1.halt("on the wire")
    turn = stage.start(w1.submit(payin_intent()))
    await halt.reached()
    await stage.hook(web, payin_body("received"), PAYIN)
    halt.go()
    await stage.finish(turn)
    await stage.settle(w1)

    assert stage.calls["create"] == 1
    story = await stage.story(PAYIN)
    assert (story[0], story[-1]) == ("accepted", "succeeded")
    assert "in_doubt" not in story


async def test_a_webhook_at_the_takeover_of_a_create_answers_for_the_list(stage, brief, w2, web):
    halt = brief.halt("on the wire")
    turn = stage.start(brief.submit())
    await halt.reached()
    await stage.lease_runs_out(CARD)
    await stage.hook(web, ACTION)

    await stage.settle(w2)
    halt.go()
    await stage.finish(turn)
    await stage.settle(w2)

    assert stage.calls == {"create": 1}
    assert (await stage.story())[-1] == "requires_action"
