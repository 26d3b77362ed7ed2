from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.methods import METHODS
from tests.sandbox.builders import payin_body, without
from tests.sandbox.desk import exact

KEYS_BY_KIND = {
    "redirect": {"pay_url"},
    "qr": {"qr_string"},
    "bank": {"bank_name", "account_number", "account_name", "reference_number"},
    "phone": {"message"},
}


async def test_the_create_reply_has_the_documented_fields_and_numbers_with_a_tail(desk):
    payin = await desk.payin(gst=True)
    assert payin["status"] == "pending"
    assert payin["stage"] == "normal_stage"
    assert [str(payin[key]) for key in ("amount", "gst_amount", "total", "paid_amount")] == [
        "500.0",
        "50.0",
        "550.0",
        "0.0",
    ]
    assert len(payin["uuid"]) == 8
    assert payin["uuid"].isalnum()
    assert payin["expired_at"].endswith("+0000")
    assert payin["webhook_notification"] is None


@pytest.mark.parametrize("method", METHODS)
async def test_each_method_is_accepted_and_shows_how_to_pay(desk, method):
    payin = await desk.payin(method)
    expected = KEYS_BY_KIND.get(METHODS[method].pays_by)
    assert (None if METHODS[method].late else expected) == (payin["pay_code"] and set(payin["pay_code"]))


def test_the_table_holds_the_21_methods_of_the_page():
    assert len(METHODS) == 21


async def test_detail_has_no_stage_and_calls_the_url_redirect_url(desk):
    payin = await desk.payin()
    detail = await desk.detail(payin["uuid"])
    assert "stage" not in detail
    assert detail["pay_code"] == {"redirect_url": payin["pay_code"]["pay_url"]}
    assert detail["expired_at"].endswith("Z")
    assert detail["total"] == payin["total"]


@pytest.mark.parametrize("status", [404, 400, 422])
async def test_an_unknown_uuid_is_answered_as_configured(desk, status):
    await desk.settings(not_found_status=status)
    reply = await desk.get("/api/v2/payins/detail", uuid="NOSUCHID")
    assert reply.status_code == status
    assert "message" in reply.json()["errors"]


async def test_detail_without_uuid_is_a_bare_bad_request(desk):
    reply = await desk.get("/api/v2/payins/detail")
    assert (reply.status_code, reply.content) == (400, b"")


async def test_detail_knows_cards_only_if_switched_on(desk):
    card = await desk.card()
    assert (await desk.get("/api/v2/payins/detail", uuid=card["uuid"])).status_code == 404
    await desk.settings(detail_knows_cards=True)
    assert (await desk.detail(card["uuid"]))["status"] == "pending"


@pytest.mark.parametrize(
    "field",
    ["currency", "gst", "amount", "name", "email", "description", "payin_method_name", "payin_method_params"],
)
async def test_each_required_field_is_named_when_it_is_missing(desk, field):
    reply = await desk.post("/api/v2/payins", without(payin_body(), field))
    assert (reply.status_code, reply.json()["errors"].get(field)) == (422, "can't be blank")
    assert await desk.kinds() == []


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.params != ((),)])
async def test_each_method_names_the_parameters_it_lacks(desk, method):
    reply = await desk.post("/api/v2/payins", payin_body(method, payin_method_params={}))
    fewest = min(METHODS[method].params, key=len)
    assert (reply.status_code, set(reply.json()["errors"])) == (422, set(fewest))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"amount": "ten"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": 10.005}, "amount"),
        ({"amount": "1e99999999"}, "amount"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "AUD"}, "currency"),
        ({"payin_method_name": "carrier_pigeon"}, "payin_method_name"),
        ({"payin_method_params": []}, "payin_method_params"),
        ({"gst": "maybe"}, "gst"),
        ({"gst": []}, "gst"),
        ({"webhook_notification": {"endpoint_url": "https://a.b"}}, "authorization_header"),
        ({"webhook_notification": {"authorization_header": "x"}}, "endpoint_url"),
        (
            {"webhook_notification": {"endpoint_url": "ftp://a.b", "authorization_header": "x"}},
            "endpoint_url",
        ),
        ({"webhook_notification": "https://a.b"}, "webhook_notification"),
        ({"expired_at": "tomorrow"}, "expired_at"),
        ({"expired_at": "2021-12-23T06:00:00.000+0000"}, "expired_at"),
    ],
)
async def test_a_wrong_value_is_refused_with_its_field(desk, changes, field):
    reply = await desk.post("/api/v2/payins", payin_body(**changes))
    assert (reply.status_code, list(reply.json()["errors"])) == (422, [field])


