"""Cancel against send: what is stored first wins, the `sending` mark or the command; never both (interface 1)."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.core.building import card_body
from tests.unit.engine.world import LOST, said

ACTION = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})
FIRST = ("after accept", "before mark")
AFTER = ("after mark", "before the wire", "on the wire", "before reply", "after reply")
REFUSED = "refusal/default/c-1"


@pytest.fixture(autouse=True)
def _provider(stage):
    stage.desk.script("create", said(ACTION))
    stage.desk.script("card", said(ACTION))


async def canceled_at(place, stage, worker, doing):
    """The command is stored while the worker stands there; then all goes on to its end."""
    halt = worker.halt(place)
    turn = stage.start(doing)
    await halt.reached()
    await (await stage.worker("intake")).command("cancel")
    halt.go()
    await stage.finish(turn)
    await stage.settle(worker)


async def test_a_cancel_before_anybody_claims_wins(stage, w1):
    await w1.deliver()
    await w1.command("cancel")

    await stage.settle(w1)

    assert stage.calls["create"] == 0
    assert await stage.story() == ["accepted", "canceled"]


@pytest.mark.parametrize("place", FIRST)
@pytest.mark.parametrize("answer", ["arrives", "lost", "away"])
async def test_a_cancel_stored_before_the_mark_wins_whatever_the_worker_was_about_to_do(stage, w1, place, answer):
    if answer != "arrives":
        w1.way.disturb("mark", answer)

    await canceled_at(place, stage, w1, w1.submit())

    assert stage.calls["create"] == 0
    assert await stage.story() == ["accepted", "canceled"]
    assert await stage.ground.world.dead_letters() == []
    assert not await stage.is_due()


@pytest.mark.parametrize("place", AFTER)
async def test_a_cancel_stored_after_the_mark_is_refused_and_the_payment_goes_on(stage, w1, place):
    await canceled_at(place, stage, w1, w1.submit())

    assert stage.calls["create"] == 1
    assert await stage.story() == ["accepted", "requires_action"]
    assert await stage.ground.world.dead_letters() == [REFUSED]


async def test_a_cancel_of_what_is_in_doubt_is_refused(stage, w1):
    stage.desk.script("create", LOST)

    await canceled_at("after reply", stage, w1, w1.submit())

    assert await stage.story() == ["accepted", "in_doubt"]
    assert await stage.ground.world.dead_letters() == [REFUSED]


async def test_a_cancel_between_the_mark_and_a_call_that_was_too_late_never_ends_in_both(stage, w1):
    halt = w1.halt("after mark")
    sending = stage.start(w1.submit())
    await halt.reached()
    await w1.command("cancel")
    await stage.ground.pass_ms(2_001)
    halt.go()
    await stage.finish(sending)
    await stage.settle(w1, for_ms=60_000)

    refused = await stage.ground.world.dead_letters() == [REFUSED]
    assert stage.calls["create"] == (1 if refused else 0)
    assert await stage.story() == ["accepted", "requires_action" if refused else "canceled"]


async def test_a_cancel_that_comes_to_a_frozen_worker_is_refused_by_the_one_who_takes_over(stage, brief, w2):
    halt = brief.halt("on the wire")
    sending = stage.start(brief.submit())
    await halt.reached()
    await w2.command("cancel")
    await stage.lease_runs_out()
    await stage.settle(w2)

    halt.go()
    await stage.finish(sending)
    await stage.settle(w2)

    assert stage.calls["create"] == 1
    assert await stage.story() == ["accepted", "in_doubt", "requires_action"]
    assert await stage.ground.world.dead_letters() == [REFUSED]


async def test_i1_a_worker_frozen_before_its_mark_sends_nothing_that_was_canceled_meanwhile(stage, brief, w2):
    halt = brief.halt("before mark")
    frozen = stage.start(brief.submit())
    await halt.reached()
    await stage.lease_runs_out()
    await w2.command("cancel")
    await stage.settle(w2)
    assert (await stage.story())[-1] == "canceled"

    halt.go()
    await stage.finish(frozen)

    assert stage.calls["create"] == 0
    assert await stage.story() == ["accepted", "canceled"]


async def test_a_cancel_delivered_twice_by_two_workers_cancels_once(stage, w1, w2):
    await w1.deliver()

    await asyncio.gather(w1.command("cancel"), w2.command("cancel"))
    await asyncio.gather(w1.take(), w2.take())

    assert await stage.story() == ["accepted", "canceled"]
    assert await stage.ground.world.dead_letters() == []


async def test_a_refused_cancel_delivered_again_is_one_dead_letter(stage, w1, w2):
    await w1.submit()

    for worker in (w1, w2, w1):
        await worker.command("cancel")
        await stage.settle(worker)

    assert await stage.ground.world.dead_letters() == [REFUSED]
    assert await stage.story() == ["accepted", "requires_action"]


@pytest.mark.parametrize("place", ["before accept", "after accept"])
async def test_a_cancel_that_overtakes_its_intent_wins(stage, w1, place):
    await canceled_at(place, stage, w1, w1.submit())

    assert stage.calls["create"] == 0
    assert await stage.story() == ["accepted", "canceled"]


async def test_a_webhook_and_a_cancel_before_the_mark_the_webhook_shows_that_it_was_sent(stage, w1, web):
    halt = w1.halt("before mark")
    turn = stage.start(w1.submit())
    await halt.reached()
    await stage.hook(web, ACTION)
    await web.command("cancel")
    halt.go()
    await stage.finish(turn)
    await stage.settle(w1)

    assert stage.calls["create"] == 0
    assert await stage.story() == ["accepted", "requires_action"]
    assert await stage.ground.world.dead_letters() == [REFUSED]
