from __future__ import annotations

import pytest

from orchestrator.lagging import BEHIND_MS
from orchestrator.payment import CAPTURE, CREATE, OperationState
from orchestrator.policy import Policy
from orchestrator.webhook_auth import authorization
from tests.unit.core.building import card_body, card_intent
from tests.unit.engine.world import CARD, DAY_MS, HOUR_MS, LOST, MINUTE_MS, UNKNOWN_ID, World, said

ACTION = {"pay_code": {"3ds_url": "https://3ds.example/x"}}


@pytest.fixture
async def world() -> World:
    """A card payment that waits for its customer."""
    return await waiting_world()


async def waiting_world(policy: Policy | None = None) -> World:
    world = World(policy)
    world.provider.script("create", said(body("pending", **ACTION)))
    world.provider.script("capture", said(body("waiting", **ACTION)))
    world.provider.script("card", said(body("pending")))
    await world.submit(card_intent(amount_minor=20000))
    return world


def body(status: str, **changes):
    paid = status not in {"pending", "authorised"}
    amounts = {"amount": "200.0", "total": "200.0", "paid_amount": "200.0" if paid else "0.0"}
    return card_body(status, **(amounts | changes))


async def test_vector_1_a_card_from_3ds_to_a_lost_dispute(world):
    assert world.story() == ["accepted", "requires_action"]
    assert world.last()["next_action"] == {"type": "redirect", "purpose": "3ds", "url": "https://3ds.example/x"}
    await world.hook(body("authorised"))
    await world.hook(body("authorised"))
    assert world.story()[2:] == ["processing/capturing", "processing/settling"]
    assert world.provider.calls["capture"] == 1
    world.provider.script("card", said(body("received")))
    await world.hook(body("received"))
    await world.hook(body("waiting"))
    assert world.story()[4:] == ["processing/confirming", "succeeded"]
    for word in ("return_pending", "return_rejected", "return_pending", "partially_refunded", "in_dispute"):
        await world.hook(body(word))
    for word in ("received", "in_dispute", "dispute_lost"):
        await world.pass_time(BEHIND_MS)
        await world.hook(body(word))
    assert world.story()[6:] == [
        "refund_pending",
        "succeeded",
        "refund_pending",
        "partially_refunded",
        "disputed",
        "succeeded",
        "disputed",
        "dispute_lost",
    ]
    assert world.provider.calls["create"] == world.provider.calls["capture"] == 1
    await world.assert_consistent()


async def test_the_first_call_carries_the_webhook_of_its_attempt(world):
    _, request = world.provider.requests[0]
    assert request.body is not None
    assert request.body["webhook_notification"] == {
        "endpoint_url": "https://hooks.example/webhooks/hello-clever/default/ord-1001/1",
        "authorization_header": authorization("secret", CARD, 1),
    }


async def test_vector_2_the_pages_own_example_as_the_reply_is_an_action_with_a_flag():
    world = World()
    example = {
        "uuid": "7PPPMXIGH",
        "external_id": "ord-1001",
        "status": "waiting",
        "pay_code": {"3ds_url": "https://3ds-auth.example.com/verify"},
        "currency": "USD",
        "amount": 10000,
        "total": 10000,
        "paid_amount": 0,
        "is_refundable": True,
        "expired_at": "",
        "refund_information": {"total_amount": 200, "refund_amount": 50, "description": "Testing refund"},
        "created_at": "2025-05-28T04:22:21.567+0000",
    }
    world.provider.script("create", said(example))
    await world.submit(card_intent(currency="USD"))
    assert world.story() == ["accepted", "requires_action"]
    assert world.last()["review"] == ["ambiguous_waiting_3ds"]
    assert (world.last()["refunded_minor"], world.last()["customer_paid"]) == (0, False)
    assert world.provider.calls["capture"] == 0


async def test_vector_14_a_card_is_asked_for_with_an_integer_of_minor_units():
    world = World()
    world.provider.script("create", said(card_body("pending", currency="USD", amount="10.0", total="10.0")))
    await world.submit(card_intent(currency="USD", amount_minor=1000))
    body_sent = world.provider.requests[0][1].body
    assert body_sent is not None
    assert (type(body_sent["amount"]), body_sent["amount"]) == (int, 1000)


