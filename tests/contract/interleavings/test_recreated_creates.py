"""A create that was lost and sent once more, against everything that may come meanwhile (I1, architecture's table)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.payment import OperationState
from tests.unit.core.building import gateway_body, gateway_intent, gateway_reply, payin_body, payin_intent
from tests.unit.engine.world import DAY_MS, GATEWAY, LOST, PAYIN, UNSENT, said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.identity import PaymentKey

GRACE_ENDS_MS = 100_000  # the call's deadline and the grace, counted from the mark
REFUSED = said({"errors": {"code": "DUPLICATE", "message": "external_id was used"}}, 422)
USELESS = {"half": "a body"}
PAGE = {"pay_code": {"pay_url": "https://pay.example/x"}}


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What the provider says of the first and of the second payment that it made for one intent."""

    key: PaymentKey
    intent: Mapping[str, Any]
    references: tuple[str, str]
    replies: tuple[Mapping[str, Any], Mapping[str, Any]]
    paid: tuple[Mapping[str, Any], Mapping[str, Any]]


FLOWS = {
    "payin": Flow(
        key=PAYIN,
        intent=payin_intent(),
        references=("uuid:FIRST111", "uuid:SECOND22"),
        replies=(payin_body("pending", uuid="FIRST111", **PAGE), payin_body("pending", uuid="SECOND22", **PAGE)),
        paid=(payin_body("received", uuid="FIRST111"), payin_body("received", uuid="SECOND22")),
    ),
    "gateway_link": Flow(
        key=GATEWAY,
        intent=gateway_intent(),
        references=("gw:111", "gw:222"),
        replies=(gateway_reply(payment_id=111), gateway_reply(payment_id=222)),
        paid=(gateway_body("received", payment_id=111), gateway_body("received", payment_id=222)),
    ),
}


@pytest.fixture(params=sorted(FLOWS))
def flow(request, stage) -> Flow:
    flow = FLOWS[request.param]
    stage.desk.script("create", said(flow.replies[0]), said(flow.replies[1]))
    stage.desk.script("detail", lambda asked: said(payin_body("received", uuid=dict(asked.query)["uuid"])))
    return flow


def attempts(stage) -> list[str]:
    """The webhook path of each create ends with its attempt."""
    bodies = [request.body or {} for kind, request in stage.desk.requests if kind == "create"]
    notified = [body.get("webhook_notification") or body["payment_gateway_notification"] for body in bodies]
    return [notification["endpoint_url"].rpartition("/")[2] for notification in notified]


async def frozen_on_the_wire(stage, brief, w2, flow):
    """The first attempt's worker stands still on the wire; the next owner has it in doubt, past the grace."""
    wire = brief.halt("on the wire")
    frozen = stage.start(brief.submit(dict(flow.intent)))
    await wire.reached()
    await stage.lease_runs_out(flow.key)
    await stage.settle(w2, for_ms=1_000)
    await stage.ground.pass_ms(GRACE_ENDS_MS)
    assert attempts(stage) == ["1"]
    return wire, frozen


async def lost(stage, worker, flow):
    """The first attempt's reply is lost; the grace is over."""
    stage.desk.script("create", LOST, said(flow.replies[1]))
    await worker.submit(dict(flow.intent))
    await stage.ground.pass_ms(GRACE_ENDS_MS + 1_000)


async def stopped(stage, worker, place):
    halt = worker.halt(place)
    turn = stage.start(worker.take())
    await halt.reached()
    return halt, turn


async def goes_on(stage, halt, turn):
    halt.go()
    await stage.finish(turn)


async def test_i1_a_late_reply_before_the_mark_of_the_repeat_stops_it(stage, brief, w2, flow):
    wire, frozen = await frozen_on_the_wire(stage, brief, w2, flow)
    halt, turn = await stopped(stage, w2, "before mark")

    await goes_on(stage, wire, frozen)
    await goes_on(stage, halt, turn)
    await stage.settle(w2)

    assert attempts(stage) == ["1"]
    assert (await stage.payment(flow.key)).reference == flow.references[0]
    assert (await stage.story(flow.key))[-1] == "requires_action"


@pytest.mark.parametrize("place", ["after mark", "on the wire", "before reply", "after reply"])
async def test_a_late_reply_during_the_repeat_leaves_one_payment_that_knows_both(stage, brief, w2, flow, place):
    wire, frozen = await frozen_on_the_wire(stage, brief, w2, flow)
    halt, turn = await stopped(stage, w2, place)

    await goes_on(stage, wire, frozen)
    await goes_on(stage, halt, turn)
    await stage.settle(w2, for_ms=1_000)

    payment = await stage.payment(flow.key)
    assert attempts(stage) == ["1", "2"]
    assert {payment.reference, *payment.aliases} == set(flow.references)
    assert (await stage.story(flow.key))[-1] == "requires_action"
    assert payment.review == ()


