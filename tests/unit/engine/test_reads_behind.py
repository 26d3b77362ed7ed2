"""Reads that are behind: what stood before a refund or a dispute ends or repeats neither (I5)."""

from __future__ import annotations

import pytest

from orchestrator.payment import RefundOutcome
from tests.unit.engine.refunding import FLOWS, Refunded
from tests.unit.engine.world import DAY_MS, LOST, MINUTE_MS

ON_FLOWS = pytest.mark.parametrize("flow", sorted(FLOWS))
PART = {"card": "partially_refunded", "payid": "return_received", "payin": "return_received"}


@ON_FLOWS
async def test_a_success_from_before_the_refund_does_not_let_it_fall_through(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=2_500)
    await paid.hear("received", at_once=True)
    assert (paid.story, (await paid.operation()).outcome) == (["refund_pending"], None)
    paid.says("return_pending", returned_minor=2_500)
    await paid.world.pass_time(MINUTE_MS)
    assert paid.story == ["refund_pending"]
    await paid.hear(PART[flow], returned_minor=2_500)
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("partially_refunded", 2_500)
    await paid.settle()


@ON_FLOWS
async def test_a_success_that_stays_is_the_end_of_a_refund_that_was_called_off(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=2_500)
    await paid.hear("received", at_once=True)
    await paid.world.pass_time(MINUTE_MS)
    assert paid.story == ["refund_pending", "succeeded"]
    assert (await paid.operation()).outcome is RefundOutcome.FELL_THROUGH


@ON_FLOWS
async def test_a_part_from_before_the_second_refund_is_not_its_end(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund("r-1", amount_minor=2_500)
    await paid.hear(PART[flow], returned_minor=2_500)
    await paid.refund("r-2", amount_minor=1_000)
    await paid.hear(PART[flow], at_once=True, returned_minor=2_500)
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("refund_pending", 2_500)
    paid.says("return_pending", returned_minor=2_500)
    await paid.world.pass_time(MINUTE_MS)
    paid.says("return_rejected")
    await paid.world.pass_time(2 * DAY_MS)
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("partially_refunded", 2_500)
    assert (await paid.operation("r-2")).outcome is RefundOutcome.FELL_THROUGH
    await paid.settle()


@ON_FLOWS
@pytest.mark.parametrize("word", ["return_rejected", "return_expired"])
async def test_a_rejection_from_before_the_second_refund_is_not_its_end(flow, word):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund("r-1", amount_minor=2_500)
    await paid.hear(word)
    await paid.refund("r-2", amount_minor=2_500)
    await paid.hear(word, at_once=True)
    assert (paid.last["status"], (await paid.operation("r-2")).outcome) == ("refund_pending", None)
    await paid.world.pass_time(MINUTE_MS)
    assert (paid.last["status"], (await paid.operation("r-2")).outcome) == ("succeeded", RefundOutcome.FELL_THROUGH)
    await paid.settle()


@ON_FLOWS
async def test_a_refund_that_is_over_does_not_begin_again(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=2_500)
    await paid.hear(PART[flow], returned_minor=2_500)
    await paid.hear("return_pending", at_once=True, returned_minor=2_500)
    paid.says(PART[flow], returned_minor=2_500)
    await paid.world.pass_time(MINUTE_MS)
    assert paid.story == ["refund_pending", "partially_refunded"]
    assert (paid.last["refunded_minor"], paid.last["review"]) == (2_500, [])
    await paid.settle()


@ON_FLOWS
async def test_a_refund_that_fell_through_does_not_begin_again(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=2_500)
    await paid.hear("return_rejected")
    await paid.hear("received", means="return_pending", at_once=True)
    assert paid.story == ["refund_pending", "succeeded"]


async def test_a_success_from_before_the_dispute_does_not_win_it():
    paid = await Refunded("card").begin()
    await paid.hear("in_dispute")
    await paid.hear("received", at_once=True)
    paid.says("in_dispute")
    await paid.world.pass_time(MINUTE_MS)
    assert paid.story == ["disputed"]
    await paid.hear("received")
    assert paid.story == ["disputed", "succeeded"]
    await paid.settle()


@pytest.mark.parametrize("flow", ["card", "payid"])  # a payin's webhook names no sum
async def test_a_second_part_that_was_in_doubt_does_not_begin_again_after_its_end(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken(), LOST)
    await paid.refund("r-1", amount_minor=2_500)
    await paid.hear(PART[flow], returned_minor=2_500)
    await paid.refund("r-2", amount_minor=1_000)
    await paid.hear(PART[flow], returned_minor=3_500)
    ended = list(paid.story)
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("partially_refunded", 3_500)
    await paid.hear("return_pending", at_once=True, returned_minor=3_500)
    assert paid.story == ended
    await paid.settle()