@pytest.mark.parametrize("method", ["vn_other_vietqr_vnd", "jp_bank_jpy", "id_bank_qris_idr", "cm_mobile_money_xaf"])
async def test_whole_unit_currencies_refuse_fractions(desk, method):
    reply = await desk.post("/api/v2/payins", payin_body(method, amount=10.5))
    assert list(reply.json()["errors"]) == ["amount"]


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b"", b'{"amount": NaN}', b"\xff", b"[" * 100_000])
async def test_what_is_no_json_object_is_a_bare_bad_request(desk, content):
    headers = {"app-id": "app-one", "secret-key": "secret-one"}
    reply = await desk.client.post("/api/v2/payins", content=content, headers=headers)
    assert (reply.status_code, reply.content) == (400, b"")


async def test_strings_for_amount_and_gst_pass_as_in_the_page_for_interac(desk):
    payin = await desk.payin("ca_interac_cad", amount="100", gst="false", expired_at=None)
    assert (payin["gst"], payin["total"]) == (False, Decimal("100.0"))


async def test_usdc_without_an_amount_is_quoted_from_the_original_amount(desk):
    payin = await desk.payin("usdc_bank", amount=None)
    assert payin["total"] == Decimal("100.0")


async def test_payid_needs_either_the_payer_or_a_callback_url(desk):
    payin = await desk.payin("au_payid_npp_aud", payin_method_params={"callback_url": "https://shop.example"})
    assert payin["status"] == "pending"


