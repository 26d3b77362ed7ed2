"""A webhook at every moment of a turn: it is applied, nothing is sent twice, no wake-up is lost (I1, I4)."""

from __future__ import annotations

import pytest

from tests.unit.core.building import card_body
from tests.unit.engine.world import CARD, LOST, said

ACTION = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})
AUTHORISED, WAITING = card_body("authorised"), card_body("waiting")
UNSENT = ("after accept", "before mark")
SENT = ("after mark", "before the wire", "on the wire", "before reply", "after reply")


@pytest.fixture(autouse=True)
def _provider(stage):
    stage.desk.script("create", said(ACTION))
    stage.desk.script("capture", said(WAITING))
    stage.desk.script("card", said(ACTION))


async def happens_at(place, stage, worker, *, doing, then):
    """Somebody is stopped at a place, something happens, and it goes on."""
    halt = worker.halt(place)
    task = stage.start(doing)
    await halt.reached()
    await then
    halt.go()
    await stage.finish(task)


async def nothing_waits_unseen(stage):
    """What was said is applied, or a worker will look for it at once."""
    record = await stage.record()
    return not record.observations or await stage.is_due()


@pytest.mark.parametrize("place", [*UNSENT, *SENT])
async def test_a_webhook_at_any_moment_of_the_create_is_applied_and_wakes_somebody(stage, w1, web, place):
    await happens_at(place, stage, w1, doing=w1.submit(), then=stage.hook(web, AUTHORISED))

    assert await nothing_waits_unseen(stage)
    await stage.settle(w1)

    assert stage.calls["create"] == (0 if place in UNSENT else 1)
    assert stage.calls["capture"] == 1
    assert (await stage.story())[-1] == "processing/settling"
    assert (await stage.record()).observations == ()


@pytest.mark.parametrize("place", ["before mark", *SENT])
async def test_a_webhook_at_any_moment_of_the_capture_is_applied_and_wakes_somebody(stage, w1, web, place):
    await w1.submit()
    await stage.hook(web, AUTHORISED)
    stage.desk.script("card", said(card_body("received")))

    await happens_at(place, stage, w1, doing=w1.take(), then=stage.hook(web, card_body("received")))
    assert await nothing_waits_unseen(stage)
    await stage.settle(w1)

    assert stage.calls["capture"] == (0 if place == "before mark" else 1)
    assert (await stage.story())[-1] == "succeeded"


@pytest.mark.parametrize("place", SENT)
async def test_a_webhook_before_the_answer_of_a_create_that_is_lost_resolves_it(stage, w1, web, place):
    stage.desk.script("create", LOST)

    await happens_at(place, stage, w1, doing=w1.submit(), then=stage.hook(web, ACTION))
    await stage.settle(w1)

    assert stage.calls["create"] == 1
    assert (await stage.story())[-1] == "requires_action"


@pytest.mark.parametrize("place", ["before release", "after release"])
@pytest.mark.parametrize("answer", ["arrives", "lost", "away"])
async def test_a_webhook_exactly_at_a_release_without_changes_wakes_somebody(stage, w1, web, place, answer):
    await w1.deliver()
    await stage.gate.pause("default", for_ms=60_000, reason="unauthorised")
    if answer != "arrives":
        w1.way.disturb("release", answer)

    await happens_at(place, stage, w1, doing=w1.take(), then=stage.hook(web, ACTION))

    assert await stage.is_due()
    await stage.gate.pause("default", for_ms=0, reason="")
    await stage.settle(w1)
    assert stage.calls["create"] == 0
    assert (await stage.story())[-1] == "requires_action"


@pytest.mark.parametrize("answer", ["arrives", "lost", "away"])
@pytest.mark.parametrize("place", ["before reply", "after reply"])
async def test_a_webhook_exactly_at_the_commit_that_releases_wakes_somebody(stage, w1, w2, web, place, answer):
    record = await w1.deliver(claim=True)
    if answer != "arrives":
        w1.way.disturb("reply", answer)

    await happens_at(place, stage, w1, doing=w1.advance(record), then=stage.hook(web, AUTHORISED))
    assert await nothing_waits_unseen(stage)
    await stage.settle(w2)

    assert stage.calls == {"create": 1, "capture": 1}
    assert (await stage.story())[-1] == "processing/settling"


async def test_webhooks_at_every_moment_of_one_turn_are_all_applied_in_order(stage, w1, web):
    stage.desk.script("card", said(card_body("received")))
    places = ("before mark", "after mark", "on the wire", "before reply")
    words = (ACTION, AUTHORISED, WAITING, card_body("received"))
    await w1.submit()
    await stage.hook(web, AUTHORISED)
    halts = [w1.halt(place) for place in places]
    turn = stage.start(w1.take())
    for halt, body in zip(halts, words, strict=True):
        await halt.reached()
        await stage.hook(web, body)
        halt.go()
    await stage.finish(turn)
    await stage.settle(w1)

    record = await stage.record()
    assert (record.observed, record.observations) == (5, ())
    assert stage.calls["capture"] == 1
    assert (await stage.story())[-1] == "succeeded"


async def test_a_webhook_for_a_payment_whose_lease_ran_out_makes_it_due_at_once(stage, brief, w2, web):
    await brief.deliver(claim=True)
    await stage.lease_runs_out()

    await stage.hook(web, ACTION)

    assert await stage.is_due(CARD)
    assert await w2.take() == 1
    assert (await stage.story())[-1] == "requires_action"
    assert stage.calls["create"] == 0
