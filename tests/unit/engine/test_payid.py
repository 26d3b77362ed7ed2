"""A PayID from its action to its refunds."""

from __future__ import annotations

import pytest

from tests.unit.core.building import payid_body, payid_intent, payin_body
from tests.unit.engine.world import DAY_MS, HOUR_MS, LOST, MINUTE_MS, PAYID, UNKNOWN_ID, World, said


async def shown(**changes) -> World:
    """A PayID that its customer may pay."""
    world = World()
    world.provider.script("create", said(payid_body("pending", **changes)))
    world.provider.script("status", said(payid_body("pending", **changes)))
    await world.submit(payid_intent())
    return world


async def told(world: World, word: str, **changes) -> None:
    """The provider says so by webhook, and means it."""
    world.provider.script("status", said(payid_body(word, **changes)))
    await world.hook(payid_body(word, **changes), key=PAYID)


def returned(amount: object) -> dict[str, object]:
    return {
        "refund_payid": "payer@bank.example",
        "refund_amount": amount,
        "request_date": "2027-01-15T09:00:00Z",
        "reason": "Broken product",
    }


async def test_vector_9_a_payid_is_shown_paid_and_confirmed_by_its_own_read():
    world = await shown()
    assert world.story(PAYID) == ["accepted", "requires_action"]
    await told(world, "received")
    assert world.story(PAYID)[2:] == ["processing/confirming", "succeeded"]
    assert world.provider.calls == {"create": 1, "status": 1}
    assert world.provider.requests[1][1].query == (("id", "123456"),)
    await world.assert_consistent(PAYID)


@pytest.mark.parametrize(
    ("stage", "story", "review"),
    [
        ("underpaid", ["requires_action"], ["underpaid"]),
        ("overpaid", ["processing/awaiting_provider"], ["overpaid"]),
        ("unmatched_nonce", ["processing/awaiting_provider"], ["unmatched_nonce"]),
    ],
)
async def test_vector_9_odd_money_is_told_and_the_settlement_ends_it(stage, story, review):
    world = await shown()
    for _ in range(2):
        await told(world, "pending", stage=stage)
    assert world.story(PAYID)[2:] == story
    assert world.last(PAYID)["review"] == review
    assert world.last(PAYID)["provider"]["stage"] == stage
    assert (world.last(PAYID)["next_action"] is None) == (story != ["requires_action"])
    await told(world, "received")
    assert world.story(PAYID)[-1] == "succeeded"
    assert world.last(PAYID)["review"] == review


async def test_an_underpaid_payid_that_expires_keeps_its_review():
    world = await shown()
    await told(world, "pending", stage="underpaid")
    await told(world, "expired")
    assert world.story(PAYID)[-1] == "expired/provider"
    assert world.last(PAYID)["review"] == ["underpaid"]


async def test_vector_9_an_email_that_the_provider_refuses_becomes_a_dead_letter_and_no_call():
    world = World()
    await world.deliver(payid_intent(customer={"name": "Jane", "email": "jane@yahoo.com.au"}))
    assert [code for _, code in world.refusals()] == ["email_unsupported_by_provider"]
    assert world.provider.requests == []
    assert await world.store.load(PAYID) is None


@pytest.mark.parametrize("first", [UNKNOWN_ID, said({}), said({"errors": {"message": "no"}}, 400), said({}, 405)])
async def test_a_read_that_does_not_know_the_payid_falls_back_to_the_payin_detail(first):
    world = await shown()
    world.provider.script("status", first)
    detail = payin_body(
        "received", uuid="123456", external_id="ord-3001", currency="AUD", amount=100, total=100, paid_amount=100
    )
    world.provider.script("detail", said(detail))
    await world.hook(payid_body("received"), key=PAYID)
    assert world.story(PAYID)[2:] == ["processing/confirming", "succeeded"]
    assert world.provider.calls == {"create": 1, "status": 1, "detail": 1}
    _, request = world.provider.requests[-1]
    assert (request.path, request.query) == ("/v2/payins/detail", (("uuid", "123456"),))


async def test_no_path_that_knows_it_lets_the_webhook_stand_within_a_minute():
    world = await shown()
    world.provider.script("status", UNKNOWN_ID)
    await world.hook(payid_body("received"), key=PAYID)
    await world.pass_time(MINUTE_MS)
    assert world.story(PAYID)[2:] == ["processing/confirming", "succeeded"]
    assert world.last(PAYID)["review"] == ["unconfirmed"]


