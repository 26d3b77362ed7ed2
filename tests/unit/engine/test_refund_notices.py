"""Webhooks about refunds come in any order and more than once; which refund they speak of, they do not say (I4)."""

from __future__ import annotations

import pytest

from orchestrator.payment import OperationState, RefundOutcome
from tests.unit.engine.refunding import FLOWS, Refunded
from tests.unit.engine.world import DAY_MS, LOST, MINUTE_MS

ON_FLOWS = pytest.mark.parametrize("flow", sorted(FLOWS))
HAS_SUM = {"card": "partially_refunded", "payid": "return_received", "payin": "return_received"}


@ON_FLOWS
async def test_i4_the_notice_of_a_refund_that_comes_after_its_end_begins_no_other(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=2_500)
    await paid.hear(HAS_SUM[flow], returned_minor=2_500)
    await paid.hear("return_pending", means=HAS_SUM[flow], returned_minor=2_500)
    await paid.world.pass_time(3 * DAY_MS)
    assert paid.story == ["refund_pending", "partially_refunded"]
    assert (paid.last["refunded_minor"], paid.last["review"]) == (2_500, [])
    await paid.refund("r-2", amount_minor=2_500)
    assert (len(paid.asked), paid.refusals) == (2, [])


@ON_FLOWS
async def test_another_part_that_is_returned_elsewhere_is_followed_once_a_read_shows_it(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=2_500)
    await paid.hear(HAS_SUM[flow], returned_minor=2_500)
    await paid.hear("return_pending", returned_minor=2_500)
    assert paid.story == ["refund_pending", "partially_refunded", "refund_pending"]


@ON_FLOWS
async def test_the_end_of_an_earlier_refund_told_again_ends_no_later_one(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund("r-1", amount_minor=2_500)
    await paid.hear(HAS_SUM[flow], returned_minor=2_500)
    await paid.refund("r-2", amount_minor=1_000)
    await paid.hear(HAS_SUM[flow], means="return_pending", returned_minor=2_500)
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("refund_pending", 2_500)
    second = await paid.operation("r-2")
    assert (second.state, second.outcome) == (OperationState.DONE, None)
    await paid.hear(HAS_SUM[flow], returned_minor=3_500)
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("partially_refunded", 3_500)
    assert (await paid.operation("r-2")).outcome is RefundOutcome.RETURNED
    await paid.settle()


@ON_FLOWS
@pytest.mark.parametrize("word", ["return_rejected", "return_expired"])
async def test_a_rejection_told_again_ends_no_later_refund_and_leaves_no_room_for_a_third(flow, word):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund("r-1", amount_minor=2_500)
    await paid.hear(word)
    await paid.refund("r-2")
    await paid.hear(word, means="return_pending")
    assert paid.story == ["refund_pending", "succeeded", "refund_pending"]
    await paid.refund("r-3", amount_minor=1)
    assert (paid.refusals, len(paid.asked)) == (["refund_running"], 2)
    await paid.hear(word)
    assert paid.story[3:] == ["succeeded"]
    await paid.settle()


@ON_FLOWS
@pytest.mark.parametrize("word", ["return_rejected", "return_expired"])
async def test_i1_the_notice_of_a_refund_that_fell_through_is_no_evidence_of_a_later_one_in_doubt(flow, word):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken(), LOST)
    await paid.refund("r-1", amount_minor=2_500)
    await paid.hear(word)
    await paid.refund("r-2", amount_minor=2_500)
    await paid.hear("return_pending", means=word, returned_minor=2_500)
    assert (await paid.operation("r-2")).state is OperationState.IN_DOUBT
    await paid.hear("return_pending", returned_minor=2_500)
    assert (await paid.operation("r-2")).state is OperationState.DONE
    await paid.settle()


@ON_FLOWS
async def test_i4_the_notice_of_a_refund_that_fell_through_begins_no_other(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=2_500)
    await paid.hear("return_rejected")
    await paid.hear("return_pending", means="return_rejected", returned_minor=2_500)
    assert paid.story == ["refund_pending", "succeeded"]


@ON_FLOWS
async def test_i7_a_part_told_again_after_the_next_one_fell_through_returns_nothing_more(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund("r-1", amount_minor=2_500)
    await paid.hear(HAS_SUM[flow], returned_minor=2_500)
    await paid.refund("r-2", amount_minor=1_000)
    await paid.hear("return_rejected")
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("partially_refunded", 2_500)
    await paid.hear(HAS_SUM[flow], means="return_rejected", returned_minor=2_500)
    assert (paid.last["status"], paid.last["refunded_minor"], paid.last["review"]) == ("partially_refunded", 2_500, [])
    await paid.settle()


@ON_FLOWS
async def test_what_a_webhook_told_and_the_first_read_did_not_show_is_looked_at_once_more(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund("r-1", amount_minor=2_500)
    await paid.hear(HAS_SUM[flow], returned_minor=2_500)
    await paid.refund("r-2", amount_minor=1_000)
    paid.says("return_pending", returned_minor=2_500)
    await paid.world.pass_time(MINUTE_MS)
    await paid.hear(HAS_SUM[flow], means="return_pending")
    assert paid.last["status"] == "refund_pending"
    paid.says(HAS_SUM[flow], returned_minor=3_500)
    await paid.world.pass_time(MINUTE_MS)
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("partially_refunded", 3_500)