@pytest.mark.parametrize("reply", [UNSENT, REFUSED, LOST], ids=["unsent", "422", "lost"])
@pytest.mark.parametrize("place", ["after mark", "on the wire", "before reply", "after reply"])
async def test_a_late_reply_to_the_first_attempt_does_not_speak_for_the_second(stage, brief, w2, flow, place, reply):
    stage.desk.script("create", reply, LOST)
    wire, frozen = await frozen_on_the_wire(stage, brief, w2, flow)
    halt, turn = await stopped(stage, w2, place)

    await goes_on(stage, wire, frozen)
    await goes_on(stage, halt, turn)
    await stage.settle(w2, for_ms=2 * DAY_MS)

    assert attempts(stage) == ["1", "2"]
    assert await stage.story(flow.key) == ["accepted", "in_doubt", "in_doubt"]
    assert (await stage.views(flow.key))[-1]["review"] == ["in_doubt_aged"]


@pytest.mark.parametrize("body", ["usable", "unusable"])
async def test_i1_a_webhook_before_the_mark_of_the_repeat_stops_it(stage, w1, web, flow, body):
    await lost(stage, w1, flow)
    halt, turn = await stopped(stage, w1, "before mark")

    await stage.hook(web, flow.paid[0] if body == "usable" else USELESS, flow.key)
    await goes_on(stage, halt, turn)
    await stage.settle(w1, for_ms=DAY_MS)

    assert attempts(stage) == ["1"]
    assert (await stage.story(flow.key))[-1] == ("succeeded" if body == "usable" else "in_doubt")


async def test_i1_a_webhook_that_tells_nothing_before_the_repeat_was_decided_stops_it(stage, w1, web, flow):
    stage.desk.script("create", LOST, said(flow.replies[1]))
    await w1.submit(dict(flow.intent))

    await stage.hook(web, USELESS, flow.key)
    await stage.settle(w1, for_ms=DAY_MS)

    assert attempts(stage) == ["1"]
    assert (await stage.story(flow.key))[-1] == "in_doubt"


async def test_t12_a_no_to_the_repeat_that_comes_after_a_takeover_fails_nothing(stage, brief, w2, flow):
    stage.desk.script("create", LOST, REFUSED)
    await brief.submit(dict(flow.intent))
    await stage.ground.pass_ms(GRACE_ENDS_MS + 1_000)
    wire, frozen = await stopped(stage, brief, "on the wire")
    await stage.lease_runs_out(flow.key)
    await stage.settle(w2)

    await goes_on(stage, wire, frozen)
    await stage.settle(w2, for_ms=DAY_MS // 2)

    assert attempts(stage) == ["1", "2"]
    assert await stage.story(flow.key) == ["accepted", "in_doubt"]


@pytest.mark.parametrize("which", [0, 1], ids=["the first", "the second"])
@pytest.mark.parametrize("place", ["on the wire", "after reply"])
async def test_whichever_of_the_two_is_paid_is_the_payment(stage, w1, web, flow, which, place):
    await lost(stage, w1, flow)
    halt, turn = await stopped(stage, w1, place)

    await stage.hook(web, flow.paid[which], flow.key, attempt=which + 1)
    await goes_on(stage, halt, turn)
    await stage.settle(w1, for_ms=60_000)

    view = (await stage.views(flow.key))[-1]
    assert (view["status"], view["review"]) == ("succeeded", [])
    assert view["provider"]["reference"] == flow.references[which].partition(":")[2]
    assert attempts(stage) == ["1", "2"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first then second", "second then first"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one after the other"])
async def test_both_paid_is_one_success_and_a_person_is_told(stage, w1, web, flow, order, at_once):
    await lost(stage, w1, flow)
    await stage.settle(w1)
    assert attempts(stage) == ["1", "2"]

    for which in order:
        await stage.hook(web, flow.paid[which], flow.key, attempt=which + 1)
        if not at_once:
            await stage.settle(w1, for_ms=60_000)
    await stage.settle(w1, for_ms=60_000)

    view = (await stage.views(flow.key))[-1]
    assert (view["status"], view["review"]) == ("succeeded", ["duplicate_external_id"])
    assert view["paid_minor"] == view["total_minor"]
    assert (await stage.story(flow.key)).count("succeeded") <= 2


async def test_i1_who_is_frozen_before_the_mark_of_the_repeat_does_not_send_a_third(stage, brief, w2, flow):
    await lost(stage, brief, flow)
    halt, frozen = await stopped(stage, brief, "before mark")
    await stage.lease_runs_out(flow.key)
    await stage.settle(w2)
    assert attempts(stage) == ["1", "2"]

    await goes_on(stage, halt, frozen)
    await stage.settle(w2, for_ms=DAY_MS)

    assert attempts(stage) == ["1", "2"]


@pytest.mark.parametrize("place", ["after mark", "on the wire"])
async def test_i1_who_dies_with_the_repeat_in_hand_leaves_it_in_doubt(stage, brief, w2, flow, place):
    await lost(stage, brief, flow)
    _, dying = await stopped(stage, brief, place)
    await stage.kill(dying)
    await stage.lease_runs_out(flow.key)

    await stage.settle(w2, for_ms=2 * DAY_MS)

    assert attempts(stage) == (["1"] if place == "after mark" else ["1", "2"])
    assert await stage.story(flow.key) == ["accepted", "in_doubt", "in_doubt"]
    assert (await stage.payment(flow.key)).create.state is OperationState.IN_DOUBT


