from __future__ import annotations

import pytest

from orchestrator.advance import advance
from orchestrator.payment import OperationState
from tests.unit.core.building import card_body, payin_body, payin_intent
from tests.unit.engine.world import CARD, DAY_MS, HOUR_MS, PAYIN, World, said

ACTION = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})
STORY = ["accepted", "requires_action", "processing/capturing", "processing/settling"]


@pytest.fixture
def world() -> World:
    world = World()
    world.provider.script("create", said(ACTION))
    world.provider.script("capture", said(card_body("waiting")))
    world.provider.script("card", said(ACTION))
    return world


@pytest.mark.parametrize("fault", ["lost", "away"])
@pytest.mark.parametrize("method", ["commit", "release"])
async def test_i1_every_write_whose_answer_was_lost_is_repeated_and_nothing_happens_twice(world, fault, method):
    getattr(world.store, fault)[method] = 1
    await world.submit()
    getattr(world.store, fault)[method] = 2
    await world.hook(card_body("authorised"))
    assert world.story() == STORY
    assert world.provider.calls["create"] == world.provider.calls["capture"] == 1
    await world.assert_consistent()


async def test_a_repeated_write_carries_the_op_of_the_first(world):
    world.store.lost["commit"] = 3
    await world.submit()
    repeats = [op for op in set(world.store.ops) if world.store.ops.count(op) > 1]
    assert [world.store.ops.count(op) for op in repeats] == [4]


@pytest.mark.parametrize("fault", ["lost", "away"])
@pytest.mark.parametrize("nth", [1, 2])
async def test_i2_fifteen_seconds_without_the_store_lose_no_reply_in_hand(world, fault, nth):
    async def outage(request):
        getattr(world.store, fault)["commit"] = 20
        return said(ACTION)

    world.provider.script("create", outage if nth == 1 else said(ACTION))
    world.provider.script("capture", outage if nth == 2 else said(card_body("waiting")))
    began_ms = world.clock.ms
    await world.submit()
    await world.hook(card_body("authorised"))
    assert world.clock.ms - began_ms > 15_000
    assert "in_doubt" not in world.story()
    assert world.provider.calls["create"] == world.provider.calls["capture"] == 1
    await world.assert_consistent()


async def test_a_claim_that_runs_out_while_the_store_is_away_is_told_by_notify(world):
    async def slow(_request):
        world.clock.ms += 11_000
        await world.turn(worker="w2")
        world.store.lost["notify"] = 2
        return said(ACTION)

    world.provider.script("create", slow)
    await world.submit()
    await world.turn(worker="w2")
    assert world.story() == ["accepted", "in_doubt", "requires_action"]
    record = await world.store.load(CARD)
    assert record is not None
    assert (record.observed, record.observations) == (1, ())


async def test_i4_a_webhook_between_claim_and_commit_is_not_lost(world):
    await world.submit()
    await world.deliver(payin_intent())
    record = await world.claim(PAYIN)

    async def create(_request):
        for word in ("pending", "waiting"):
            await world.hook(payin_body(word), key=PAYIN, turn=False)
        return said(payin_body("pending", pay_code={"qr_string": "0"}))

    world.provider.script("create", create)
    world.provider.script("detail", said(payin_body("waiting")))
    await advance(record, engine=world.engines["w1"])
    await world.turn()
    assert world.last(PAYIN)["reason"] == "settling"
    stored = await world.store.load(PAYIN)
    assert stored is not None
    assert (stored.observed, stored.observations) == (2, ())
    await world.assert_consistent(PAYIN)


async def test_two_workers_on_one_store_never_call_twice(world):
    world.provider.script("card", said(card_body("authorised")), said(card_body("received")))
    await world.deliver()
    for hour in range(30):
        await world.pass_time(HOUR_MS, worker=("w1", "w2")[hour % 2])
        assert await world.turn(worker="w2") + await world.turn(worker="w1") == 0
    assert world.provider.calls["create"] == world.provider.calls["capture"] == 1
    await world.pass_time(2 * DAY_MS)
    assert world.story()[-1] == "succeeded"
    assert (await world.payment()).create.state is OperationState.DONE
    await world.assert_consistent()


async def test_a_final_payment_leaves_the_due_index_and_wakes_for_a_webhook(world):
    world.provider.script("card", said(card_body("received")))
    await world.submit()
    await world.hook(card_body("received"))
    assert world.store.due(CARD) is None
    await world.hook(card_body("in_dispute"))
    assert world.story()[-1] == "disputed"
    assert world.store.due(CARD) is not None
