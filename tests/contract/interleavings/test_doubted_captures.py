"""A capture in doubt: two reads a minute apart that show it undone, once more, then a person; in every order (I1)."""

from __future__ import annotations

import pytest

from orchestrator.payment import CAPTURE, OperationState
from tests.unit.core.building import card_body
from tests.unit.engine.world import DAY_MS, LOST, UNKNOWN_ID, UNSENT, said

AUTHORISED, WAITING = card_body("authorised"), card_body("waiting")
GRACE_ENDS_MS = 100_000  # the call's deadline and the grace, counted from the mark
SETTLING = "processing/settling"


@pytest.fixture(autouse=True)
def _provider(stage):
    stage.desk.script("create", said(AUTHORISED))
    stage.desk.script("card", said(AUTHORISED))
    stage.desk.script("capture", LOST)


async def first_read_counted(stage, worker):
    """The capture is lost, and one read after the grace shows it undone."""
    await worker.submit()
    await stage.settle(worker, for_ms=GRACE_ENDS_MS + 10_000)
    assert (await stage.payment()).operations[CAPTURE].absent_since_ms is not None
    assert stage.calls["capture"] == 1


async def frozen_capture(stage, brief):
    """The capture's worker stands still on the wire, and nobody owns the payment any more."""
    creating = brief.halt("on the wire")
    frozen = stage.start(brief.submit())
    await creating.reached()
    wire = brief.halt("on the wire")
    await goes_on(stage, creating)
    await wire.reached()
    assert stage.calls["capture"] == 1
    await stage.lease_runs_out()
    return wire, frozen


async def stopped(stage, worker, place):
    halt = worker.halt(place)
    turn = stage.start(worker.take())
    await halt.reached()
    return halt, turn


async def goes_on(stage, halt, *turns):
    halt.go()
    await stage.finish(*turns)


async def test_i1_it_is_sent_once_more_and_then_never_again(stage, w1):
    await w1.submit()

    await stage.settle(w1, for_ms=GRACE_ENDS_MS + 55_000)
    assert stage.calls["capture"] == 1
    await stage.settle(w1, for_ms=60_000)
    assert stage.calls["capture"] == 2
    await stage.settle(w1, for_ms=3 * DAY_MS)

    assert stage.calls["capture"] == 2
    assert (await stage.views())[-1]["review"] == ["in_doubt_aged"]
    assert (await stage.story())[-1] == "processing/capturing"


async def test_i1_webhooks_are_no_reads_and_reads_that_tell_nothing_count_for_nothing(stage, w1, web):
    stage.desk.script("card", UNKNOWN_ID)
    await w1.submit()

    for copy in range(24):
        await stage.hook(web, AUTHORISED | {"copy": copy})
        await stage.settle(w1, for_ms=DAY_MS // 25)

    assert stage.calls["capture"] == 1


async def test_i1_reads_out_of_turn_do_not_shorten_the_minute_between_the_two_that_count(stage, w1, web):
    await first_read_counted(stage, w1)
    for number in range(5):
        await stage.hook(web, card_body(f"mystery_{number}"))
        await stage.settle(w1, for_ms=6_000)

    assert stage.calls["card"] > 5
    assert stage.calls["capture"] == 1


@pytest.mark.parametrize("body", [WAITING, card_body("received")], ids=["waiting", "received"])
async def test_i1_a_webhook_at_the_mark_of_the_repeat_stops_it(stage, w1, web, body):
    await first_read_counted(stage, w1)
    await stage.ground.pass_ms(120_000)
    halt, turn = await stopped(stage, w1, "before mark")

    await stage.hook(web, body)
    await goes_on(stage, halt, turn)
    stage.desk.script("card", said(body))
    await stage.settle(w1, for_ms=DAY_MS)

    assert stage.calls["capture"] == 1
    assert (await stage.story())[-1] == (SETTLING if body is WAITING else "succeeded")


async def test_i1_a_late_reply_between_the_two_reads_settles_it(stage, brief, w2):
    stage.desk.script("capture", said(WAITING))
    wire, frozen = await frozen_capture(stage, brief)
    await stage.settle(w2, for_ms=GRACE_ENDS_MS + 10_000)

    await goes_on(stage, wire, frozen)
    await stage.settle(w2, for_ms=DAY_MS)

    assert stage.calls["capture"] == 1
    assert (await stage.story())[-1] == SETTLING


@pytest.mark.parametrize("place", ["before mark", "on the wire", "before reply", "after reply"])
async def test_i1_a_late_reply_to_the_first_capture_at_any_moment_of_the_second_leads_to_no_third(
    stage, brief, w2, place
):
    stage.desk.script("capture", said(WAITING), said({"errors": {"message": "captured before"}}, 422))
    wire, frozen = await frozen_capture(stage, brief)
    await stage.settle(w2, for_ms=GRACE_ENDS_MS + 10_000)
    await stage.ground.pass_ms(120_000)
    halt, turn = await stopped(stage, w2, place)

    await goes_on(stage, wire, frozen)
    await goes_on(stage, halt, turn)
    stage.desk.script("card", said(WAITING))
    await stage.settle(w2, for_ms=DAY_MS)

    assert stage.calls["capture"] == (1 if place == "before mark" else 2)
    assert (await stage.story())[-1] == SETTLING


async def test_i1_a_late_no_of_the_first_capture_does_not_speak_for_the_second(stage, brief, w2):
    stage.desk.script("capture", UNSENT, LOST)
    wire, frozen = await frozen_capture(stage, brief)
    await stage.settle(w2, for_ms=GRACE_ENDS_MS + 200_000)
    assert stage.calls["capture"] == 2

    await goes_on(stage, wire, frozen)
    await stage.settle(w2, for_ms=DAY_MS)

    assert stage.calls["capture"] == 2
    assert (await stage.payment()).operations[CAPTURE].state is OperationState.IN_DOUBT


async def test_i1_of_two_workers_that_read_it_undone_one_sends_it_once_more(stage, brief, w2):
    await first_read_counted(stage, brief)
    await stage.ground.pass_ms(120_000)
    reading, frozen = await stopped(stage, brief, "while reading")
    await stage.lease_runs_out()
    await stage.settle(w2)
    assert stage.calls["capture"] == 2

    await goes_on(stage, reading, frozen)
    await stage.settle(w2, for_ms=DAY_MS)

    assert stage.calls["capture"] == 2


@pytest.mark.parametrize("place", ["after mark", "on the wire"])
async def test_i1_who_dies_with_the_repeat_in_hand_leaves_it_to_a_person(stage, brief, w2, place):
    await first_read_counted(stage, brief)
    await stage.ground.pass_ms(120_000)
    _, dying = await stopped(stage, brief, place)
    await stage.kill(dying)
    await stage.lease_runs_out()

    await stage.settle(w2, for_ms=2 * DAY_MS)

    assert stage.calls["capture"] == (1 if place == "after mark" else 2)
    assert (await stage.views())[-1]["review"] == ["in_doubt_aged"]


@pytest.mark.parametrize("fault", ["lost", "away"])
@pytest.mark.parametrize("call", ["mark", "commit", "reply"])
async def test_i1_lost_answers_around_the_repeat_send_it_once(stage, w1, call, fault):
    await first_read_counted(stage, w1)
    stage.desk.script("capture", said(WAITING))
    w1.way.disturb(call, fault, fault)

    await stage.settle(w1, for_ms=120_000)

    assert w1.way.faults == {call: []}
    assert stage.calls["capture"] == 2
    assert (await stage.story())[-1] == SETTLING
