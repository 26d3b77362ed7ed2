from __future__ import annotations

import asyncio

import pytest

from tests.sandbox.builders import card_body, without
from tests.sandbox.desk import exact


async def authorised(desk, **changes) -> str:
    return str((await desk.card(token={"id": "tok_no3ds_visa"}, **changes))["uuid"])


async def status_of(desk, uuid) -> str:
    return str(exact(await desk.get(f"/api/v2/cards/payments/{uuid}"))["status"])


async def test_the_create_reply_is_the_written_example_of_the_page(desk):
    card = await desk.card()
    assert len(card["uuid"]) == 9
    assert set(card["pay_code"]) == {"3ds_url"}
    assert {key: card[key] for key in ("status", "amount", "total", "paid_amount", "expired_at")} == {
        "status": "pending",
        "amount": "1000.0",
        "total": "1000.0",
        "paid_amount": "0.0",
        "expired_at": "",
    }
    assert (card["is_refundable"], card["refund_information"]) == (False, None)


async def test_reply_amounts_can_be_switched_to_major_units(desk):
    await desk.settings(card_reply_unit="major")
    assert (await desk.card(amount=1050))["amount"] == "10.5"


@pytest.mark.parametrize(
    ("token", "status", "pay_code_keys"),
    [
        ("tok_no3ds_1", "authorised", set()),
        ("tok_decline_1", "failed", {"error_code", "error_message"}),
        ("tok_pending_1", "pending", set()),
        ("tok_waiting3ds_1", "waiting", {"3ds_url"}),
        ("tok_anything", "pending", {"3ds_url"}),
    ],
)
async def test_the_token_decides_how_a_card_payment_begins(desk, token, status, pay_code_keys):
    card = await desk.card(token={"id": token, "type": "card"})
    assert (card["status"], set(card["pay_code"] or {})) == (status, pay_code_keys)


async def test_the_ambiguous_token_waits_in_its_reply_only(desk):
    card = await desk.card(token={"id": "tok_waiting3ds_1"})
    assert await status_of(desk, card["uuid"]) == "pending"


@pytest.mark.parametrize("field", ["amount", "currency", "token", "external_id", "return_url"])
async def test_a_missing_field_is_refused_with_one_message(desk, field):
    reply = await desk.post("/api/v2/cards/create_payment", without(card_body(), field))
    assert (reply.status_code, list(reply.json()["errors"])) == (422, ["message"])
    assert await desk.kinds() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amount": 50}, "Invalid amount. Please enter a value greater than 0.5."),
        ({"amount": -1000}, "Invalid amount. Please enter a value greater than 0.5."),
        ({"amount": 10.5}, "Invalid amount. Please enter a whole number of the smallest currency unit."),
        ({"amount": "1000"}, "Invalid amount. Please enter a whole number of the smallest currency unit."),
        ({"amount": True}, "Invalid amount. Please enter a whole number of the smallest currency unit."),
        ({"currency": "XXX"}, "Invalid currency."),
        ({"token": {"id": "card_1"}}, "Token ID not found."),
        ({"token": {"id": "tok_unknown"}}, "Token ID not found."),
        ({"token": "tok_1"}, "Token ID not found."),
        ({"webhook_notification": {"endpoint_url": "x"}}, "endpoint_url is invalid"),
    ],
)
async def test_a_wrong_value_is_refused_in_words(desk, changes, message):
    reply = await desk.post("/api/v2/cards/create_payment", card_body(**changes))
    assert (reply.status_code, reply.json()) == (422, {"errors": {"message": message}})


async def test_a_card_goes_through_3ds_capture_and_settlement(desk):
    uuid = (await desk.card())["uuid"]
    await desk.act(uuid, "pay")
    assert await status_of(desk, uuid) == "authorised"
    captured = exact(await desk.capture(uuid))
    assert (captured["status"], captured["paid_amount"]) == ("waiting", "1000.0")
    assert set(captured["pay_code"]) == {"3ds_url"}, "the used link stays, as in the provider's examples"
    await desk.advance(4 * 3600)
    assert await status_of(desk, uuid) == "received"
    assert await desk.kinds(uuid=uuid) == ["create", "authorise", "capture", "settle"]