async def test_t38_authorised_by_webhook_and_by_poll_starts_one_capture(world):
    world.provider.script("card", said(body("authorised")))
    await world.hook(body("authorised"), turn=False)
    await world.pass_time(2 * HOUR_MS)
    assert world.provider.calls["capture"] == 1


async def test_i1_a_late_authorised_webhook_leads_to_no_second_capture(world):
    world.provider.script("capture", LOST)
    world.provider.script("card", said(body("authorised")))
    await world.hook(body("authorised"))
    assert (await world.payment()).operations[CAPTURE].state is OperationState.IN_DOUBT
    for _ in range(8):
        await world.hook(body("authorised"))
        await world.pass_time(10_000)
    assert world.provider.calls["capture"] == 1
    world.provider.script("card", said(body("waiting")))
    await world.pass_time(2 * HOUR_MS)
    await world.hook(body("authorised"))
    assert world.story()[2:] == ["processing/capturing", "processing/settling"]
    assert world.provider.calls["capture"] == 1


async def test_a_late_authorised_webhook_during_the_capture_changes_nothing(world):
    async def capture(_request):
        await world.hook(body("authorised"), turn=False)
        return said(body("waiting"))

    world.provider.script("capture", capture)
    await world.hook(body("authorised"))
    await world.turn()
    assert world.provider.calls["capture"] == 1
    assert world.story()[2:] == ["processing/capturing", "processing/settling"]


async def test_t37_a_refused_capture_is_read_before_anything_else(world):
    world.provider.script("capture", said({"errors": {"message": "Already captured"}}, 422))
    world.provider.script("card", said(body("waiting")))
    await world.hook(body("authorised"))
    assert world.provider.calls["capture"] == 1
    assert world.story()[2:] == ["processing/capturing", "processing/settling"]


async def test_a_manual_capture_is_not_made_by_itself():
    world = World()
    method = {"token": "tok_a", "return_url": "https://s.example/", "capture": "manual"}
    world.provider.script("create", said(card_body("authorised")))
    world.provider.script("card", said(card_body("authorised")))
    await world.submit(card_intent(method=method))
    await world.pass_time(DAY_MS)
    assert world.story() == ["accepted", "requires_capture"]
    assert world.provider.calls["capture"] == 0


async def test_reads_go_to_the_payin_detail_first_and_rest_it_while_it_knows_nothing(world):
    await world.pass_time(30 * MINUTE_MS)
    kinds = [kind for kind, _ in world.provider.requests if kind in {"detail", "card"}]
    assert kinds[:2] == ["detail", "card"]
    assert kinds[2:] == ["card"] * len(kinds[2:])
    assert len(kinds) > 2


async def test_with_webhooks_off_a_payment_ends_by_polling(world):
    world.provider.script("card", said(body("authorised")), said(body("received")))
    await world.pass_time(DAY_MS)
    assert world.story() == [
        "accepted",
        "requires_action",
        "processing/capturing",
        "processing/settling",
    ]
    await world.pass_time(2 * DAY_MS)
    assert world.story()[4:] == ["succeeded"]
    assert world.last()["observed_by"] == "poll"
    assert world.store.due(CARD) is None
    await world.assert_consistent()


async def test_with_polling_off_a_payment_ends_by_webhooks():
    world = await waiting_world(Policy(polling=False, confirm_success_by_read=False))
    for word in ("authorised", "waiting", "received"):
        await world.hook(body(word))
        await world.pass_time(HOUR_MS)
    assert world.story()[-1] == "succeeded"
    assert world.provider.calls["card"] == world.provider.calls["detail"] == 0


async def test_polling_off_still_confirms_a_success_by_one_read():
    world = await waiting_world(Policy(polling=False))
    world.provider.script("card", said(body("received")))
    await world.hook(body("received"))
    assert world.story()[2:] == ["processing/confirming", "succeeded"]
    assert world.provider.calls["card"] == 1


