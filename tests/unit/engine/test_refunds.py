"""Refunds by command, from the queue to the money on its way back: once, never more than was paid, told once."""

from __future__ import annotations

import json

import pytest

from orchestrator.dialect import Dialect
from orchestrator.payment import OperationState, RefundOutcome
from orchestrator.policy import Policy
from tests.unit.core.building import PAYID_REFERENCE, UUID, gateway_body, gateway_intent, gateway_reply
from tests.unit.engine.refunding import FLOWS, NO_BALANCE, Refunded
from tests.unit.engine.world import DAY_MS, GATEWAY, MINUTE_MS, UNAUTHORISED, UNSENT, World, said

ON_FLOWS = pytest.mark.parametrize("flow", sorted(FLOWS))
HAS_SUM = {"card": "partially_refunded", "payid": "return_received", "payin": "return_received"}


@ON_FLOWS
async def test_a_part_and_then_the_rest_go_back_each_by_one_request(flow):
    paid = await Refunded(flow).begin()
    rest_minor = paid.paid_minor - 2_550
    paid.replies(paid.taken())
    await paid.refund("r-1", amount_minor=2_550, reason="one item came back")
    assert paid.story == ["refund_pending"]
    assert paid.last["refunded_minor"] == 0
    await paid.hear(HAS_SUM[flow], returned_minor=2_550)
    assert paid.story == ["refund_pending", "partially_refunded"]
    assert (paid.last["refunded_minor"], paid.last["review"]) == (2_550, [])
    await paid.refund("r-2")
    await paid.hear("return_received", returned_minor=paid.paid_minor)
    assert paid.story[2:] == ["refund_pending", "refunded"]
    assert (paid.last["refunded_minor"], paid.last["paid_minor"], paid.last["review"]) == (
        paid.paid_minor,
        paid.paid_minor,
        [],
    )
    assert [asked_minor(request) for request in paid.asked] == [2_550, rest_minor]
    assert [(await paid.operation(each)).outcome for each in ("r-1", "r-2")] == [RefundOutcome.RETURNED] * 2
    await paid.refund("r-3", amount_minor=1)
    assert (len(paid.asked), paid.refusals) == (2, ["not_refundable"])
    await paid.settle()


def asked_minor(request) -> int:
    """The amount of a refund in minor units; cards are set to be asked in them."""
    amount = request.body.get("amount", request.body.get("refund_amount"))
    return int(amount if request.path.startswith("/v2/cards") else amount * 100)


async def test_what_a_payid_is_asked_names_its_integer():
    paid = await Refunded("payid").begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=10_000)
    assert paid.asked[0].body == {
        "payment_request_id": PAYID_REFERENCE,
        "refund_amount": 100,
        "reason": "Refund r-1",
    }


@ON_FLOWS
async def test_a_refund_shows_from_its_mark_on_and_its_reply_changes_no_more_than_the_providers_word(flow):
    paid = await Refunded(flow).begin()
    seen = []

    async def look(_request):
        seen.append((paid.last["status"], paid.last["observed_by"]))
        return paid.taken("received", paid_amount="0.0")

    paid.replies(look)
    await paid.refund()
    assert seen == [("refund_pending", "command")]
    assert paid.story == ["refund_pending"]
    payment = await paid.world.payment(paid.key)
    assert (payment.paid_minor, payment.refunded_minor) == (paid.paid_minor, 0)
    assert (await paid.operation()).state is OperationState.DONE


@pytest.mark.parametrize("word", ["waiting", "received", "return_pending", "failed"])
async def test_t40_a_card_that_settles_is_refunded_whatever_its_reply_still_says(word):
    paid = await Refunded("card").begin("waiting")
    paid.replies(paid.taken(word))
    await paid.refund(amount_minor=2_550)
    assert paid.asked[0].body == {"uuid": UUID, "refund_amount": 2_550, "reason": "Refund r-1"}
    assert paid.story == ["refund_pending"]
    await paid.hear("return_rejected")
    assert paid.story[1:] == ["processing/settling"]
    await paid.settle()


@ON_FLOWS
async def test_a_refund_that_is_over_in_its_very_reply(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken("return_received", returned_minor=paid.paid_minor))
    await paid.refund()
    assert paid.story == ["refund_pending", "refunded"]
    assert paid.last["refunded_minor"] == paid.paid_minor


# Once


