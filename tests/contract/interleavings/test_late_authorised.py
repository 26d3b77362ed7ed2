"""A late `authorised` webhook against a capture that was sent, done or is in doubt: one capture (I1, T-38)."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.core.building import card_body, card_intent
from tests.unit.engine.world import LOST, said

ACTION = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})
AUTHORISED, WAITING, RECEIVED = card_body("authorised"), card_body("waiting"), card_body("received")
COPIES = 5


@pytest.fixture(autouse=True)
def _provider(stage):
    stage.desk.script("create", said(ACTION))
    stage.desk.script("capture", said(WAITING))
    stage.desk.script("card", said(AUTHORISED))


async def authorised_again(stage, web):
    """The provider repeats itself, each time in other bytes."""
    for copy in range(COPIES):
        await stage.hook(web, AUTHORISED | {"copy": copy})


@pytest.mark.parametrize(
    "place", ["before mark", "after mark", "before the wire", "on the wire", "before reply", "after reply"]
)
async def test_i1_authorised_again_at_any_moment_of_the_capture_leads_to_no_other(stage, w1, w2, web, place):
    await w1.submit()
    await stage.hook(web, AUTHORISED)
    halt = w1.halt(place)
    turn = stage.start(w1.take())
    await halt.reached()

    await authorised_again(stage, web)
    await w2.take()
    halt.go()
    await stage.finish(turn)
    await stage.settle(w2)

    assert stage.calls["capture"] == 1
    assert (await stage.story())[1:] == ["requires_action", "processing/capturing", "processing/settling"]


@pytest.mark.parametrize("status", [WAITING, RECEIVED], ids=["settling", "succeeded"])
async def test_i4_authorised_after_the_capture_changes_nothing(stage, w1, web, status):
    await w1.submit()
    await stage.hook(web, AUTHORISED)
    await stage.settle(w1)
    stage.desk.script("card", said(status))
    await stage.hook(web, status)
    await stage.settle(w1)
    story = await stage.story()

    await authorised_again(stage, web)
    await stage.settle(w1)

    assert stage.calls["capture"] == 1
    assert await stage.story() == story


async def test_i1_authorised_while_the_capture_is_in_doubt_is_no_leave_to_send_it_again(stage, w1, web):
    stage.desk.script("capture", LOST)
    await w1.submit()
    await stage.hook(web, AUTHORISED)
    await stage.settle(w1)
    assert (await stage.story())[-1] == "processing/capturing"

    # Up to the call's deadline and the grace even a read that says `authorised` counts for nothing.
    for _ in range(9):
        await authorised_again(stage, web)
        await stage.settle(w1, for_ms=10_000)
    assert stage.calls["capture"] == 1

    stage.desk.script("card", said(WAITING))
    await stage.settle(w1, for_ms=3_600_000)
    assert stage.calls["capture"] == 1
    assert (await stage.story())[-1] == "processing/settling"


async def test_i1_authorised_to_the_one_who_takes_over_a_frozen_capture_sends_no_other(stage, brief, w2, web):
    await brief.submit()
    await stage.hook(web, AUTHORISED)
    halt = brief.halt("on the wire")
    frozen = stage.start(brief.take())
    await halt.reached()
    await stage.lease_runs_out()

    await authorised_again(stage, web)
    await stage.settle(w2)
    halt.go()
    await stage.finish(frozen)
    await stage.settle(w2)

    assert stage.calls["capture"] == 1
    assert (await stage.story())[-1] == "processing/settling"


async def test_i1_two_capture_commands_at_once_capture_once(stage, w1, w2, web):
    manual = card_intent(method={"token": "tok_1", "return_url": "https://shop.example/back", "capture": "manual"})
    await w1.submit(manual)
    await stage.hook(web, AUTHORISED)
    await stage.settle(w1)
    assert (await stage.story())[-1] == "requires_capture"

    await asyncio.gather(w1.command("capture", command_id="c-1"), w2.command("capture", command_id="c-2"))
    await asyncio.gather(w1.take(), w2.take())
    await stage.settle(w1)

    assert stage.calls["capture"] == 1
    assert len(await stage.ground.world.dead_letters()) == 1
    assert (await stage.story())[-2:] == ["processing/capturing", "processing/settling"]


@pytest.mark.parametrize("place", ["before mark", "after mark", "on the wire", "before reply"])
async def test_i1_a_capture_commanded_again_while_it_is_sent_is_refused(stage, w1, web, place):
    manual = card_intent(method={"token": "tok_1", "return_url": "https://shop.example/back", "capture": "manual"})
    await w1.submit(manual)
    await stage.hook(web, AUTHORISED)
    await stage.settle(w1)
    await w1.command("capture", command_id="c-1")
    halt = w1.halt(place)
    turn = stage.start(w1.take())
    await halt.reached()

    await web.command("capture", command_id="c-2")
    halt.go()
    await stage.finish(turn)
    await stage.settle(w1)

    assert stage.calls["capture"] == 1
    assert await stage.ground.world.dead_letters() == ["refusal/default/c-2"]
    assert (await stage.story())[-1] == "processing/settling"
