"""Two workers and one payment: whoever comes second does nothing, or goes on from where the first one left it."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.errors import StoreUnavailableError
from tests.unit.core.building import card_body
from tests.unit.engine.world import CARD, said

ACTION = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})


@pytest.fixture(autouse=True)
def _provider(stage):
    stage.desk.script("create", said(ACTION))
    stage.desk.script("capture", said(card_body("waiting")))
    stage.desk.script("card", said(ACTION))


async def test_i1_of_two_workers_that_claim_at_once_one_sends(stage, w1, w2):
    await w1.deliver()

    taken = await asyncio.gather(w1.take(), w2.take(), w1.take(), w2.take())

    assert sorted(taken) == [0, 0, 0, 1]
    assert stage.calls["create"] == 1
    assert await stage.story() == ["accepted", "requires_action"]


async def test_i1_a_payment_claimed_with_its_accept_is_claimed_by_nobody_else(stage, w1, w2):
    record = await w1.deliver(claim=True)

    assert await w2.take() == 0
    assert await w2.deliver() is None
    assert await w2.take() == 0

    await w1.advance(record)
    assert stage.calls["create"] == 1
    assert (await stage.record()).claims == 0


async def test_i1_the_same_intent_from_two_queues_is_stored_and_sent_once(stage, w1, w2):
    await asyncio.gather(w1.submit(), w2.submit())

    await asyncio.gather(w1.take(), w2.take())

    assert stage.calls["create"] == 1
    assert await stage.story() == ["accepted", "requires_action"]


async def test_i1_a_poll_on_demand_and_a_due_claim_are_one_claim(stage, w1, w2):
    await w1.deliver()
    store = stage.ground.world.store

    records, record = await asyncio.gather(w1.claim(), store.claim_one(CARD, owner="w2", lease_ms=10_000))

    assert (len(records) == 1) != (record is not None)


async def test_t38_authorised_by_webhook_and_by_poll_at_once_is_captured_once(stage, w1, w2, web):
    await w1.submit()
    stage.desk.script("card", said(card_body("authorised")))
    await stage.ground.pass_ms(120_000)
    reading = w1.halt("while reading")
    polling = stage.start(w1.take())
    await reading.reached()

    await stage.hook(web, card_body("authorised"))
    assert await w2.take() == 0
    reading.go()
    await stage.finish(polling)
    await stage.settle(w2)

    assert stage.calls["capture"] == 1
    assert (await stage.story())[-2:] == ["processing/capturing", "processing/settling"]


async def test_a_worker_that_claims_while_the_other_one_hands_back_goes_on_from_there(stage, w1, w2, web):
    await w1.deliver()
    handing_back = w1.halt("after reply")
    first = stage.start(w1.take())
    await handing_back.reached()

    await stage.hook(web, card_body("authorised"))
    assert await w2.take() == 1
    handing_back.go()
    await stage.finish(first)

    assert await stage.story() == ["accepted", "requires_action", "processing/capturing", "processing/settling"]
    assert stage.calls == {"create": 1, "capture": 1}


@pytest.mark.parametrize("fault", ["lost", "away"])
async def test_i2_a_claim_whose_answer_is_lost_is_claimed_again_and_sent_once(stage, brief, w2, fault):
    await w2.deliver()
    brief.way.disturb("claim", fault)

    with pytest.raises(StoreUnavailableError):
        await brief.take()
    if fault == "lost":
        assert await w2.take() == 0
        await stage.lease_runs_out()
    assert await w2.take() == 1

    assert stage.calls["create"] == 1
    assert await stage.story() == ["accepted", "requires_action"]
