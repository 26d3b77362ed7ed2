"""A person's decisions on their way to the payment: late, twice, against webhooks, with workers that lose it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.advance import advance, notify
from orchestrator.observation import DecisionSeen, LookSeen
from orchestrator.payment import CAPTURE, CREATE, OperationState
from orchestrator.ports import NotifyOutcome
from tests.unit.core.building import card_body, card_intent, gateway_intent, payin_intent
from tests.unit.engine.world import CARD, DAY_MS, GATEWAY, LOST, MINUTE_MS, PAYIN, UNSENT, World, said

PENDING = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})
GRACE_MS = 2 * MINUTE_MS  # longer than a call and the grace after it


@pytest.fixture
def world() -> World:
    world = World()
    world.provider.script("card", said(PENDING))
    return world


def a_decision(world: World, outcome: str, operation: str | None = CREATE, **changes: Any) -> DecisionSeen:
    words: dict[str, Any] = {
        "decision_id": "d-1",
        "at_ms": world.clock.ms,
        "actor": "ada",
        "reason": "the dashboard shows it",
        "evidence": "ticket OPS-7",
    }
    return DecisionSeen(outcome=outcome, operation=operation, **words | changes)


async def decide(
    world: World, outcome: str, operation: str | None = CREATE, *, key=CARD, turn: bool = True, **changes: Any
) -> None:
    seen = a_decision(world, outcome, operation, **changes)
    assert await notify(key, seen, engine=world.engines["w1"]) is NotifyOutcome.STORED
    if turn:
        await world.turn()


async def lose(world: World, intent: dict[str, Any] | None = None, *, wait_ms: int = GRACE_MS) -> None:
    """A create whose answer is lost, and time until a person may know."""
    world.provider.script("create", LOST)
    await world.submit(intent)
    await world.pass_time(wait_ms)
    world.provider.script("create", said(PENDING))


async def test_send_again_leads_to_exactly_one_more_create_and_the_doubt_lasts_until_it_is_answered(world):
    await lose(world)

    await decide(world, "send_again")

    assert world.provider.calls["create"] == 2
    assert world.story() == ["accepted", "in_doubt", "requires_action"]
    await world.pass_time(DAY_MS)
    assert world.provider.calls["create"] == 2
    await world.assert_consistent()


async def test_the_same_decision_delivered_twice_sends_once(world):
    await lose(world)
    await decide(world, "send_again", turn=False)
    await decide(world, "send_again", turn=False)
    await world.turn()
    await decide(world, "send_again")
    assert world.provider.calls["create"] == 2


async def test_two_people_who_decide_the_same_send_once(world):
    await lose(world)
    await decide(world, "send_again", turn=False)
    await decide(world, "send_again", turn=False, decision_id="d-2", actor="bob")
    await world.turn()
    assert world.provider.calls["create"] == 2
    decisions = (await world.payment()).decisions
    assert (decisions["d-1"], decisions["d-2"].partition(":")[0]) == ("", "not_in_doubt")


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("outcome", ["send_again", "not_executed"])
async def test_a_webhook_at_the_same_time_wins_whatever_the_order(world, outcome, is_first):
    await lose(world)
    if is_first:
        await world.hook(PENDING, turn=False)
    await decide(world, outcome, turn=False)
    if not is_first:
        await world.hook(PENDING, turn=False)

    await world.turn()

    # One that comes after the decision meets an attempt that is not marked yet, or a payment called failed.
    assert world.provider.calls["create"] == 1
    wanted = "failed" if outcome == "not_executed" and not is_first else "requires_action"
    assert world.last()["status"] == wanted
    await world.hook(card_body("received"))
    await world.pass_time(GRACE_MS)
    assert world.provider.calls["create"] == 1
    await world.assert_consistent()


async def test_money_for_a_payment_that_was_called_never_made_is_still_taken(world):
    await lose(world)
    await decide(world, "not_executed")
    assert (world.last()["status"], world.last()["failure"]["code"]) == ("failed", "not_executed")
    assert world.last()["observed_by"] == "person"

    world.provider.script("card", said(card_body("received")))
    world.provider.script("detail", said(card_body("received")))
    await world.hook(card_body("received"))
    await world.pass_time(MINUTE_MS)

    assert (world.last()["status"], world.last()["review"]) == ("succeeded", ["late_payment"])
    assert world.provider.calls["create"] == 1


async def test_a_refused_decision_changes_nothing_that_is_published_and_tells_its_reason(world):
    await lose(world, wait_ms=MINUTE_MS)
    before = world.story()

    await decide(world, "send_again")

    payment = await world.payment()
    assert payment.decisions["d-1"].startswith("too_early: ")
    assert all(word in repr(payment.history[-1]) for word in ("person", "send_again create by ada", "too_early"))
    assert (world.story(), world.refusals(), world.provider.calls["create"]) == (before, [], 1)


async def test_the_history_names_who_decided_and_not_the_words(world):
    await lose(world)
    await decide(world, "send_again")
    [line] = [repr(line) for line in (await world.payment()).history if "person" in repr(line)]
    assert all(word in line for word in ("send_again create by ada", "applied", "create#2 ready"))
    assert "OPS-7" not in line
    assert "dashboard" not in line


async def test_a_worker_that_loses_the_payment_before_it_sends_leaves_the_decision_to_the_next(world):
    await lose(world)
    await decide(world, "send_again", turn=False)
    record = await world.claim()
    world.clock.ms += world.policy.lease_ms + 1
    await world.turn(worker="w2")
    assert world.provider.calls["create"] == 2

    await advance(record, engine=world.engines["w1"])

    assert world.provider.calls["create"] == 2
    assert world.ledger.said("payment.fenced") == 1
    await world.assert_consistent()


async def test_a_decision_that_comes_between_the_permit_and_the_mark_is_not_lost(world):
    await lose(world)
    await decide(world, "send_again", turn=False)

    async def changed_my_mind(_):
        await decide(world, "not_executed", turn=False, decision_id="d-2", attempt=2)

    world.gate.before = changed_my_mind
    await world.turn()

    assert world.provider.calls["create"] == 1
    assert world.last()["status"] == "failed"


async def test_an_attempt_that_was_not_sent_is_made_again_without_another_decision(world):
    await lose(world)
    world.provider.script("create", UNSENT, said(PENDING))
    await decide(world, "send_again")
    assert world.last()["status"] == "in_doubt"
    await world.pass_time(MINUTE_MS)
    assert world.last()["status"] == "requires_action"
    assert (await world.payment()).create.attempt == 2


async def test_a_second_attempt_whose_answer_is_lost_needs_another_decision(world):
    await lose(world)
    world.provider.script("create", LOST)
    await decide(world, "send_again")
    await world.pass_time(GRACE_MS)
    assert world.provider.calls["create"] == 2
    await decide(world, "send_again", decision_id="d-2")
    assert (await world.payment()).decisions["d-2"].startswith("payment_moved: ")
    world.provider.script("create", said(PENDING))
    await decide(world, "send_again", decision_id="d-3", attempt=2)
    assert (world.provider.calls["create"], world.last()["status"]) == (3, "requires_action")
    await world.assert_consistent()


async def test_a_reference_is_read_at_once_and_published_with_what_the_read_tells(world):
    await lose(world, payin_intent(), wait_ms=MINUTE_MS)
    body = {"uuid": "PSADT5CE", "status": "received", "external_id": "ord-2001", "currency": "PHP"}
    money = {"amount": 500, "total": 500, "paid_amount": 500, "pay_code": {}}
    world.provider.script("detail", said(body | money))
    await decide(world, "executed", key=PAYIN, reference="PSADT5CE")
    assert world.story(PAYIN)[-2:] == ["processing/awaiting_provider", "succeeded"]
    assert world.last(PAYIN)["provider"]["reference"] == "PSADT5CE"


async def test_a_link_that_cannot_be_read_waits_for_its_webhook_under_its_reference(world):
    await lose(world, gateway_intent(), wait_ms=MINUTE_MS)
    await decide(world, "executed", key=GATEWAY, reference="46345")
    assert world.last(GATEWAY)["status"] == "processing"
    await world.hook({"payment_id": 46345, "order_id": "ord-4001", "status": "received"}, key=GATEWAY)
    assert world.last(GATEWAY)["status"] == "succeeded"


async def captured_in_doubt(world: World) -> None:
    authorised = card_body("authorised")
    world.provider.script("create", said(authorised))
    world.provider.script("card", said({}, 503))
    world.provider.script("detail", said({}, 503))
    world.provider.script("capture", LOST)
    await world.submit(card_intent(method=card_intent()["method"] | {"capture": "manual"}))
    await world.command("capture")
    await world.pass_time(GRACE_MS)


async def test_a_capture_is_sent_again_once(world):
    await captured_in_doubt(world)
    world.provider.script("capture", said(card_body("waiting")))
    await decide(world, "send_again", CAPTURE)
    assert (world.provider.calls["capture"], world.last()["status"], world.last()["reason"]) == (
        2,
        "processing",
        "settling",
    )
    await world.assert_consistent()


async def test_after_a_capture_that_was_not_executed_another_command_captures(world):
    await captured_in_doubt(world)
    await decide(world, "not_executed", CAPTURE)
    assert world.last()["status"] == "requires_capture"
    assert world.provider.calls["capture"] == 1
    world.provider.script("capture", said(card_body("waiting")))
    await world.command("capture", command_id="c-2")
    assert (world.provider.calls["capture"], world.last()["reason"]) == (2, "settling")
    await world.assert_consistent()


# Looks


async def look(world: World, key=CARD) -> None:
    await notify(key, LookSeen(at_ms=world.clock.ms, actor="ada"), engine=world.engines["w1"])
    await world.turn()


async def test_a_look_that_is_asked_for_is_made_at_once_and_once(world):
    world.provider.script("create", said(PENDING))
    await world.submit()
    world.provider.script("detail", said(card_body("received")))
    await look(world)
    assert (world.last()["status"], world.last()["observed_by"]) == ("succeeded", "poll")
    assert world.provider.calls["detail"] == 1
    await look(world)
    assert world.provider.calls["detail"] == 2
    assert len(world.events()) == 3


async def test_a_lost_create_is_looked_up_at_once(world):
    await lose(world, wait_ms=20 * MINUTE_MS)
    scans = world.provider.calls["list"]
    world.provider.script("list", said({"records": [PENDING], "page": 1, "per_page": 20}))
    await look(world)
    assert (world.provider.calls["list"], world.last()["status"]) == (scans + 1, "requires_action")


async def test_a_look_waits_for_its_permit(world):
    world.provider.script("create", said(PENDING))
    await world.submit()
    await world.gate.pause("default", for_ms=MINUTE_MS, reason="told to wait")
    await look(world)
    assert world.provider.calls["detail"] == 0
    await world.pass_time(MINUTE_MS + 2_000)
    assert world.provider.calls["detail"] == 1


async def test_where_nothing_can_be_asked_a_look_does_nothing(world):
    await lose(world, gateway_intent(), wait_ms=MINUTE_MS)
    before = await world.payment(GATEWAY)
    await look(world, GATEWAY)
    after = await world.payment(GATEWAY)
    assert (after.create, after.look_wanted) == (before.create, None)
    assert after.create.state is OperationState.IN_DOUBT
