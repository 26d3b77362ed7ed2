from __future__ import annotations

import json

import pytest

from orchestrator.accept import accept
from orchestrator.errors import StoreUnavailableError
from orchestrator.identity import fingerprint
from orchestrator.refuse import KEPT_BODY_MAX_BYTES, Incoming
from tests.unit.core.building import as_body, card_body, card_intent, payin_intent
from tests.unit.engine.world import CARD, DAY_MS, World, said


@pytest.fixture
def world() -> World:
    world = World()
    world.provider.script("create", said(card_body("pending")))
    world.provider.script("card", said(card_body("pending")))
    return world


def the_refusal(world):
    [refusal] = world.store.dead_letters
    return refusal


async def test_an_intent_is_stored_with_its_first_event_and_due_at_once(world):
    assert await world.deliver() is None
    assert world.story() == ["accepted"]
    assert world.store.due(CARD) == world.clock.ms
    assert world.last() == world.last() | {
        "sequence": 1,
        "observed_by": "intake",
        "amount_minor": 10000,
        "total_minor": 10000,
        "previous_status": None,
        "provider": {"name": "hello_clever", "reference": None, "status": None, "stage": None},
    }


async def test_i2_a_redelivered_intent_is_accepted_again_and_nothing_happens_twice(world):
    await world.submit()
    reordered = dict(reversed(list((card_intent() | {"merchant": "default", "metadata": None}).items())))
    for again in (card_intent(), reordered, {"specversion": "1.0", "data": card_intent()}):
        assert await world.deliver(again) is None
    await world.turn()
    assert world.provider.calls["create"] == 1
    assert world.store.dead_letters == []
    assert world.story() == ["accepted", "processing/awaiting_provider"]


async def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stands(world):
    await world.submit()
    before = await world.store.load(CARD)
    await world.deliver(card_intent(amount_minor=20000))
    assert (the_refusal(world).code, the_refusal(world).field) == ("intent_conflict", "intent_id")
    assert await world.store.load(CARD) == before


async def test_a_known_id_is_recognised_before_any_rule_of_the_clock(world):
    late = card_intent(expires_at="2027-01-15T09:00:00Z")
    await world.deliver(late)
    world.clock.ms += DAY_MS
    assert await world.deliver(late) is None
    assert world.store.dead_letters == []


async def test_an_id_is_remembered_by_its_tombstone(world):
    world.store.bury(CARD, fingerprint(card_intent()))
    assert await world.deliver() is None
    assert world.store.dead_letters == []
    assert await world.store.load(CARD) is None
    await world.deliver(card_intent(amount_minor=1))
    assert the_refusal(world).code == "intent_conflict"


async def test_two_merchants_may_use_one_id(world):
    await world.deliver()
    await world.deliver(card_intent(merchant="shop-b", amount_minor=5))
    assert world.store.dead_letters == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not json", "invalid_json"),
        (as_body(card_intent(amount_minor=1.5)), "amount_not_integer"),
        (as_body(card_intent(merchant="nobody")), "unknown_merchant"),
        (b"x" * 70_000, "too_large"),
        (as_body(payin_intent(expires_at="2027-01-15T08:10:00Z")), "expires_too_soon"),
    ],
)
async def test_i9_a_bad_message_is_refused_once_however_often_it_comes_and_the_queue_goes_on(world, body, code):
    for _ in range(3):
        assert await world.deliver(body, origin="amqp") is None
        world.clock.ms += 1000
    refusal = the_refusal(world)
    event = json.loads(refusal.event)
    assert (refusal.code, refusal.origin, event["type"]) == (code, "amqp", "intent.refused")
    assert (event["id"], event["data"]["code"]) == (refusal.refusal_id, code)
    assert world.ledger.said("intent.refused") == 1
    await world.submit()
    assert world.story() == ["accepted", "processing/awaiting_provider"]


async def test_a_corrected_intent_may_reuse_its_id(world):
    await world.deliver(card_intent(currency="XXX"))
    await world.deliver()
    assert len(world.store.dead_letters) == 1
    assert world.story() == ["accepted"]