async def test_only_an_authorised_payment_is_captured_and_only_once(desk):
    uuid = (await desk.card())["uuid"]
    assert (await desk.capture(uuid)).status_code == 422
    await desk.act(uuid, "pay")
    replies = await asyncio.gather(*(desk.capture(uuid) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [200, 422, 422, 422, 422]
    assert (await desk.kinds(uuid=uuid)).count("capture") == 1


async def test_capturing_an_unknown_payment_is_answered_not_found(desk):
    assert (await desk.capture("NOSUCHID1")).status_code == 404


async def test_an_authorisation_lapses_after_a_week(desk):
    uuid = await authorised(desk)
    await desk.advance(7 * 24 * 3600)
    assert await status_of(desk, uuid) == "expired"
    assert (await desk.capture(uuid)).status_code == 422


async def test_a_card_payment_without_3ds_expires(desk):
    uuid = (await desk.card())["uuid"]
    await desk.act(uuid, "abandon")
    assert await status_of(desk, uuid) == "pending"
    await desk.advance(24 * 3600)
    assert await status_of(desk, uuid) == "expired"


@pytest.mark.parametrize(("amount", "status"), [(None, "return_received"), (400, "partially_refunded")])
async def test_a_refund_is_full_or_partial(desk, amount, status):
    uuid = await authorised(desk)
    await desk.capture(uuid)
    order = {"uuid": uuid, "reason": "came back", **({"refund_amount": amount} if amount else {})}
    reply = exact(await desk.post("/api/v2/cards/refund_payment", order))
    assert (reply["refund_amount"], reply["payin_request"]["status"]) == (
        f"{amount or 1000}.0",
        "return_pending",
    )
    await desk.act(uuid, "finish_refund")
    assert await status_of(desk, uuid) == status


@pytest.mark.parametrize("changes", [{"reason": "no"}, {"refund_amount": 1001}, {"refund_amount": 0.5}])
async def test_a_wrong_refund_is_refused(desk, changes):
    uuid = await authorised(desk)
    await desk.capture(uuid)
    order = {"uuid": uuid, "reason": "came back", **changes}
    assert (await desk.post("/api/v2/cards/refund_payment", order)).status_code == 422
    assert await status_of(desk, uuid) == "waiting"


async def test_an_uncaptured_payment_cannot_be_refunded(desk):
    uuid = await authorised(desk)
    reply = await desk.post("/api/v2/cards/refund_payment", {"uuid": uuid, "reason": "came back"})
    assert reply.status_code == 422


@pytest.mark.parametrize(
    ("actions", "status"),
    [
        (["settle"], "received"),
        (["dispute"], "in_dispute"),
        (["dispute", "win_dispute"], "received"),
        (["settle", "dispute", "lose_dispute"], "dispute_lost"),
        (["dispute", "refund", "finish_refund"], "return_received"),
        (["refund", "reject_refund"], "return_rejected"),
        (["refund", "expire_refund", "cancel_refund"], "received"),
        (["refund", "cancel_refund"], "received"),
        (["refund", "reject_refund", "refund"], "return_pending"),
    ],
)
async def test_a_captured_payment_goes_where_the_operator_sends_it(desk, actions, status):
    uuid = await authorised(desk)
    await desk.capture(uuid)
    for action in actions:
        assert (await desk.act(uuid, action)).is_success, action
    assert await status_of(desk, uuid) == status


async def test_a_week_counts_from_the_authorisation_and_not_from_the_creation(desk):
    uuid = (await desk.card())["uuid"]
    await desk.advance(20 * 3600)
    await desk.act(uuid, "pay")
    await desk.advance(7 * 24 * 3600 - 1)
    assert await status_of(desk, uuid) == "authorised"
    await desk.advance(1)
    assert await status_of(desk, uuid) == "expired"


async def test_what_is_left_after_a_partial_refund_can_be_refunded_and_no_more(desk):
    uuid = await authorised(desk)
    await desk.capture(uuid)
    statuses = []
    for amount in (400, 500, 101, 100):
        order = {"uuid": uuid, "refund_amount": amount, "reason": "came back"}
        refunded = (await desk.post("/api/v2/cards/refund_payment", order)).is_success
        if refunded:
            await desk.act(uuid, "finish_refund")
        statuses.append((refunded, await status_of(desk, uuid)))
    assert statuses == [
        (True, "partially_refunded"),
        (True, "partially_refunded"),
        (False, "partially_refunded"),
        (True, "return_received"),
    ]
    entries = (await desk.client.get("/_sandbox/ledger", params={"kind": "refund_done"})).json()["entries"]
    assert [row["amount_minor"] for row in entries] == [400, 500, 100]


async def test_a_partly_refunded_payment_can_be_disputed_and_won_or_lost(desk):
    for end, status in (("win_dispute", "received"), ("lose_dispute", "dispute_lost")):
        uuid = await authorised(desk, external_id=end)
        await desk.capture(uuid)
        for action in ({"action": "refund", "amount": 4}, {"action": "finish_refund"}, {"action": "dispute"}):
            assert (await desk.act(uuid, **action)).is_success
        assert await status_of(desk, uuid) == "in_dispute"
        assert (await desk.act(uuid, end)).is_success
        assert await status_of(desk, uuid) == status


@pytest.mark.parametrize("action", ["underpay", "overpay", "complete", "unmatched_nonce", "confirm_otp"])
async def test_a_card_is_paid_in_full_or_not_at_all(desk, action):
    uuid = (await desk.card())["uuid"]
    assert (await desk.act(uuid, action)).status_code in {409, 422}
    assert await status_of(desk, uuid) == "pending"
