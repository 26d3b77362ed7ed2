"""The answer of any script may be lost, or the call before it: nothing happens twice, nothing is left out (I1, I2)."""

from __future__ import annotations

import pytest

from orchestrator.errors import StoreUnavailableError
from tests.unit.core.building import card_body
from tests.unit.engine.world import said

ACTION = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})
AUTHORISED = card_body("authorised")
STORY = ["accepted", "requires_action", "processing/capturing", "processing/settling"]
FAULTS = pytest.mark.parametrize("fault", ["lost", "away"])


@pytest.fixture(autouse=True)
def _provider(stage):
    stage.desk.script("create", said(ACTION))
    stage.desk.script("capture", said(card_body("waiting")))
    stage.desk.script("card", said(ACTION))


@FAULTS
async def test_i2_an_accept_whose_answer_is_lost_is_delivered_again_and_sent_once(stage, brief, w2, fault):
    brief.way.disturb("accept", fault)

    with pytest.raises(StoreUnavailableError):
        await brief.submit()
    await w2.submit()
    if fault == "lost":
        assert stage.calls["create"] == 0
        await stage.lease_runs_out()
        await stage.settle(w2)

    assert stage.calls["create"] == 1
    assert await stage.story() == STORY[:2]


@FAULTS
@pytest.mark.parametrize("operation", ["create", "capture"])
async def test_i1_a_mark_whose_answer_is_lost_is_made_once_and_sent_once(stage, w1, web, operation, fault):
    if operation == "capture":
        await w1.submit()
    w1.way.disturb("mark", fault, fault)

    if operation == "create":
        await w1.submit()
    await stage.hook(web, AUTHORISED)
    await stage.settle(w1)

    assert w1.way.faults == {"mark": []}
    assert stage.calls == {"create": 1, "capture": 1}
    assert await stage.story() == STORY


@FAULTS
@pytest.mark.parametrize("operation", ["create", "capture"])
async def test_i2_a_reply_whose_commit_is_lost_is_committed_and_nothing_comes_into_doubt(
    stage, w1, web, operation, fault
):
    if operation == "create":
        w1.way.disturb("reply", fault, fault, fault)
    await w1.submit()
    await stage.hook(web, AUTHORISED)
    halt = w1.halt("on the wire")
    turn = stage.start(w1.take())
    await halt.reached()
    if operation == "capture":
        w1.way.disturb("reply", fault, fault, fault)
    halt.go()
    await stage.finish(turn)

    assert w1.way.faults == {"reply": []}
    assert stage.calls == {"create": 1, "capture": 1}
    assert await stage.story() == STORY


@FAULTS
async def test_a_webhook_whose_answer_is_lost_is_sent_again_and_has_its_effect_once(stage, w1, web, fault):
    await w1.submit()
    web.way.disturb("notify", fault)

    with pytest.raises(StoreUnavailableError):
        await stage.hook(web, AUTHORISED)
    await stage.hook(web, AUTHORISED)
    await stage.settle(w1)

    assert (await stage.record()).observed == (2 if fault == "lost" else 1)
    assert stage.calls["capture"] == 1
    assert await stage.story() == STORY


@FAULTS
async def test_a_late_reply_whose_notify_is_lost_is_kept_once(stage, brief, w2, fault):
    wire = brief.halt("on the wire")
    sending = stage.start(brief.submit())
    await wire.reached()
    await stage.lease_runs_out()
    await stage.settle(w2)
    brief.way.disturb("notify", fault, fault)

    wire.go()
    await stage.finish(sending)
    await stage.settle(w2)

    assert brief.way.faults == {"notify": []}
    assert (await stage.record()).observed == 1
    assert await stage.story() == ["accepted", "in_doubt", "requires_action"]
    assert stage.calls["create"] == 1


@FAULTS
async def test_a_lost_release_is_repeated_and_the_payment_is_taken_when_it_is_due(stage, w1, w2, fault):
    await w1.deliver()
    await stage.gate.pause("default", for_ms=60_000, reason="unauthorised")
    w1.way.disturb("release", fault)

    await w1.take()
    assert not await stage.is_due()
    await stage.settle(w2, for_ms=62_000)

    assert stage.calls["create"] == 1
    assert (await stage.record()).claims == 0
    assert await stage.story() == STORY[:2]


@FAULTS
async def test_a_mark_that_is_answered_too_late_sends_nothing_and_is_sent_once_later(stage, w1, fault):
    halt = w1.halt("after mark")
    w1.way.disturb("mark", fault)
    sending = stage.start(w1.submit())
    await halt.reached()
    await stage.ground.pass_ms(2_001)
    halt.go()
    await stage.finish(sending)
    assert stage.calls["create"] == 0

    await stage.settle(w1, for_ms=60_000)

    assert stage.calls["create"] == 1
    assert await stage.story() == STORY[:2]
