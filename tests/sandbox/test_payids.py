from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.builders import NOWHERE, OTHER_APP, OTHER_SECRET, payid_body, without
from tests.sandbox.desk import exact

CREATE = "/api/v1/merchants/create_payment"
STATUS = "/api/v1/payment_requests/status"
REFUND = "/api/v1/payment_requests/refund"
BANK_LIST = "/api/v1/payment_requests/bank_payments"
DAY_S = 24 * 3600


async def made(desk, **changes) -> tuple[int, str]:
    number = (await desk.payid(**changes))["id"]
    return number, await desk.key(number, "payid")


async def test_the_create_reply_has_an_integer_id_strings_for_amounts_and_tax_on_top(desk):
    payid = await desk.payid(gst=True)
    assert isinstance(payid["id"], int)
    assert {key: payid[key] for key in ("amount", "gst_amount", "total", "cashback_amount")} == {
        "amount": "100.0",
        "gst_amount": "10.0",
        "total": "110.0",
        "cashback_amount": "0.0",
    }
    assert {key: payid[key] for key in ("status", "stage", "paid_at", "refund_information", "sender_details")} == {
        "status": "pending",
        "stage": None,
        "paid_at": None,
        "refund_information": None,
        "sender_details": None,
    }
    assert "@" in payid["request_payid"]
    assert payid["nonce"]
    assert not {"uuid", "currency", "paid_amount", "pay_code"} & set(payid)
    assert payid["pay_by"] < payid["expired_at"], "two deadlines, the earlier one is to be shown"


@pytest.mark.parametrize("field", ["name", "gst", "amount", "description", "emails", "payment_request_notification"])
async def test_each_required_field_is_named_when_it_is_missing(desk, field):
    reply = await desk.post(CREATE, without(payid_body(), field))
    assert (reply.status_code, reply.json()["errors"]) == (422, {field: "can't be blank"})
    assert await desk.kinds() == []


@pytest.mark.parametrize("emails", ["customer@example.com", "a@b.com,c@d.com", "...@a.b", "-@a.b"])
async def test_emails_that_fit_the_pages_pattern_pass(desk, emails):
    await desk.payid(emails=emails)


@pytest.mark.parametrize(
    "emails",
    [
        "jane@yahoo.com.au",
        "a@foo-bar.com",
        "a@x1.com",
        "A@b.com",
        "a+b@c.com",
        "o'x@b.com",
        "a@b.com, c@d.com",
        "a@b.com,",
        "a@b.com\n",
        ["a@b.com"],
    ],
)
async def test_emails_that_do_not_fit_wholly_are_refused(desk, emails):
    reply = await desk.post(CREATE, payid_body(emails=emails))
    assert (reply.status_code, reply.json()["errors"]) == (422, {"emails": "is invalid"})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "100"}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 10.005}, "amount"),
        ({"amount": True}, "amount"),
        ({"gst": "maybe"}, "gst"),
        ({"prefix_static_payid": "ab"}, "prefix_static_payid"),
        ({"prefix_static_payid": "Abc"}, "prefix_static_payid"),
        ({"prefix_static_payid": "abc\n"}, "prefix_static_payid"),
        ({"expired_at": "tomorrow"}, "expired_at"),
        ({"expired_at": "2024-12-31T23:59:59Z"}, "expired_at"),
        ({"payment_request_notification": without(NOWHERE, "authorization_header")}, "authorization_header"),
        ({"payment_request_notification": without(NOWHERE, "endpoint_url")}, "endpoint_url"),
    ],
)
async def test_a_wrong_value_is_refused_with_its_field(desk, changes, field):
    reply = await desk.post(CREATE, payid_body(**changes))
    assert (reply.status_code, list(reply.json()["errors"])) == (422, [field])


async def test_a_prefix_is_taken_into_the_payid(desk):
    assert (await desk.payid(prefix_static_payid="shop1"))["request_payid"].startswith("shop1_")