@pytest.mark.parametrize("fault", ["lost", "away"])
@pytest.mark.parametrize("call", ["mark", "commit", "reply"])
async def test_i1_lost_answers_around_the_repeat_send_it_once(stage, w1, flow, call, fault):
    await lost(stage, w1, flow)
    w1.way.disturb(call, fault, fault)

    await stage.settle(w1)

    assert w1.way.faults == {call: []}
    assert attempts(stage) == ["1", "2"]
    assert await stage.story(flow.key) == ["accepted", "in_doubt", "requires_action"]


async def test_a_repeat_that_was_too_late_to_send_is_still_in_doubt_and_sent_once(stage, w1, flow):
    await lost(stage, w1, flow)
    halt, turn = await stopped(stage, w1, "after mark")
    await stage.ground.pass_ms(2_001)
    await goes_on(stage, halt, turn)
    assert attempts(stage) == ["1"]
    assert (await stage.story(flow.key))[-1] == "in_doubt"

    await stage.settle(w1, for_ms=60_000)

    assert attempts(stage) == ["1", "2"]
    assert await stage.story(flow.key) == ["accepted", "in_doubt", "requires_action"]


@pytest.mark.parametrize("place", ["before mark", "after mark", "on the wire", "before reply"])
async def test_a_cancel_at_any_moment_of_the_repeat_is_refused(stage, w1, web, flow, place):
    await lost(stage, w1, flow)
    halt, turn = await stopped(stage, w1, place)

    await web.command("cancel", flow.key)
    await goes_on(stage, halt, turn)
    await stage.settle(w1)

    assert attempts(stage) == ["1", "2"]
    assert await stage.ground.world.dead_letters() == ["refusal/default/c-1"]
    assert await stage.story(flow.key) == ["accepted", "in_doubt", "requires_action"]


async def test_i1_a_list_that_was_asked_for_before_somebody_else_repeated_it_leads_to_no_third(stage, brief, w2):
    flow = FLOWS["payin"]
    await lost(stage, brief, flow)
    reading, frozen = await stopped(stage, brief, "while reading")
    await stage.lease_runs_out(flow.key)
    stage.desk.script("create", LOST)
    await stage.settle(w2)
    assert attempts(stage) == ["1", "2"]

    await goes_on(stage, reading, frozen)
    await stage.settle(w2, for_ms=DAY_MS)

    assert attempts(stage) == ["1", "2"]


@pytest.mark.parametrize("word", ["failed", "expired"])
@pytest.mark.parametrize("place", ["on the wire", "before reply", "after reply"])
async def test_the_end_of_the_first_is_not_the_end_of_the_second(stage, w1, web, flow, place, word):
    await lost(stage, w1, flow)
    halt, turn = await stopped(stage, w1, place)

    await stage.hook(web, {**flow.paid[0], "status": word, "paid_amount": 0}, flow.key)
    await goes_on(stage, halt, turn)
    await stage.settle(w1, for_ms=1_000)

    payment = await stage.payment(flow.key)
    assert (payment.reference, payment.aliases) == (flow.references[1], flow.references[:1])
    assert await stage.story(flow.key) == ["accepted", "in_doubt", "requires_action"]


@pytest.mark.parametrize("word", ["pending", "failed", "expired", "canceled"])
async def test_the_end_of_a_first_link_that_names_our_order_alone_is_not_the_end_of_the_second(stage, w1, web, word):
    flow = FLOWS["gateway_link"]
    await lost(stage, w1, flow)
    stage.desk.script("create", said(flow.replies[1]))
    await stage.settle(w1)
    nameless = {"order_id": flow.key.intent_id, "status": word}

    await stage.hook(web, nameless, flow.key, attempt=1)
    await stage.settle(w1, for_ms=1_000)
    assert await stage.story(flow.key) == ["accepted", "in_doubt", "requires_action"]

    await stage.hook(web, nameless | {"status": "received"}, flow.key, attempt=1)
    await stage.settle(w1, for_ms=1_000)
    assert (await stage.story(flow.key))[-1] == "succeeded"


@pytest.mark.parametrize("word", ["failed", "expired"])
async def test_money_on_the_first_after_the_second_ended_is_money(stage, w1, web, flow, word):
    await lost(stage, w1, flow)
    await stage.settle(w1)
    await stage.hook(web, {**flow.paid[1], "status": word, "paid_amount": 0}, flow.key, attempt=2)
    await stage.settle(w1, for_ms=1_000)
    assert (await stage.views(flow.key))[-1]["status"] == word

    await stage.hook(web, flow.paid[0], flow.key)
    await stage.settle(w1, for_ms=60_000)

    view = (await stage.views(flow.key))[-1]
    assert view["status"] == "succeeded"
    assert "late_payment" in view["review"]
    assert view["provider"]["reference"] == flow.references[0].partition(":")[2]