async def test_expiry_must_be_more_than_15_minutes_ahead(desk):
    now = datetime.now(UTC)
    for minutes, status in ((14, 422), (17, 201)):
        moment = (now + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S")
        assert (await desk.post("/api/v2/payins", payin_body(expired_at=moment))).status_code == status


async def test_a_payin_expires_when_its_time_is_over_on_the_sandbox_clock(desk):
    moment = (datetime.now(UTC) + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%S")
    payin = await desk.payin(expired_at=moment)
    await desk.advance(29 * 60)
    assert (await desk.detail(payin["uuid"]))["status"] == "pending"
    await desk.advance(2 * 60)
    assert (await desk.detail(payin["uuid"]))["status"] == "expired"


@pytest.mark.parametrize(
    ("method", "keys"),
    [
        (
            "jp_bank_jpy",
            {
                "bank_name",
                "transfer_id",
                "branch_code",
                "branch_name",
                "account_number",
                "account_name",
                "expired_timestamp",
                "account_type",
                "transfer_name",
            },
        ),
        ("au_payid_npp_aud", {"payment_url"}),
    ],
)
async def test_a_late_pay_code_comes_by_webhook_while_pending(desk, receiver, method, keys):
    payin = await desk.payin(method, webhook_notification=receiver.notification)
    assert payin["pay_code"] is None
    await desk.advance(60)
    assert (receiver.statuses, set(receiver.calls[0].body["pay_code"])) == (["pending"], keys)
    assert set((await desk.detail(payin["uuid"]))["pay_code"]) == keys


@pytest.mark.parametrize("settled_at_once", [True, False])
async def test_a_paid_payin_is_received_at_once_or_waits(desk, settled_at_once):
    await desk.settings(payin_settle_s=0 if settled_at_once else 3600)
    payin = await desk.payin()
    await desk.act(payin["uuid"], "pay")
    detail = await desk.detail(payin["uuid"])
    assert (detail["status"], detail["paid_amount"]) == (
        "received" if settled_at_once else "waiting",
        detail["total"],
    )
    await desk.advance(3600)
    assert (await desk.detail(payin["uuid"]))["status"] == "received"


async def test_an_underpaid_payin_tells_what_was_paid(desk):
    payin = await desk.payin()
    await desk.act(payin["uuid"], "pay", amount="499.50")
    assert str((await desk.detail(payin["uuid"]))["paid_amount"]) == "499.5"


async def test_late_money_is_received_after_expiry(desk):
    payin = await desk.payin()
    await desk.act(payin["uuid"], "expire")
    await desk.act(payin["uuid"], "pay")
    assert (await desk.detail(payin["uuid"]))["status"] == "received"


@pytest.mark.parametrize(("wanted", "status"), [("completed", "received"), ("failed", "failed")])
async def test_the_simulator_ends_a_pending_payin_once(desk, wanted, status):
    payin = await desk.payin()
    order = {"uuid": payin["uuid"], "status": wanted}
    assert (await desk.post("/api/v2/payins/simulate", order)).json() == {"status": "ok"}
    assert (await desk.detail(payin["uuid"]))["status"] == status
    assert (await desk.post("/api/v2/payins/simulate", order)).status_code == 422


@pytest.mark.parametrize("changes", [{"status": "paid"}, {"status": "completed", "amount": -1}])
async def test_the_simulator_refuses_what_it_does_not_know(desk, changes):
    payin = await desk.payin()
    reply = await desk.post("/api/v2/payins/simulate", {"uuid": payin["uuid"], **changes})
    assert reply.status_code == 422
    assert (await desk.detail(payin["uuid"]))["status"] == "pending"


async def test_mobile_money_needs_its_code_before_it_can_be_paid(desk):
    payin = await desk.payin("gh_mobile_money_ghs")
    uuid = payin["uuid"]
    assert payin["stage"] == "authorize_otp"
    assert (await desk.act(uuid, "pay")).status_code == 409
    wrong = await desk.post("/api/v2/payins/confirm_otp", {"uuid": uuid, "code": "000000"})
    assert (wrong.status_code, wrong.json()["errors"]["message"]) == (422, "Invalid OTP.")
    right = {"uuid": uuid, "code": "482913"}
    assert (await desk.post("/api/v2/payins/confirm_otp", right)).json() == {"status": "Ok"}
    assert (await desk.post("/api/v2/payins/confirm_otp", right)).status_code == 422
    assert (await desk.seen(uuid))["stage"] == "authorize_stk"
    assert (await desk.act(uuid, "pay")).json()["status"] == "received"


async def test_a_refund_ends_in_return_received_even_if_partial(desk):
    payin = await desk.payin()
    await desk.act(payin["uuid"], "pay")
    order = {"uuid": payin["uuid"], "amount": 100, "description": "one item came back"}
    reply = exact(await desk.post("/api/v2/payins/refund", order))
    assert (reply["status"], "expried_at" in reply, "payin_notification" in reply) == (
        "return_pending",
        True,
        True,
    )
    await desk.advance(24 * 3600)
    assert (await desk.detail(payin["uuid"]))["status"] == "return_received"
    assert (await desk.seen(payin["uuid"]))["refunded"] == "100.0"


@pytest.mark.parametrize(
    "changes",
    [{"description": "no"}, {"description": ""}, {"amount": 501}, {"amount": "much"}, {"uuid": "NOSUCHID"}],
)
async def test_a_wrong_refund_is_refused(desk, changes):
    payin = await desk.payin()
    await desk.act(payin["uuid"], "pay")
    order = {"uuid": payin["uuid"], "description": "one item came back", **changes}
    assert (await desk.post("/api/v2/payins/refund", order)).status_code in {404, 422}
    assert (await desk.detail(payin["uuid"]))["status"] == "received"


async def test_an_unpaid_payin_cannot_be_refunded(desk):
    payin = await desk.payin()
    order = {"uuid": payin["uuid"], "description": "one item came back"}
    assert (await desk.post("/api/v2/payins/refund", order)).status_code == 422


@pytest.mark.parametrize("method", METHODS)
async def test_required_fields_can_be_asked_for_every_method(desk, method):
    reply = await desk.get("/api/v2/payins/payin_method/params", payin_method_name=method)
    record = reply.json()["record"]
    assert set(record["payin_method_params"]) == set(METHODS[method].params[-1])
    assert (record["payin_method_name"], record["currency"]) == (method, METHODS[method].currency)
    assert {"is_cancellable", "require_kyc", "payment_type", "symbol", "logo"} <= set(record)


async def test_the_required_fields_of_payid_contradict_its_example_as_the_pages_do(desk):
    reply = await desk.get("/api/v2/payins/payin_method/params", payin_method_name="au_payid_npp_aud")
    record = reply.json()["record"]
    assert record["payin_method_params"] == {"callback_url": "string:Mandatory"}
    shown = {key: record[key] for key in ("require_contact", "min_amount", "max_amount", "is_refundable")}
    assert shown == {"require_contact": True, "min_amount": 20, "max_amount": 10000, "is_refundable": False}


async def test_required_fields_of_an_unknown_method_are_refused(desk):
    assert (await desk.get("/api/v2/payins/payin_method/params", payin_method_name="x")).status_code == 422


@pytest.mark.parametrize(
    ("action", "body", "paid"),
    [
        ("underpay", {}, "250.0"),
        ("underpay", {"amount": "0.01"}, "0.01"),
        ("overpay", {}, "550.0"),
        ("overpay", {"amount": 1000}, "1000.0"),
    ],
)
async def test_a_short_or_over_payment_is_received_with_what_was_paid(desk, receiver, action, body, paid):
    payin = await desk.payin(webhook_notification=receiver.notification)
    assert (await desk.act(payin["uuid"], action, **body)).is_success
    await desk.advance(0)
    assert receiver.statuses == ["received"]
    detail = await desk.detail(payin["uuid"])
    assert (str(detail["paid_amount"]), str(detail["total"])) == (paid, "500.0")


async def test_the_rest_of_a_short_payment_may_come_and_is_announced_again(desk, receiver):
    payin = await desk.payin(webhook_notification=receiver.notification)
    await desk.act(payin["uuid"], "underpay", amount=200)
    await desk.advance(0)
    assert (await desk.act(payin["uuid"], "complete")).is_success
    await desk.advance(0)
    assert [(call.body["status"], call.body["paid_amount"]) for call in receiver.calls] == [
        ("received", 200.0),
        ("received", 500.0),
    ]
    assert (await desk.act(payin["uuid"], "complete")).status_code == 409
    entries = (await desk.client.get("/_sandbox/ledger", params={"kind": "pay"})).json()["entries"]
    assert [row["amount"] for row in entries] == ["200.0", "300.0"]


@pytest.mark.parametrize("action", ["underpay", "overpay"])
async def test_late_money_may_be_the_wrong_amount_too(desk, action):
    payin = await desk.payin()
    await desk.advance(24 * 3600)
    assert (await desk.detail(payin["uuid"]))["status"] == "expired"
    await desk.act(payin["uuid"], action)
    detail = await desk.detail(payin["uuid"])
    assert detail["status"] == "received"
    assert detail["paid_amount"] != detail["total"]


async def test_a_repeated_create_makes_a_second_payment_unless_ids_are_unique(desk):
    await desk.payin()
    await desk.payin()
    assert await desk.kinds(external_id="order-1") == ["create", "create"]
    await desk.settings(unique_external_ids=True)
    reply = await desk.post("/api/v2/payins", payin_body())
    assert (reply.status_code, reply.json()["errors"]) == (422, {"external_id": "has already been taken"})
    assert await desk.kinds(external_id="order-1") == ["create", "create"]


async def test_amounts_can_be_switched_to_strings(desk):
    await desk.settings(payin_amounts="string")
    assert (await desk.payin())["amount"] == "500.0"
