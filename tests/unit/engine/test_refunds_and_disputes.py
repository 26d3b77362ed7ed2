"""Refunds and disputes that were made elsewhere, as they are observed on cards and payins."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.lagging import BEHIND_MS
from tests.unit.core.building import card_body, card_intent, payin_body, payin_intent
from tests.unit.engine.world import CARD, DAY_MS, PAYIN, World, said

FLOWS = {
    "card": (CARD, card_intent, "card", card_body),
    "payin": (PAYIN, payin_intent, "detail", payin_body),
}


class Paid:
    """A payment that succeeded, and its provider."""

    def __init__(self, flow: str) -> None:
        self.key, self._intent, self.read, self._body = FLOWS[flow]
        self.world = World()

    async def begin(self, word: str = "received") -> Paid:
        self.world.provider.script("create", said(self._body(word)))
        self.world.provider.script(self.read, said(self._body(word)))
        await self.world.submit(self._intent())
        return self

    async def tell(self, word: str, *, means: str | None = None, **changes) -> None:
        """A webhook says one thing, some time later; a read says the same unless the provider means another."""
        await self.world.pass_time(BEHIND_MS)
        self.world.provider.script(self.read, said(self._body(means or word, **changes)))
        await self.world.hook(self._body(word, **changes), key=self.key)

    @property
    def story(self) -> list[str]:
        return self.world.story(self.key)[1:]

    @property
    def last(self):
        return self.world.last(self.key)


def returned(amount: str) -> dict[str, Any]:
    return {"refund_information": {"total_amount": "100.0", "refund_amount": amount, "description": "torn"}}


@pytest.mark.parametrize("flow", sorted(FLOWS))
async def test_vector_1_from_the_settlement_to_the_lost_dispute(flow):
    paid = await Paid(flow).begin("waiting")
    for word in (
        "received",
        "waiting",
        "return_pending",
        "return_rejected",
        "return_pending",
        "partially_refunded",
        "in_dispute",
        "received",
        "in_dispute",
        "dispute_lost",
        "received",
        "in_dispute",
    ):
        await paid.tell(word)
    settled = [step for step in paid.story if step != "processing/confirming"]
    assert settled == [
        "processing/settling",
        "succeeded",
        "refund_pending",
        "succeeded",
        "refund_pending",
        "partially_refunded",
        "disputed",
        "succeeded",
        "disputed",
        "dispute_lost",
    ]
    await paid.world.assert_consistent(paid.key)


@pytest.mark.parametrize("flow", sorted(FLOWS))
async def test_vector_18_a_return_without_its_sum_is_whole_until_another_begins(flow):
    paid = await Paid(flow).begin()
    await paid.tell("return_pending")
    await paid.tell("return_received")
    assert paid.story == ["succeeded", "refund_pending", "refunded"]
    assert paid.last["review"] == ["refund_amount_unknown"]
    await paid.tell("return_pending")
    assert paid.story[3:] == ["refund_pending"]
    await paid.tell("return_received")
    assert paid.story[4:] == ["refunded"]
    await paid.tell("received")
    assert paid.story[5:] == []


async def test_vector_18_a_cards_returned_part_can_be_followed_by_another_and_not_by_a_success():
    paid = await Paid("card").begin()
    await paid.tell("return_pending", **returned("25.0"))
    await paid.tell("return_received", **returned("25.0"))
    assert paid.story == ["succeeded", "refund_pending", "partially_refunded"]
    assert (paid.last["refunded_minor"], paid.last["review"]) == (2500, [])
    await paid.tell("received", **returned("25.0"))
    assert paid.story[3:] == []
    await paid.tell("return_pending", **returned("100.0"))
    await paid.tell("return_received", **returned("100.0"))
    assert paid.story[3:] == ["refund_pending", "refunded"]
    assert paid.last["refunded_minor"] == 10000
    await paid.world.assert_consistent(paid.key)


async def test_t22_a_cards_own_word_for_a_part_carries_its_sum():
    paid = await Paid("card").begin()
    await paid.tell("partially_refunded", **returned("25.0"))
    assert (paid.story[1:], paid.last["refunded_minor"]) == (["partially_refunded"], 2500)


@pytest.mark.parametrize("flow", sorted(FLOWS))
async def test_a_refund_out_of_settling_that_falls_through_leads_back_to_settling(flow):
    paid = await Paid(flow).begin("waiting")
    await paid.tell("return_pending")
    await paid.tell("return_rejected")
    assert paid.story == ["processing/settling", "refund_pending", "processing/settling"]


@pytest.mark.parametrize("flow", sorted(FLOWS))
async def test_a_bare_received_while_a_refund_runs_is_read_before_it_is_believed(flow):
    paid = await Paid(flow).begin()
    await paid.tell("return_pending")
    await paid.tell("received", means="return_pending")
    assert paid.story == ["succeeded", "refund_pending"]
    await paid.tell("received")
    assert paid.story[2:] == ["succeeded"]


@pytest.mark.parametrize("flow", sorted(FLOWS))
@pytest.mark.parametrize("means", ["received", "return_rejected", "return_expired"])
async def test_a_bounced_refund_is_read_and_told(flow, means):
    paid = await Paid(flow).begin()
    await paid.tell("return_received")
    before = paid.world.provider.calls[paid.read]
    await paid.tell("return_rejected", means=means)
    await paid.world.pass_time(DAY_MS)
    assert paid.story == ["succeeded", "refunded", "succeeded"]
    assert "regression_observed" in paid.last["review"]
    assert paid.world.provider.calls[paid.read] - before <= 2


@pytest.mark.parametrize("flow", sorted(FLOWS))
@pytest.mark.parametrize("word", ["return_pending", "in_dispute"])
async def test_i6_a_running_refund_and_a_dispute_are_looked_at_daily_until_they_end(flow, word):
    paid = await Paid(flow).begin()
    await paid.tell(word)
    before = paid.world.provider.calls[paid.read]
    await paid.world.pass_time(10 * DAY_MS)
    assert 8 <= paid.world.provider.calls[paid.read] - before <= 12
    assert len(paid.story) == 2


@pytest.mark.parametrize("flow", sorted(FLOWS))
async def test_t41_an_accepted_dispute_is_a_refund_and_a_won_one_counts_the_money_once(flow):
    paid = await Paid(flow).begin()
    await paid.tell("in_dispute")
    await paid.tell("received")
    assert paid.last["paid_minor"] == (10000 if flow == "card" else 50000)
    await paid.tell("in_dispute")
    await paid.tell("return_pending")
    await paid.tell("return_received")
    assert paid.story == ["succeeded", "disputed", "succeeded", "disputed", "refund_pending", "refunded"]


@pytest.mark.parametrize("word", ["refunded", "return_received"])
@pytest.mark.parametrize("flow", sorted(FLOWS))
async def test_t40_a_whole_refund_in_either_vocabulary(flow, word):
    paid = await Paid(flow).begin()
    await paid.tell(word)
    assert (paid.story[-1], paid.last["settled"]) == ("refunded", True)


# Declines


@pytest.mark.parametrize(
    ("pay_code", "failure"),
    [
        (
            {"error_code": "issuer_declined", "error_message": "Declined by the issuer"},
            {"code": "issuer_declined", "message": "Declined by the issuer"},
        ),
        ({"error_message": "No"}, {"code": "failed", "message": "No"}),
        ({"error_code": "fraud"}, {"code": "fraud", "message": ""}),
        (None, {"code": "failed", "message": "The provider gave no reason."}),
    ],
)
@pytest.mark.parametrize("way", ["reply", "webhook", "poll"])
@pytest.mark.parametrize("flow", sorted(FLOWS))
async def test_a_decline_carries_its_code_however_it_is_told(flow, way, pay_code, failure):
    key, intent, read, body = FLOWS[flow]
    declined = body("failed", pay_code=pay_code)
    world = World()
    world.provider.script(
        "create", said(declined if way == "reply" else body("pending", pay_code={"pay_url": "https://p.example"}))
    )
    world.provider.script(read, said(declined))
    await world.submit(intent())
    if way == "webhook":
        await world.hook(declined, key=key)
    await world.pass_time(DAY_MS)
    assert world.story(key)[-1] == "failed"
    assert world.last(key)["failure"] == failure
    assert world.last(key)["next_action"] is None
    assert world.provider.calls["create"] == 1