async def test_unreadable_reads_let_a_claimed_success_stand_within_a_minute(world):
    world.provider.script("card", UNKNOWN_ID)
    await world.hook(body("received"))
    await world.pass_time(MINUTE_MS)
    assert world.story()[2:] == ["processing/confirming", "succeeded"]
    assert world.last()["review"] == ["unconfirmed"]


async def test_a_contradicted_success_is_not_published(world):
    await world.hook(body("received"))
    await world.pass_time(10 * MINUTE_MS)
    assert world.story()[2:] == ["processing/confirming", "processing/confirming"]
    assert world.last()["review"] == ["unconfirmed"]
    assert not world.last()["customer_paid"]


async def test_i5_a_no_that_a_read_shows_just_after_a_success_was_told_is_read_again_before_it_counts(world):
    world.provider.script("card", said(body("failed")))
    await world.hook(body("received"))
    await world.pass_time(30_000)
    assert world.story()[2:] == ["processing/confirming"]
    world.provider.script("card", said(body("received")))
    await world.pass_time(MINUTE_MS)
    assert world.story()[2:] == ["processing/confirming", "succeeded"]


async def test_i5_a_no_counts_from_when_it_was_asked_for_however_late_it_is_heard(world):
    def frozen(_):
        world.clock.ms += 2 * MINUTE_MS
        return said(body("failed"))

    world.provider.script("card", frozen, said(body("received")))
    await world.hook(body("received"))
    await world.pass_time(3 * MINUTE_MS)
    assert world.story()[2:] == ["processing/confirming", "succeeded"]


async def test_i5_a_no_that_reads_go_on_to_show_ends_a_success_that_was_only_told(world):
    world.provider.script("card", said(body("failed")))
    await world.hook(body("received"))
    await world.pass_time(3 * MINUTE_MS)
    assert world.story()[2:] == ["processing/confirming", "failed"]


async def test_a_declined_card_fails_with_its_words(world):
    declined = {"error_code": "issuer_declined", "error_message": "Card declined"}
    await world.hook(body("failed", pay_code=declined))
    assert world.last()["status"] == "failed"
    assert world.last()["failure"] == {"code": "issuer_declined", "message": "Card declined"}
    assert world.store.due(CARD) is None


async def test_vector_17_money_after_an_expiry_is_taken_and_flagged(world):
    await world.hook(body("expired"))
    world.provider.script("card", said(body("received")))
    await world.hook(body("received"))
    assert world.story()[2:] == ["expired/provider", "succeeded"]
    assert world.last()["review"] == ["late_payment"]


async def test_vector_17_late_money_is_found_by_polls_too(world):
    await world.hook(body("expired"))
    world.provider.script("card", said(body("received")))
    await world.pass_time(DAY_MS)
    assert world.story()[2:] == ["expired/provider", "succeeded"]


async def test_i3_duplicates_and_stale_webhooks_publish_nothing(world):
    await world.hook(body("authorised"))
    published = len(world.events())
    for word in ("authorised", "pending", "authorised", "waiting", "pending", "expired"):
        await world.hook(body(word))
    assert len(world.events()) == published
    await world.assert_consistent()


async def test_d13_an_unknown_status_is_frozen_and_read(world):
    await world.hook(body("mystery"))
    assert world.last()["status"] == "requires_action"
    assert world.last()["review"] == ["unknown_status"]
    assert world.provider.calls["card"] == 1


async def test_a_manual_action_without_an_end_goes_stale_and_is_looked_at_daily(world):
    await world.pass_time(5 * DAY_MS)
    assert world.last()["review"] == ["stale"]
    before = world.provider.calls["card"]
    await world.pass_time(10 * DAY_MS)
    assert 8 <= world.provider.calls["card"] - before <= 11


@pytest.mark.parametrize("word", ["pending", "authorised", "waiting", "received", "mystery"])
async def test_a_webhook_of_another_order_moves_nothing(world, word):
    await world.hook(body(word, external_id="ord-9"))
    assert world.story() == ["accepted", "requires_action", "requires_action"]
    assert world.last()["review"] == ["foreign_reference"]
    assert (await world.payment()).operations[CREATE].state is OperationState.DONE