async def test_a_read_that_cannot_be_had_now_asks_no_other_path():
    world = await shown()
    world.provider.script("status", said({}, 503))
    await world.hook(payid_body("received"), key=PAYID)
    assert world.provider.calls["detail"] == 0


async def test_without_webhooks_a_payid_ends_by_polling():
    world = await shown()
    world.provider.script("status", said(payid_body("received")))
    await world.pass_time(HOUR_MS)
    assert world.story(PAYID)[2:] == ["succeeded"]
    assert world.last(PAYID)["observed_by"] == "poll"


async def test_the_provider_says_when_a_payid_expired_and_there_is_a_look_right_after_its_deadline():
    world = await shown()
    await world.pass_time(12 * HOUR_MS - MINUTE_MS)
    before = world.provider.calls["status"]
    world.provider.script("status", said(payid_body("expired")))
    await world.pass_time(2 * MINUTE_MS)
    assert world.provider.calls["status"] == before + 1
    assert world.story(PAYID)[2:] == ["expired/provider"]
    await world.pass_time(4 * DAY_MS)
    assert world.store.due(PAYID) is None


async def test_t45_money_after_the_expiry_is_taken_and_flagged():
    world = await shown()
    await told(world, "expired")
    await told(world, "received")
    assert world.story(PAYID)[2:] == ["expired/provider", "succeeded"]
    assert world.last(PAYID)["review"] == ["late_payment"]


async def test_i1_a_lost_create_is_never_repeated_for_the_provider_mails_the_payer():
    world = World()
    world.provider.script("create", LOST)
    await world.submit(payid_intent())
    await world.pass_time(DAY_MS + HOUR_MS)
    assert world.provider.calls == {"create": 1}
    assert world.story(PAYID) == ["accepted", "in_doubt", "in_doubt"]
    world.provider.script("status", said(payid_body("pending")))
    await world.hook(payid_body("pending"), key=PAYID)
    assert world.story(PAYID)[3:] == ["requires_action"]
    assert world.last(PAYID)["review"] == []


async def test_vector_18_a_returned_part_can_be_followed_by_another_and_not_by_a_success():
    world = await shown()
    await told(world, "received")
    await told(world, "return_pending", refund_information=returned(25))
    await told(world, "return_received", refund_information=returned(25))
    assert world.story(PAYID)[4:] == ["refund_pending", "partially_refunded"]
    assert world.last(PAYID)["refunded_minor"] == 2500
    await told(world, "received", refund_information=returned(25))
    assert world.story(PAYID)[6:] == []
    await told(world, "return_pending", refund_information=returned(100))
    await told(world, "return_received", refund_information=returned(100))
    assert world.story(PAYID)[6:] == ["refund_pending", "refunded"]
    last = world.last(PAYID)
    assert (last["refunded_minor"], last["paid_minor"], last["review"]) == (10000, 10000, [])
    await told(world, "received")
    assert world.story(PAYID)[8:] == []
    await world.assert_consistent(PAYID)


async def test_vector_12_two_refunds_of_the_same_words_are_two():
    world = await shown()
    await told(world, "received")
    for amount in (30, 50):
        for _ in range(4):
            await told(world, "return_pending", refund_information=returned(amount))
        await told(world, "return_received", refund_information=returned(amount))
    assert world.story(PAYID)[4:] == ["refund_pending", "partially_refunded"] * 2
    sums = [event["data"]["refunded_minor"] for event in world.events(PAYID)][4:]
    assert sums == [0, 3000, 3000, 5000]


@pytest.mark.parametrize("word", ["return_rejected", "return_expired"])
async def test_t23_a_refund_that_falls_through_leads_back_to_the_success(word):
    world = await shown()
    await told(world, "received")
    await told(world, "return_pending", refund_information=returned(25))
    await told(world, word, refund_information=returned(25))
    assert world.story(PAYID)[4:] == ["refund_pending", "succeeded"]
    assert world.last(PAYID)["refunded_minor"] == 0
    await told(world, "return_pending", refund_information=returned(25))
    assert world.story(PAYID)[-1] == "refund_pending"


async def test_a_refund_of_what_was_never_seen_to_be_paid_is_taken_as_it_is():
    world = await shown()
    await told(world, "return_received", refund_information=returned(25))
    assert world.story(PAYID)[2:] == ["partially_refunded"]
    assert world.last(PAYID)["refunded_minor"] == 2500
