"""The demo's judgement: it must find each planted disagreement, and nothing where all agrees."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from workers.cli.demo_check import Expected, differences
from workers.cli.demo_orders import orders
from workers.cli.demo_story import Story

FINAL_VIEW: dict[str, Any] = {
    "reason": None,
    "next_action": None,
    "failure": None,
    "review": [],
    "settled": True,
    "refunded_minor": 0,
    "expires_at": None,
    "metadata": {},
}


class World:
    """A run in which everything agrees, until a test plants something."""

    def __init__(self) -> None:
        self.orders = orders("t", fast=True)
        self.story = Story()
        self.ledger: list[dict] = []
        self.refusals: Counter = Counter()
        self.token_calls = 1
        for order in self.orders:
            self._happened(order)
        self.views = {order.intent_id: dict(self.story.last(order.intent_id) or {}) for order in self.orders}

    def paid_card(self):
        return next(order for order in self.orders if order.scenario.name == "card, with 3DS")

    def differences(self):
        expected = Expected(orders=self.orders, refusals=self.refusals)
        found = differences(
            expected, story=self.story, ledger=self.ledger, views=self.views, token_calls=self.token_calls
        )
        return [(each.about, each.what) for each in found]

    def entry(self, kind, order, amount_minor=None):
        asked = order.total_minor
        self.ledger.append(
            {
                "kind": kind,
                "external_id": order.intent_id,
                "amount_minor": asked if amount_minor is None else amount_minor,
                "currency": order.intent["currency"],
            }
        )

    def refused(self, intent_id, code, field):
        data = {"intent_id": intent_id, "code": code, "field": field}
        number = len(self.story.refusals)
        self.story.hear({"id": f"refusal/{number}", "type": "intent.refused", "data": data})

    def _happened(self, order):
        scenario = order.scenario
        taken, heard = (order.share_minor(each) for each in (scenario.paid_percent, heard_percent(scenario)))
        returned = order.share_minor(scenario.returned_percent)
        if scenario.creates:
            self.entry("create", order)
        if taken:
            self.entry("capture" if scenario.captures else "pay", order, taken)
        if returned:
            self.entry("refund_done", order, returned)
        for sequence, status in enumerate(("accepted", "processing", scenario.status), start=1):
            is_last = sequence == 3
            data = FINAL_VIEW | {
                "intent_id": order.intent_id,
                "flow": scenario.flow,
                "sequence": sequence,
                "status": status,
                "reason": scenario.reason,
                "review": sorted(scenario.review) if is_last else [],
                "amount_minor": order.intent.get("amount_minor"),
                "total_minor": order.total_minor,
                "paid_minor": heard if is_last else 0,
                "refunded_minor": returned if is_last else 0,
                "customer_paid": bool(heard),
                "provider": {"reference": "R1"},
            }
            self.story.hear({"id": f"{order.intent_id}:{sequence}", "type": f"payment.{status}", "data": data})


def heard_percent(scenario):
    return scenario.paid_percent if scenario.heard_percent is None else scenario.heard_percent


@pytest.fixture
def world():
    return World()


def test_a_run_in_which_all_agrees_has_no_differences(world):
    assert world.differences() == []


def test_a_second_create_is_found(world):
    order = world.paid_card()
    world.entry("create", order)
    assert world.differences() == [(order.intent_id, "the ledger has 2 of create, expected 1")]


def test_a_second_capture_is_found_although_the_events_know_nothing_of_it(world):
    order = world.paid_card()
    world.entry("capture", order)
    about, what = zip(*world.differences(), strict=True)
    assert set(about) == {order.intent_id}
    assert "the ledger has 2 of capture, expected 1" in what


def test_a_create_that_the_provider_never_made_is_found(world):
    order = world.paid_card()
    world.ledger = [row for row in world.ledger if (row["kind"], row["external_id"]) != ("create", order.intent_id)]
    assert world.differences() == [(order.intent_id, "the ledger has 0 of create, expected 1")]


@pytest.mark.parametrize("kind", ["create", "capture"])
def test_an_amount_that_differs_by_one_minor_unit_is_found(world, kind):
    order = world.paid_card()
    row = next(row for row in world.ledger if (row["kind"], row["external_id"]) == (kind, order.intent_id))
    row["amount_minor"] += 1
    found = world.differences()
    assert found
    assert all(about == order.intent_id for about, _ in found)
    assert any(f"the ledger's {kind} is {row['amount_minor']}" in what for _, what in found)


def test_another_currency_is_found(world):
    order = world.paid_card()
    for row in world.ledger:
        if row["external_id"] == order.intent_id:
            row["currency"] = "JPY"
    assert any("JPY" in what for _, what in world.differences())


def test_a_gap_in_the_sequence_is_found(world):
    order = world.orders[0]
    del world.story.payments[order.intent_id][1]
    found = world.differences()
    assert found == [(order.intent_id, "events came with the sequences [1, 3], expected 1 to 2 in order")]


def test_events_that_came_in_another_order_are_found(world):
    order = world.orders[0]
    world.story.payments[order.intent_id][:2] = reversed(world.story.payments[order.intent_id][:2])
    assert any("sequences [2, 1, 3]" in what for _, what in world.differences())


def test_a_payment_of_which_nothing_was_heard_is_found(world):
    order = world.orders[0]
    del world.story.payments[order.intent_id]
    assert world.differences() == [(order.intent_id, "no event came")]


def test_an_ending_that_was_not_expected_is_found_and_so_is_a_stored_view_that_differs(world):
    order = world.paid_card()
    world.story.payments[order.intent_id][-1]["status"] = "failed"
    assert [what.split()[0] for _, what in world.differences()] == ["ended", "status"]


def test_a_payment_that_is_not_stored_is_found(world):
    order = world.orders[0]
    del world.views[order.intent_id]
    assert world.differences() == [(order.intent_id, "is not stored")]


def test_a_review_is_found(world):
    order = world.orders[0]
    world.story.payments[order.intent_id][-1]["review"] = world.views[order.intent_id]["review"] = ["stale"]
    assert world.differences() == [(order.intent_id, "has the review stale, expected none")]


def test_a_payment_at_the_provider_that_nobody_asked_for_is_found(world):
    world.ledger.append({"kind": "create", "external_id": "stranger", "amount_minor": 1, "currency": "AUD"})
    assert world.differences() == [("stranger", "is in the ledger, but nobody asked for it")]


def test_a_refusal_that_did_not_come_and_one_that_came_twice_are_found(world):
    world.refusals["bad-1", "unknown_field", "ammount_minor"] = 1
    world.refusals["bad-2", "missing_field", "description"] = 1
    for _ in range(2):
        world.refused("bad-2", "missing_field", "description")
    found = world.differences()
    assert [about for about, _ in found] == ["bad-1", "bad-2"]
    assert ["came 0 times" in what or "came 2 times" in what for _, what in found] == [True, True]


def test_a_redelivered_event_changes_nothing_and_is_counted(world):
    order = world.orders[0]
    again = {"id": f"{order.intent_id}:1", "type": "payment.accepted", "data": world.story.payments[order.intent_id][0]}
    assert world.story.hear(again) is None
    assert world.story.redelivered == 1
    assert world.differences() == []


def test_more_than_one_access_token_is_found(world):
    world.token_calls = 2
    assert world.differences() == [("gateway links", "took 2 access tokens, expected 1")]


def test_money_that_went_back_without_a_word_of_it_is_found(world):
    order = world.paid_card()
    world.entry("refund_done", order, 100)
    assert world.differences() == [
        (order.intent_id, "refunded: the ledger says 100, the last event 0, expected 0 and 0 (minor units)")
    ]