async def test_expiry_must_be_at_least_15_minutes_ahead(desk):
    now = datetime.now(UTC)
    for minutes, status in ((14, 422), (16, 200)):
        moment = (now + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        reply = await desk.post(CREATE, payid_body(expired_at=moment))
        assert reply.status_code == status
    assert reply.json()["expired_at"] == moment


async def test_a_payid_is_read_by_its_id_or_by_the_payid_and_the_id_wins(desk):
    first, second = await desk.payid(), await desk.payid(external_id="order-2")
    assert (await desk.payid_status(id=first["id"])) == first
    assert (await desk.payid_status(payid=second["request_payid"])) == second
    assert (await desk.payid_status(id=first["id"], payid=second["request_payid"]))["id"] == first["id"]


@pytest.mark.parametrize(("query", "status"), [({"id": 1}, 404), ({"payid": "a@b.c"}, 404), ({}, 400)])
async def test_reading_an_unknown_payid_is_not_found(desk, query, status):
    assert (await desk.get(STATUS, **query)).status_code == status


async def test_a_payid_of_another_app_is_not_found(desk):
    payid = await desk.payid()
    other = {"app": OTHER_APP, "secret": OTHER_SECRET}
    assert (await desk.get(STATUS, id=payid["id"], **other)).status_code == 404
    assert (await desk.get(STATUS, payid=payid["request_payid"], **other)).status_code == 404


async def test_the_exact_amount_is_received_and_names_its_sender(desk):
    number, uuid = await made(desk, gst=True)
    await desk.act(uuid, "pay")
    read = await desk.payid_status(id=number)
    assert (read["status"], read["stage"]) == ("received", None)
    assert read["paid_at"].endswith("Z")
    assert set(read["sender_details"]) == {"reference", "description", "bsb", "account_number", "account_name"}
    entries = (await desk.client.get("/_sandbox/ledger", params={"kind": "pay"})).json()["entries"]
    assert [(row["flow"], row["id"], row["uuid"], row["amount"]) for row in entries] == [
        ("payid", number, uuid, "110.0")
    ]


@pytest.mark.parametrize(
    ("action", "body", "stage", "paid"),
    [
        ("overpay", {}, "overpaid", "110.0"),
        ("overpay", {"amount": "100.01"}, "overpaid", "100.01"),
        ("pay", {"amount": 250}, "overpaid", "250.0"),
        ("underpay", {}, "underpaid", "50.0"),
        ("underpay", {"amount": "99.99"}, "underpaid", "99.99"),
        ("pay", {"amount": 1}, "underpaid", "1.0"),
        ("unmatched_nonce", {}, "unmatched_nonce", "100.0"),
    ],
)
async def test_money_that_does_not_fit_leaves_the_payid_pending_with_a_stage(desk, action, body, stage, paid):
    number, uuid = await made(desk)
    assert (await desk.act(uuid, action, **body)).is_success
    read = await desk.payid_status(id=number)
    assert (read["status"], read["stage"], (await desk.seen(uuid))["paid"]) == ("pending", stage, paid)
    assert (await desk.act(uuid, "complete")).is_success
    read = await desk.payid_status(id=number)
    assert (read["status"], read["stage"]) == ("received", None)


async def test_the_rest_may_come_in_several_parts(desk):
    number, uuid = await made(desk)
    for amount in (30, 50):
        await desk.act(uuid, "underpay", amount=amount)
        assert (await desk.payid_status(id=number))["stage"] == "underpaid"
    await desk.act(uuid, "pay")
    assert (await desk.payid_status(id=number))["status"] == "received"
    assert (await desk.seen(uuid))["stage"] is None
    entries = (await desk.client.get("/_sandbox/ledger", params={"kind": "pay"})).json()["entries"]
    assert [row["amount"] for row in entries] == ["30.0", "50.0", "20.0"]


@pytest.mark.parametrize(
    ("actions", "refused", "status"),
    [
        ([], "complete", 409),
        ([], "decline", 409),
        (["overpay"], "pay", 409),
        (["unmatched_nonce"], "unmatched_nonce", 409),
        (["pay"], "unmatched_nonce", 409),
        (["pay"], "complete", 409),
        ([], "capture", 404),
    ],
)
async def test_what_a_payid_cannot_do_is_refused_and_changes_nothing(desk, actions, refused, status):
    number, uuid = await made(desk)
    for action in actions:
        await desk.act(uuid, action)
    before = await desk.payid_status(id=number)
    assert (await desk.act(uuid, refused)).status_code == status
    assert await desk.payid_status(id=number) == before


@pytest.mark.parametrize(("action", "amount"), [("underpay", 100), ("underpay", 101), ("overpay", 100), ("pay", -1)])
async def test_an_amount_that_contradicts_the_action_is_refused(desk, action, amount):
    _, uuid = await made(desk)
    assert (await desk.act(uuid, action, amount=amount)).status_code == 422
    assert (await desk.seen(uuid))["paid"] == "0.0"


async def test_an_expired_payid_shows_no_stage_and_still_takes_late_money(desk):
    number, uuid = await made(desk)
    await desk.act(uuid, "underpay")
    await desk.advance(DAY_S)
    read = await desk.payid_status(id=number)
    assert (read["status"], read["stage"]) == ("expired", None)
    await desk.act(uuid, "pay")
    assert (await desk.payid_status(id=number))["status"] == "received"


async def test_every_change_is_announced_with_the_same_object_as_the_reply(desk, receiver):
    number, uuid = await made(desk, payment_request_notification=receiver.notification)
    for action in ("underpay", "complete", "refund", "finish_refund"):
        await desk.act(uuid, action)
        await desk.advance(0)
    assert [(call.body["status"], call.body["stage"]) for call in receiver.calls] == [
        ("pending", "underpaid"),
        ("received", None),
        ("return_pending", None),
        ("return_received", None),
    ]
    assert {call.authorization for call in receiver.calls} == {receiver.notification["authorization_header"]}
    assert receiver.calls[-1].body == (await desk.get(STATUS, id=number)).json()


async def test_expiry_of_a_payid_is_announced(desk, receiver):
    await made(desk, payment_request_notification=receiver.notification)
    await desk.advance(DAY_S)
    assert receiver.statuses == ["expired"]


async def test_two_partial_refunds_return_everything(desk):
    number, uuid = await made(desk)
    await desk.act(uuid, "pay")
    for amount in (40, 60):
        order = {"payment_request_id": number, "refund_amount": amount, "reason": "came back"}
        reply = exact(await desk.post(REFUND, order))
        assert reply["status"] == "return_pending"
        await desk.act(uuid, "finish_refund")
    read = await desk.payid_status(id=number)
    assert read["status"] == "return_received"
    assert (str(read["refund_information"]["refund_amount"]), read["refund_information"]["reason"]) == (
        "100.0",
        "came back",
    )
    order = {"payment_request_id": number, "reason": "once more"}
    assert (await desk.post(REFUND, order)).status_code == 422, "nothing is left"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"reason": "no"}, 422),
        ({"refund_amount": 101}, 422),
        ({"refund_amount": 0}, 422),
        ({"payment_request_id": None}, 422),
        ({"payment_request_id": "text"}, 422),
        ({"payment_request_id": 1}, 404),
    ],
)
async def test_a_wrong_refund_is_refused(desk, changes, status):
    number, uuid = await made(desk)
    await desk.act(uuid, "pay")
    order = {"payment_request_id": number, "reason": "came back", **changes}
    assert (await desk.post(REFUND, order)).status_code == status
    assert (await desk.payid_status(id=number))["status"] == "received"


async def test_an_unpaid_payid_cannot_be_refunded(desk):
    number, _ = await made(desk)
    order = {"payment_request_id": number, "reason": "came back"}
    assert (await desk.post(REFUND, order)).status_code == 422


async def test_the_bank_list_knows_payids_only_if_switched_on(desk):
    payid = await desk.payid()
    assert (await desk.get(BANK_LIST)).json()["records"] == []
    await desk.settings(bank_list_knows_payids=True)
    assert exact(await desk.get(BANK_LIST))["records"] == [payid]


@pytest.mark.parametrize(("last", "status"), [("2025-12-31T00:00:00", 200), ("2026-03-01T00:00:00", 422)])
async def test_the_bank_list_covers_a_year_at_most(desk, last, status):
    reply = await desk.get(BANK_LIST, from_date="2025-01-01T00:00:00", to_date=last)
    assert reply.status_code == status


async def test_a_repeated_create_makes_a_second_payid_unless_ids_are_unique(desk):
    first, second = await desk.payid(), await desk.payid()
    assert first["id"] != second["id"]
    assert first["request_payid"] != second["request_payid"]
    await desk.settings(unique_external_ids=True)
    assert (await desk.post(CREATE, payid_body())).json()["errors"] == {"external_id": "has already been taken"}