@ON_FLOWS
async def test_however_often_a_refund_is_asked_for_it_is_sent_once(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    for _ in range(2):
        await paid.refund(amount_minor=2_500)
        await paid.refund(amount_minor=2_500, command_id="c-other")
    await paid.hear(HAS_SUM[flow], returned_minor=2_500)
    await paid.refund(amount_minor=2_500, command_id="c-third")
    await paid.world.pass_time(DAY_MS)
    assert (len(paid.asked), paid.refusals) == (1, [])
    assert paid.story == ["refund_pending", "partially_refunded"]


@ON_FLOWS
async def test_what_contradicts_a_running_refund_is_refused_once_and_changes_nothing(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=2_500)
    for _ in range(2):
        await paid.refund("r-1", amount_minor=2_501, command_id="c-2")
        await paid.refund("r-2", amount_minor=1, command_id="c-3")
        await paid.refund("r-1", amount_minor=2_501)
    assert paid.world.refusals() == [
        ("refusal/default/c-2", "refund_conflict"),
        ("refusal/default/c-3", "refund_running"),
        ("refusal/default/c-r-1", "command_conflict"),
    ]
    assert (len(paid.asked), paid.story) == (1, ["refund_pending"])


@pytest.mark.parametrize(
    ("flow", "dialect", "code"),
    [("card", Dialect(), "refund_unit_unconfigured"), ("card", Dialect(card_refund_unit="minor"), "refund_too_large")],
)
async def test_what_cannot_be_refunded_is_refused_and_not_sent(flow, dialect, code):
    paid = await Refunded(flow, policy=Policy(dialect=dialect)).begin()
    await paid.refund(amount_minor=10_001)
    assert (paid.refusals, paid.asked, paid.story) == ([code], [], [])


async def test_a_gateway_link_is_refused_since_no_page_documents_its_refund():
    world = World()
    world.provider.script("create", said(gateway_reply()))
    await world.submit(gateway_intent())
    await world.hook(gateway_body("received"), key=GATEWAY)
    await world.command("refund", key=GATEWAY, refund_id="r-1")
    assert world.refusals() == [("refusal/default/c-1", "refund_unsupported")]
    assert world.story(GATEWAY)[-1] == "succeeded"


@ON_FLOWS
async def test_two_refunds_that_came_together_are_one_and_one_refusal(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    for refund_id in ("r-1", "r-2"):
        await paid.refund(refund_id, turn=False)
    await paid.world.turn()
    assert (len(paid.asked), paid.world.refusals()) == (1, [("refusal/default/c-r-2", "refund_running")])


# Refused by the provider


@ON_FLOWS
async def test_a_refund_that_the_provider_refuses_is_told_once_and_the_payment_is_as_before(flow):
    paid = await Refunded(flow).begin()
    paid.replies(NO_BALANCE)
    await paid.refund(amount_minor=2_500, reason="one item came back")
    assert paid.story == ["refund_pending", "succeeded"]
    (letter,) = paid.world.store.dead_letters
    assert (letter.refusal_id, letter.code, letter.origin) == ("refusal/default/c-r-1", "INSUFFICIENT", "provider")
    assert not letter.redrivable
    assert json.loads(letter.body) == {
        "command": "refund",
        "merchant": "default",
        "intent_id": paid.key.intent_id,
        "command_id": "c-r-1",
        "refund_id": "r-1",
        "amount_minor": 2_500,
        "reason": "one item came back",
    }
    (event,) = paid.told()
    assert (event["type"], event["id"], event["subject"]) == (
        "command.refused",
        "refusal/default/c-r-1",
        paid.key.intent_id,
    )
    assert {name: event["data"][name] for name in ("code", "message", "command", "intent_id")} == {
        "code": "INSUFFICIENT",
        "message": "Insufficient balance.",
        "command": "refund",
        "intent_id": paid.key.intent_id,
    }
    assert (await paid.operation()).untold is None
    await paid.settle()


@pytest.mark.parametrize(
    ("code", "told"),
    [("LOW_BALANCE", "LOW_BALANCE"), ("low.balance", "provider_refused"), ("\u4f59\u989d" * 32, "provider_refused"),
     ("*", "provider_refused"), (None, "http_422"), (1203, "1203")],
)  # fmt: skip
async def test_the_code_of_a_refusal_is_always_one_word_of_a_routing_key(code, told):
    paid = await Refunded("payin").begin()
    paid.replies(said({"errors": {"code": code, "message": "No."}}, 422))
    await paid.refund(amount_minor=2_500)
    assert (paid.refusals, paid.told()[0]["data"]["message"]) == ([told], "No.")


async def test_after_a_refusal_the_same_refund_is_not_sent_again_and_another_is():
    paid = await Refunded("payin").begin()
    paid.replies(NO_BALANCE, paid.taken())
    await paid.refund(amount_minor=2_500)
    await paid.refund(amount_minor=2_500)
    await paid.refund(amount_minor=2_500, command_id="c-2")
    assert len(paid.asked) == 1
    assert paid.refusals == ["INSUFFICIENT", "refund_conflict"]
    await paid.refund("r-2")
    assert [asked_minor(request) for request in paid.asked] == [2_500, 50_000]
    assert paid.story == ["refund_pending", "succeeded", "refund_pending"]


async def test_a_refusal_that_could_not_be_told_at_once_is_told_by_who_comes_next():
    paid = await Refunded("payin").begin()

    async def and_the_worker_dies(refusal):
        paid.world.store.refuse = stored  # type: ignore[method-assign]
        raise WorkerDiedError

    stored = paid.world.store.refuse
    paid.world.store.refuse = and_the_worker_dies  # type: ignore[method-assign]
    paid.replies(NO_BALANCE)
    with pytest.raises(WorkerDiedError):
        await paid.refund()
    assert (await paid.operation()).untold is not None
    await paid.world.pass_time(MINUTE_MS, worker="w2")
    assert (paid.refusals, len(paid.asked)) == (["INSUFFICIENT"], 1)
    assert (await paid.operation()).untold is None
    assert paid.story == ["refund_pending", "succeeded"]


class WorkerDiedError(Exception):
    """The process is gone; nothing after this line of it happens."""


# Not executed


@ON_FLOWS
@pytest.mark.parametrize("first", [UNSENT, UNAUTHORISED, said({}, 429), said({}, 425)], ids=["unsent", 401, 429, 425])
async def test_a_refund_that_certainly_was_not_executed_is_sent_again(flow, first):
    paid = await Refunded(flow).begin()
    paid.replies(first, paid.taken())
    await paid.refund(amount_minor=2_500)
    await paid.world.pass_time(2 * MINUTE_MS)
    assert [asked_minor(request) for request in paid.asked] == [2_500, 2_500]
    assert (paid.refusals, paid.last["status"]) == ([], "refund_pending")
    await paid.settle()


@ON_FLOWS
@pytest.mark.parametrize("word", ["in_dispute", "return_pending", "return_received"])
async def test_a_refund_that_was_overtaken_before_it_was_sent_is_never_sent_and_told(flow, word):
    paid = await Refunded(flow).begin()
    await paid.world.gate.pause("default", for_ms=MINUTE_MS, reason="outage")
    await paid.refund()
    assert paid.story == []
    await paid.hear(word)
    assert (paid.refusals, paid.asked) == (["not_refundable"], [])
    assert "Nothing was asked of the provider." in paid.told()[0]["data"]["message"]
    await paid.world.pass_time(DAY_MS)
    assert paid.asked == []


async def test_a_refund_made_elsewhere_before_ours_was_sent_leaves_less_than_ours():
    paid = await Refunded("payid").begin()
    await paid.world.gate.pause("default", for_ms=MINUTE_MS, reason="outage")
    await paid.refund(amount_minor=9_000)
    await paid.hear("return_received", returned_minor=2_500)
    assert paid.story == ["partially_refunded"]
    assert (paid.refusals, paid.asked) == (["refund_too_large"], [])


# How it ends


@ON_FLOWS
@pytest.mark.parametrize("word", ["return_rejected", "return_expired"])
async def test_a_refund_that_falls_through_leads_back_and_leaves_room_for_another(flow, word):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=2_500)
    await paid.hear(word)
    assert paid.story == ["refund_pending", "succeeded"]
    assert (await paid.operation()).outcome is RefundOutcome.FELL_THROUGH
    await paid.refund(amount_minor=2_500, command_id="c-2")
    assert paid.refusals == ["refund_conflict"]
    await paid.refund("r-2")
    assert paid.story == ["refund_pending", "succeeded", "refund_pending"]
    assert asked_minor(paid.asked[1]) == paid.paid_minor


@ON_FLOWS
async def test_a_running_refund_is_looked_at_every_day_and_its_end_is_found_without_a_webhook(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    paid.says("return_pending", returned_minor=2_500)
    await paid.refund(amount_minor=2_500)
    await paid.world.pass_time(5 * DAY_MS)
    assert paid.story == ["refund_pending"]
    paid.says(HAS_SUM[flow], returned_minor=2_500)
    await paid.world.pass_time(2 * DAY_MS)
    assert paid.story == ["refund_pending", "partially_refunded"]
    assert paid.last["refunded_minor"] == 2_500


async def test_a_dispute_ends_what_may_be_asked_for():
    paid = await Refunded("card").begin()
    await paid.hear("in_dispute")
    await paid.refund("r-1")
    await paid.hear("received")
    paid.replies(paid.taken())
    await paid.refund("r-2")
    assert (paid.refusals, len(paid.asked)) == (["not_refundable"], 1)
    assert paid.story == ["disputed", "succeeded", "refund_pending"]
