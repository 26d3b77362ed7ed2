from __future__ import annotations

import pytest

from tests.sandbox.desk import exact

DAY_S = 24 * 3600


async def paid(desk, **changes) -> str:
    uuid = str((await desk.payin(**changes))["uuid"])
    await desk.act(uuid, "pay")
    return uuid


@pytest.mark.parametrize(
    ("refunds", "days", "status"),
    [
        ("finish", 1, "return_received"),
        ("reject", 1, "return_rejected"),
        ("hang", 9, "return_pending"),
        ("hang", 10, "return_expired"),
    ],
)
async def test_how_refunds_end_by_themselves_is_a_setting(desk, refunds, days, status):
    await desk.settings(refunds=refunds)
    uuid = await paid(desk)
    await desk.act(uuid, "refund")
    await desk.advance(days * DAY_S - 1)
    assert (await desk.detail(uuid))["status"] == "return_pending"
    await desk.advance(1)
    assert (await desk.detail(uuid))["status"] == status


async def test_a_slow_refund_lapses_after_ten_days(desk):
    await desk.settings(refund_s=11 * DAY_S)
    uuid = await paid(desk)
    await desk.act(uuid, "refund")
    await desk.advance(10 * DAY_S)
    assert (await desk.detail(uuid))["status"] == "return_expired"
    assert (await desk.seen(uuid))["refunded"] == "0.0"


@pytest.mark.parametrize("ending", ["reject_refund", "expire_refund"])
async def test_a_refund_that_failed_may_be_asked_for_again(desk, ending):
    uuid = await paid(desk)
    for action in ("refund", ending, "refund", "finish_refund"):
        assert (await desk.act(uuid, action)).is_success, action
    assert (await desk.seen(uuid))["refunded"] == "500.0"


async def test_two_partial_refunds_are_asked_for_with_one_and_the_same_body(desk, receiver):
    uuid = await paid(desk, webhook_notification=receiver.notification)
    for amount in (100, 400):
        order = {"uuid": uuid, "amount": amount, "description": "one item came back"}
        assert (await desk.post("/api/v2/payins/refund", order)).is_success
        await desk.act(uuid, "finish_refund")
        await desk.advance(0)
    assert sorted(receiver.statuses) == ["received", *["return_pending"] * 2, *["return_received"] * 2]
    first, second = (call.body for call in receiver.calls if call.body["status"] == "return_pending")
    assert first == second, "a payin callback tells no amount of its refund"


async def test_no_more_than_what_is_left_is_refunded(desk):
    uuid = await paid(desk)
    await desk.act(uuid, "refund", amount=300)
    await desk.act(uuid, "finish_refund")
    too_much = {"uuid": uuid, "amount": "200.01", "description": "one item came back"}
    assert (await desk.post("/api/v2/payins/refund", too_much)).status_code == 422
    reply = exact(await desk.post("/api/v2/payins/refund", {"uuid": uuid, "description": "all the rest"}))
    assert reply["status"] == "return_pending"
    await desk.act(uuid, "finish_refund")
    assert (await desk.seen(uuid))["refunded"] == "500.0"
    assert (await desk.detail(uuid))["is_refundable"] is False


async def test_the_timer_of_a_finished_refund_does_not_end_the_next_one(desk):
    uuid = await paid(desk)
    await desk.act(uuid, "refund", amount=100)
    await desk.advance(DAY_S / 2)
    await desk.act(uuid, "finish_refund")
    await desk.act(uuid, "refund", amount=100)
    await desk.advance(DAY_S / 2)
    assert (await desk.detail(uuid))["status"] == "return_pending"
    await desk.advance(DAY_S / 2)
    assert (await desk.detail(uuid))["status"] == "return_received"


async def test_an_underpaid_payin_returns_what_was_paid(desk):
    uuid = str((await desk.payin())["uuid"])
    await desk.act(uuid, "underpay", amount="123.45")
    await desk.act(uuid, "refund")
    await desk.act(uuid, "finish_refund")
    assert (await desk.seen(uuid))["refunded"] == "123.45"
