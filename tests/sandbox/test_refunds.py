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


async def paid_of(desk, flow: str) -> tuple[str, object]:
    """The sandbox's key of a paid payment, and the id that the merchant knows."""
    if flow == "payid":
        number = (await desk.payid())["id"]
        uuid = await desk.key(number, "payid")
        await desk.act(uuid, "pay")
        return uuid, number
    if flow == "payin":
        uuid = await paid(desk)
        return uuid, uuid
    uuid = str((await desk.card(amount=5000))["uuid"])
    await desk.act(uuid, "pay")
    await desk.capture(uuid)
    return uuid, uuid


# Path, the name of the id, of the amount and of the reason, and 12.50 in the unit of the call.
CALLS = {
    "card": ("/api/v2/cards/refund_payment", "uuid", "refund_amount", "reason", 1250),
    "payid": ("/api/v1/payment_requests/refund", "payment_request_id", "refund_amount", "reason", "12.50"),
    "payin": ("/api/v2/payins/refund", "uuid", "amount", "description", 12.5),
}


async def ask(desk, flow: str, known_id: object, **changes):
    path, id_name, amount_name, reason_name, amount = CALLS[flow]
    body = {id_name: known_id, amount_name: amount, reason_name: "one item came back"}
    return await desk.post(path, body | changes)


async def refunds_in_ledger(desk, uuid: str) -> list[int]:
    entries = (await desk.client.get("/_sandbox/ledger", params={"kind": "refund", "uuid": uuid})).json()["entries"]
    return [entry["amount_minor"] for entry in entries]


@pytest.mark.parametrize("flow", sorted(CALLS))
async def test_the_ledger_tells_how_often_and_how_much_was_refunded_in_minor_units(desk, flow):
    uuid, known_id = await paid_of(desk, flow)
    reply = await ask(desk, flow, known_id)
    assert reply.status_code == 200
    assert (await ask(desk, flow, known_id)).status_code == 422, "one runs"
    await desk.act(uuid, "finish_refund")
    assert await refunds_in_ledger(desk, uuid) == [1250]
    assert (await desk.seen(uuid))["refunded"] == "12.5"


@pytest.mark.parametrize("flow", sorted(CALLS))
async def test_without_a_balance_a_refund_is_refused_and_does_not_begin(desk, flow):
    uuid, known_id = await paid_of(desk, flow)
    await desk.settings(refunds="refuse")
    reply = await ask(desk, flow, known_id)
    assert (reply.status_code, exact(reply)) == (422, {"errors": {"message": "Insufficient balance."}})
    assert await refunds_in_ledger(desk, uuid) == []
    await desk.settings(refunds="finish")
    assert (await ask(desk, flow, known_id)).status_code == 200


@pytest.mark.parametrize("flow", sorted(CALLS))
@pytest.mark.parametrize("spoilt", ["reason", "id", "amount"])
async def test_a_refund_without_what_it_needs_is_refused(desk, flow, spoilt):
    uuid, known_id = await paid_of(desk, flow)
    _, id_name, amount_name, reason_name, _ = CALLS[flow]
    wrong = {"reason": {reason_name: "torn"}, "id": {id_name: "999999999"}, "amount": {amount_name: "12.505"}}
    assert (await ask(desk, flow, known_id, **wrong[spoilt])).status_code in {404, 422}
    assert await refunds_in_ledger(desk, uuid) == []


@pytest.mark.parametrize(("shows", "status"), [("current", "return_pending"), ("earlier", "waiting")])
async def test_the_card_in_the_reply_to_a_refund_may_still_have_its_earlier_status(desk, shows, status):
    await desk.settings(card_refund_status=shows)
    uuid, _ = await paid_of(desk, "card")
    reply = exact(await ask(desk, "card", uuid))
    assert (reply["payin_request"]["uuid"], reply["payin_request"]["status"]) == (uuid, status)
    assert (await desk.seen(uuid))["status"] == "return_pending"


@pytest.mark.parametrize(("unit", "asked"), [("minor", 1250), ("major", "12.50")])
async def test_the_amount_of_a_card_refund_is_read_in_the_unit_of_the_settings(desk, unit, asked):
    await desk.settings(card_reply_unit=unit)
    uuid, _ = await paid_of(desk, "card")
    assert (await ask(desk, "card", uuid, refund_amount=asked)).status_code == 200
    assert await refunds_in_ledger(desk, uuid) == [1250]


async def test_a_disputed_card_is_not_refunded_by_its_merchant(desk):
    uuid, _ = await paid_of(desk, "card")
    await desk.act(uuid, "dispute")
    assert (await ask(desk, "card", uuid)).status_code == 422
    assert await refunds_in_ledger(desk, uuid) == []
