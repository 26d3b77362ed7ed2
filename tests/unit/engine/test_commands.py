"""Commands from the queue to the payment: kept, applied once by the owner, refused once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orchestrator.accept import accept
from orchestrator.errors import RetryError
from orchestrator.observation import WebhookSeen, encode_observation
from orchestrator.payment import CAPTURE, OperationState
from orchestrator.refuse import Incoming
from tests.unit.core.building import as_body, card_body, card_intent, gateway_intent, payid_intent, payin_intent
from tests.unit.engine.world import (
    CARD,
    DAY_MS,
    GATEWAY,
    HOUR_MS,
    LOST,
    MINUTE_MS,
    PAYID,
    PAYIN,
    UNAUTHORISED,
    UNSENT,
    World,
    said,
)

if TYPE_CHECKING:
    from orchestrator.ports import CallClass

MANUAL = card_intent(method={"token": "tok_a", "return_url": "https://s.example/", "capture": "manual"})


async def authorised() -> World:
    """A manual card payment that waits for its capture."""
    world = World()
    world.provider.script("create", said(card_body("authorised")))
    world.provider.script("card", said(card_body("authorised")))
    world.provider.script("capture", said(card_body("waiting")))
    await world.submit(MANUAL)
    return world


async def unsent(intent=None) -> World:
    """A payment that is stored while nobody may call."""
    world = World()
    world.provider.script("create", said(card_body("authorised")))
    await world.gate.pause("default", for_ms=10 * MINUTE_MS, reason="outage")
    await world.submit(intent or MANUAL)
    return world


# Capture


async def test_t37_a_manual_capture_is_made_by_command_once():
    world = await authorised()
    await world.command("capture")
    assert world.story() == ["accepted", "requires_capture", "processing/capturing", "processing/settling"]
    assert world.provider.calls["capture"] == 1
    for _ in range(3):
        await world.command("capture")
    await world.command("capture", command_id="c-2")
    assert world.provider.calls["capture"] == 1
    assert world.refusals() == [("refusal/default/c-2", "not_capturable")]
    world.provider.script("card", said(card_body("received")))
    await world.hook(card_body("received"))
    assert world.story()[-1] == "succeeded"
    await world.assert_consistent()


async def test_a_capture_shows_who_caused_it():
    world = await authorised()
    await world.command("capture")
    assert [event["data"]["observed_by"] for event in world.events()] == ["intake", "reply", "command", "reply"]


async def test_t37_a_capture_before_the_authorisation_is_refused_and_the_payment_goes_on():
    world = World()
    world.provider.script("create", said(card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})))
    world.provider.script("card", said(card_body("authorised")))
    await world.submit(MANUAL)
    await world.command("capture")
    assert world.refusals() == [("refusal/default/c-1", "not_capturable")]
    assert world.provider.calls["capture"] == 0
    await world.hook(card_body("authorised"))
    assert world.story() == ["accepted", "requires_action", "requires_capture"]


@pytest.mark.parametrize("intent", [payin_intent, payid_intent, gateway_intent])
async def test_a_capture_of_what_is_no_card_is_refused(intent):
    world = await unsent(intent())
    await world.command("capture", intent_id=intent()["intent_id"])
    await world.pass_time(0)
    assert world.refusals() == [("refusal/default/c-1", "not_capturable")]


async def test_i1_a_lost_manual_capture_is_read_and_not_repeated():
    world = await authorised()
    world.provider.script("capture", LOST)
    await world.command("capture")
    assert world.story()[2:] == ["processing/capturing"]
    await world.pass_time(MINUTE_MS)
    await world.command("capture", command_id="c-2")
    assert world.provider.calls["capture"] == 1
    assert world.refusals() == [("refusal/default/c-2", "not_capturable")]
    world.provider.script("card", said(card_body("waiting")))
    await world.pass_time(2 * HOUR_MS)
    assert world.story()[3:] == ["processing/settling"]
    assert (await world.payment()).operations[CAPTURE].state is OperationState.DONE


@pytest.mark.parametrize("first", [UNSENT, UNAUTHORISED, said({}, 429)], ids=["unsent", "401", "429"])
async def test_a_capture_that_certainly_did_not_happen_is_sent_again(first):
    world = await authorised()
    world.provider.script("capture", first, said(card_body("waiting")))
    await world.command("capture")
    await world.pass_time(2 * MINUTE_MS)
    assert world.provider.calls["capture"] == 2
    assert world.story()[-1] == "processing/settling"


async def test_a_refused_manual_capture_is_read_before_anything_else():
    world = await authorised()
    world.provider.script("capture", said({"errors": {"message": "Already captured"}}, 422))
    world.provider.script("card", said(card_body("waiting")))
    await world.command("capture")
    assert world.story()[2:] == ["processing/capturing", "processing/settling"]


# Cancel


@pytest.mark.parametrize(
    ("intent", "key"), [(MANUAL, CARD), (payin_intent(), PAYIN), (payid_intent(), PAYID), (gateway_intent(), GATEWAY)]
)
async def test_a_cancel_before_the_sending_wins_for_every_flow(intent, key):
    world = await unsent(intent)
    await world.command("cancel", key=key)
    await world.command("cancel", key=key)
    await world.pass_time(DAY_MS)
    assert world.story(key) == ["accepted", "canceled"]
    assert world.provider.requests == []
    assert (world.store.due(key), world.refusals()) == (None, [])
    assert world.events(key)[-1]["data"]["observed_by"] == "command"


async def test_i1_a_cancel_that_is_stored_before_the_mark_wins_over_it():
    world = World()

    async def cancel_now(_call_class: CallClass) -> None:
        await world.command("cancel", turn=False)

    world.gate.before = cancel_now
    await world.submit(MANUAL)
    assert world.story() == ["accepted", "canceled"]
    assert world.provider.requests == []
    assert world.refusals() == []


async def test_a_cancel_that_comes_after_the_mark_is_refused():
    world = World()

    async def create(_request):
        await world.command("cancel", turn=False)
        return said(card_body("authorised"))

    world.provider.script("create", create)
    await world.submit(MANUAL)
    await world.turn()
    assert world.story() == ["accepted", "requires_capture"]
    assert world.refusals() == [("refusal/default/c-1", "already_sent")]


async def test_a_cancel_of_a_create_in_doubt_is_refused():
    world = World()
    world.provider.script("create", LOST)
    await world.submit(MANUAL)
    await world.command("cancel")
    assert world.story() == ["accepted", "in_doubt"]
    assert world.refusals() == [("refusal/default/c-1", "already_sent")]


async def test_a_cancel_after_a_create_that_was_certainly_not_made_wins():
    world = World()
    world.provider.script("create", UNSENT)
    await world.submit(MANUAL)
    await world.command("cancel")
    await world.pass_time(HOUR_MS)
    assert world.story() == ["accepted", "canceled"]
    assert world.provider.calls["create"] == 1


async def test_t45_money_for_a_canceled_payment_is_taken_after_a_read():
    world = await unsent()
    await world.command("cancel")
    await world.pass_time(HOUR_MS)
    world.provider.script("card", said(card_body("received")))
    await world.hook(card_body("received"))
    last = world.last()
    assert last["status"] == "succeeded"
    assert {"late_payment", "unexpected_observation"} <= set(last["review"])


# Identity


async def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stands():
    world = await unsent()
    await world.command("cancel")
    await world.command("capture")
    assert world.story() == ["accepted", "canceled"]
    assert world.refusals() == [("refusal/default/c-1", "command_conflict")]


async def test_a_refusal_is_told_once_however_often_the_command_comes():
    world = await authorised()
    for _ in range(4):
        await world.command("cancel")
    assert world.refusals() == [("refusal/default/c-1", "already_sent")]


async def test_i1_a_command_that_was_refused_is_not_carried_out_when_it_is_delivered_again():
    world = World()
    world.provider.script("create", said(card_body("pending")))
    world.provider.script("card", said(card_body("authorised")))
    world.provider.script("capture", said(card_body("waiting")))
    await world.submit(MANUAL)
    await world.command("capture", command_id="cmd-1")
    assert [each.code for each in world.store.dead_letters] == ["not_capturable"]
    await world.hook(card_body("authorised"))
    await world.command("capture", command_id="cmd-1")
    assert world.provider.calls["capture"] == 0
    await world.command("capture", command_id="cmd-2")
    assert world.provider.calls["capture"] == 1
    assert len(world.store.dead_letters) == 1


async def test_a_refused_command_is_one_dead_letter_with_its_event():
    world = await authorised()
    await world.command("cancel")
    (letter,) = world.store.dead_letters
    event = json.loads(letter.event)
    assert (event["type"], event["id"], event["subject"]) == ("command.refused", "refusal/default/c-1", "ord-1001")
    assert event["data"]["command"] == "cancel"
    assert event["data"]["code"] == "already_sent"
    assert (letter.origin, letter.redrivable) == ("stream", True)
    assert json.loads(letter.body) == {"command": "cancel", "intent_id": "ord-1001", "command_id": "c-1"}


async def test_two_commands_of_one_bunch_are_applied_in_order():
    world = await unsent()
    await world.command("cancel", turn=False)
    await world.command("capture", command_id="c-2", turn=False)
    await world.turn()
    assert world.story() == ["accepted", "canceled"]
    assert world.refusals() == [("refusal/default/c-2", "not_capturable")]


async def test_a_command_and_a_webhook_are_applied_in_the_order_they_came():
    world = await authorised()
    await world.command("capture", turn=False)
    await world.hook(card_body("waiting"), turn=False)
    await world.turn()
    assert world.provider.calls["capture"] == 0
    assert world.story()[2:] == ["processing/settling"]
    assert world.refusals() == []


# Ways in


async def test_a_cloudevents_command_is_taken_like_a_plain_one():
    world = await unsent()
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/shop",
        "type": "intent.command",
        "data": {"command": "cancel", "intent_id": "ord-1001", "command_id": "c-1"},
    }
    await accept(Incoming(body=as_body(event), origin="amqp", is_command=True), engine=world.engines["w1"])
    await world.turn()
    assert world.story() == ["accepted", "canceled"]


@pytest.mark.parametrize(
    ("body", "code", "refusal_id"),
    [
        (b"{", "invalid_json", None),
        (b"[]", "not_an_object", None),
        (b'{"command": "void", "intent_id": "ord-1001", "command_id": "c-9"}', "unknown_command", "c-9"),
        (b'{"command": "refund", "intent_id": "ord-1001", "command_id": "c-9"}', "missing_field", "c-9"),
        (b'{"command": "cancel", "intent_id": "ord-1001"}', "missing_field", None),
        (
            b'{"command": "cancel", "merchant": "shop-z", "intent_id": "o", "command_id": "c-9"}',
            "unknown_merchant",
            None,
        ),
    ],
)
async def test_a_command_that_cannot_be_one_is_refused_at_the_door(body, code, refusal_id):
    world = World()
    for _ in range(2):
        await accept(Incoming(body=body, origin="stream", is_command=True), engine=world.engines["w1"])
    [(refusal, refused)] = world.refusals()
    assert refused == code
    assert refusal == f"refusal/default/{refusal_id}" if refusal_id else refusal.startswith("refusal/")
    assert json.loads(world.store.dead_letters[0].event)["type"] == "command.refused"


async def test_a_command_for_a_payment_that_has_too_much_waiting_stays_on_its_queue():
    world = await unsent()
    seen = encode_observation(WebhookSeen(attempt=1, at_ms=0, body="{}"))
    for number in range(1000):
        await world.store.notify(CARD, seen, op=f"n{number}")
    with pytest.raises(RetryError):
        await world.command("cancel", turn=False)
    assert world.refusals() == []