async def test_what_is_readable_of_a_refused_message_is_told(world):
    await world.deliver(card_intent(merchant="shop-b", amount_minor=0))
    assert the_refusal(world).attributes == {"merchant": "shop-b", "intent_id": "ord-1001"}
    event = json.loads(the_refusal(world).event)
    assert (event["source"], event["subject"]) == ("/payorch/shop-b", "ord-1001")


@pytest.mark.parametrize("merchant", [None, "default"])
async def test_a_null_merchant_is_the_default_one_in_a_refusal_too(world, merchant):
    await world.deliver(card_intent(merchant=merchant, amount_minor=0))
    assert json.loads(the_refusal(world).event)["source"] == "/payorch/default"


NUMBER = "4111111111111111"


@pytest.mark.parametrize(
    "message",
    [
        card_intent(description=NUMBER),
        card_intent(merchant=NUMBER),
        card_intent(metadata={NUMBER: "x"}),
        card_intent(amount_minor=int(NUMBER) / 1),
        {NUMBER: {NUMBER: NUMBER}},
        card_intent(method={"type": NUMBER}),
        card_intent(currency=NUMBER),
    ],
)
async def test_i8_a_card_number_is_stored_and_told_nowhere(world, message):
    await world.deliver(message)
    refusal = the_refusal(world)
    assert NUMBER not in repr(refusal)
    assert NUMBER not in repr(world.ledger.lines)
    assert not refusal.redrivable


async def test_i8_a_card_number_in_a_refused_command_is_told_nowhere(world):
    body = json.dumps({"command": NUMBER, "command_id": NUMBER, "merchant": NUMBER}).encode()
    await accept(Incoming(body=body, origin="amqp", is_command=True), engine=world.engines["w1"])
    assert NUMBER not in repr(the_refusal(world))
    assert json.loads(the_refusal(world).event)["type"] == "command.refused"


async def test_a_command_is_refused_as_a_command(world):
    body = json.dumps({"command": "refund", "command_id": "c1", "intent_id": "ord-1"}).encode()
    await accept(Incoming(body=body, origin="amqp", is_command=True), engine=world.engines["w1"])
    event = json.loads(the_refusal(world).event)
    assert (event["id"], event["data"]["command"]) == ("refusal/default/c1", "refund")


async def test_a_kept_body_can_be_sent_again_only_whole(world):
    await world.deliver(b"x" * (KEPT_BODY_MAX_BYTES + 1))
    refusal = the_refusal(world)
    assert (len(refusal.body), refusal.redrivable) == (KEPT_BODY_MAX_BYTES, False)


async def test_a_body_that_was_refused_is_kept_byte_by_byte(world):
    body = b'{"intent_id" :  "ord-1"}'
    await world.deliver(body)
    assert (the_refusal(world).body, the_refusal(world).redrivable) == (body, True)


async def test_i2_a_message_stays_on_its_queue_while_nothing_is_certain(world):
    world.store.away["accept"] = 1
    with pytest.raises(StoreUnavailableError):
        await world.deliver()
    assert world.events() == []
    await world.deliver()
    assert world.story() == ["accepted"]


async def test_i2_an_accept_whose_answer_was_lost_is_known_when_it_comes_again(world):
    world.store.lost["accept"] = 1
    with pytest.raises(StoreUnavailableError):
        await world.deliver()
    await world.deliver()
    await world.turn()
    assert world.story() == ["accepted", "processing/awaiting_provider"]
    assert world.provider.calls["create"] == 1


async def test_two_deliveries_at_once_store_one_payment(world):
    original = world.store.find_fingerprint

    async def another_first(key):
        world.store.find_fingerprint = original
        found = await original(key)
        await world.deliver()
        return found

    world.store.find_fingerprint = another_first
    assert await world.deliver() is None
    assert world.story() == ["accepted"]
    assert world.store.dead_letters == []


async def test_two_deliveries_at_once_with_other_content_store_the_first(world):
    original = world.store.find_fingerprint

    async def another_first(key):
        world.store.find_fingerprint = original
        found = await original(key)
        await world.deliver(card_intent(amount_minor=5))
        return found

    world.store.find_fingerprint = another_first
    await world.deliver()
    assert the_refusal(world).code == "intent_conflict"
    assert world.last()["amount_minor"] == 5
