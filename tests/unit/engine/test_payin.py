from __future__ import annotations

from decimal import Decimal

import pytest

from orchestrator.policy import Policy
from tests.unit.core.building import payin_body, payin_intent
from tests.unit.engine.world import DAY_MS, EMPTY_LIST, HOUR_MS, MINUTE_MS, PAYIN, World, said

YEN = {
    "currency": "JPY",
    "amount_minor": 10000,
    "method": {
        "payin_method_name": "jp_bank_jpy",
        "payin_method_params": {
            "user_id": "123",
            "ip_address": "134.168.161.19",
            "first_name": "チュオン",
            "last_name": "チュオン",
        },
    },
}
BANK = {
    "bank_name": "MUFG",
    "transfer_id": "1",
    "branch_code": "001",
    "branch_name": "Main",
    "account_number": "0123456",
    "account_name": "HC",
    "expired_timestamp": "1800000000",
    "account_type": "savings",
    "transfer_name": "HC",
}


def yen(status: str, **changes):
    paid = 10000 if status not in {"pending", "expired"} else 0
    return payin_body(status, currency="JPY", amount=10000, total=10000, paid_amount=paid, **changes)


async def submitted(intent, reply, policy=None) -> World:
    world = World(policy)
    world.provider.script("create", said(reply))
    world.provider.script("detail", said(reply))
    await world.submit(intent)
    return world


async def test_vector_6_bank_details_that_come_late():
    world = await submitted(payin_intent(**YEN), yen("pending", pay_code=None))
    assert world.story(PAYIN) == ["accepted", "processing/awaiting_pay_code"]
    for _ in range(2):
        await world.hook(yen("pending", pay_code=BANK), key=PAYIN)
        assert world.story(PAYIN)[2:] == ["requires_action"]
    assert world.last(PAYIN)["next_action"] == {"type": "show_bank_details"} | BANK
    await world.hook(yen("pending", pay_code=None), key=PAYIN)
    assert world.story(PAYIN)[2:] == ["requires_action"]
    assert world.last(PAYIN)["next_action"] == {"type": "show_bank_details"} | BANK
    world.provider.script("detail", said(yen("received")))
    await world.hook(yen("received"), key=PAYIN)
    assert world.story(PAYIN)[3:] == ["processing/confirming", "succeeded"]
    await world.assert_consistent(PAYIN)


async def test_t16_without_webhooks_the_pay_code_is_found_by_polling():
    world = await submitted(payin_intent(**YEN), yen("pending", pay_code=None))
    world.provider.script("detail", said(yen("pending", pay_code=BANK)))
    await world.pass_time(2 * MINUTE_MS)
    assert world.story(PAYIN)[2:] == ["requires_action"]
    assert world.last(PAYIN)["observed_by"] == "poll"


async def test_vector_7_canadas_strings_come_in_and_go_out_as_number_and_boolean():
    intent = payin_intent(
        currency="CAD",
        amount_minor=10000,
        method={"payin_method_name": "ca_interac_cad", "payin_method_params": {"callback_url": "https://x.example"}},
    )
    reply = payin_body(
        "pending",
        currency="CAD",
        amount="100",
        total="100.0",
        paid_amount="0",
        gst="false",
        is_refundable="false",
        pay_code={"pay_url": "https://pay.example/x"},
    )
    world = await submitted(intent, reply)
    sent = world.provider.requests[0][1].body
    assert sent is not None
    assert (sent["amount"], type(sent["amount"]), sent["gst"]) == (100, int, False)
    assert world.story(PAYIN) == ["accepted", "requires_action"]
    assert (world.last(PAYIN)["total_minor"], world.last(PAYIN)["review"]) == (10000, [])


PARAMS: list[dict[str, object]] = [
    {"currency": "AUD", "amount": 500, "payin_method_name": "au_payid_npp_aud", "gst": False},
    *(
        {"currency": currency, "amount": amount, "payin_method_name": name, "gst": gst}
        for name, currency, amount, gst in [
            ("ph_bank_maya_php", "PHP", 500, False),
            ("ph_ewallet_gcash_php", "PHP", 500, False),
            ("ph_bank_php", "PHP", 500, False),
            ("id_bank_qris_idr", "IDR", 100000, False),
            ("id_ewallet_dana_idr", "IDR", 100, False),
            ("vn_other_vietqr_vnd", "VND", 1000000, False),
            ("vn_ewallet_momo_vnd", "VND", 1000000, False),
            ("my_bank_duitnow_myr", "MYR", 10000, False),
            ("my_bank_fpx_myr", "MYR", 10000, False),
            ("jp_bank_jpy", "JPY", 10000, False),
            ("usdc_bank", "USDC", 500, False),
            ("ca_interac_cad", "CAD", "100", "false"),
            ("ng_bank_ngn", "NGN", 1000, "false"),
            ("sa_eft_zar", "ZAR", 1000, "false"),
            ("gh_mobile_money_ghs", "GHS", 500, False),
            ("ke_mobile_money_kes", "KES", 500, False),
            ("cm_mobile_money_xaf", "XAF", 500, False),
            ("ci_mobile_money_xof", "XOF", 500, False),
            ("br_pix_brl", "BRL", 500, False),
            ("th_qrpay_thb", "THB", 500, False),
        ]
    ),
]


@pytest.mark.parametrize("example", PARAMS, ids=lambda example: example["payin_method_name"])
async def test_vector_8_the_detail_pages_examples_move_nothing(example):
    world = await submitted(payin_intent(), payin_body("pending", pay_code={"qr_string": "0002"}))
    request_shaped = example | {
        "name": "Hello Clever",
        "email": "test@helloclever.co",
        "payin_method_params": {},
        "description": "Test Payin",
        "webhook_notification": {"endpoint_url": "https://yourserver.co/notifications", "authorization_header": "****"},
        "expired_at": None,
    }
    world.provider.script("detail", said(request_shaped))
    await world.pass_time(HOUR_MS)
    await world.hook(request_shaped, key=PAYIN)
    assert world.provider.calls["detail"] > 2
    assert world.story(PAYIN) == ["accepted", "requires_action"]


@pytest.mark.parametrize(
    ("paid", "story", "review"),
    [(110, "succeeded", []), (100, "processing/amount_review", ["underpaid"]), (111, "succeeded", ["overpaid"])],
)
async def test_vector_10_gst_makes_a_hundred_a_hundred_and_ten(paid, story, review):
    params = dict.fromkeys(
        ["first_name", "last_name", "phone", "country_code", "state_code", "address", "city", "zip_code", "ip_address"],
        "x",
    )
    method = {"payin_method_name": "au_payid_npp_aud", "payin_method_params": params, "gst": True}
    amounts = {"currency": "AUD", "gst": True, "amount": "100.0", "gst_amount": "10.0", "total": "110.0"}
    world = await submitted(
        payin_intent(currency="AUD", amount_minor=10000, method=method),
        payin_body("pending", **amounts, paid_amount="0.0", pay_code={"payment_url": "https://pay.example/x"}),
    )
    assert (world.last(PAYIN)["amount_minor"], world.last(PAYIN)["total_minor"]) == (10000, 11000)
    world.provider.script("detail", said(payin_body("received", **amounts, paid_amount=Decimal(paid))))
    await world.pass_time(2 * MINUTE_MS)
    assert world.story(PAYIN)[-1] == story
    assert world.last(PAYIN)["review"] == review


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("refunded", ("refunded", [])),
        ("canceled", ("canceled", [])),
        ("CANCELLED", ("canceled", [])),
        ("mystery", ("requires_action", ["unknown_status"])),
    ],
)
async def test_vector_13_other_vocabularies(word, expected):
    world = await submitted(payin_intent(), payin_body("pending", pay_code={"qr_string": "0002"}))
    await world.hook(payin_body(word), key=PAYIN)
    status, review = expected
    assert world.last(PAYIN)["status"] == status
    assert set(review) <= set(world.last(PAYIN)["review"])


async def test_vector_14_a_million_dong_is_sent_as_a_million():
    method = {"payin_method_name": "vn_other_vietqr_vnd", "payin_method_params": {}}
    world = await submitted(
        payin_intent(currency="VND", amount_minor=1_000_000, method=method),
        payin_body("pending", currency="VND", amount="1000000.0", total="1000000.0", pay_code={"qr_string": "0"}),
    )
    sent = world.provider.requests[0][1].body
    assert sent is not None
    assert (type(sent["amount"]), str(sent["amount"])) == (int, "1000000")
    assert (world.last(PAYIN)["status"], world.last(PAYIN)["total_minor"]) == ("requires_action", 1_000_000)


@pytest.mark.parametrize(("stage", "kind"), [("authorize_otp", "otp"), ("authorize_stk", "stk_push")])
async def test_t18_a_stage_is_an_action_and_stays_while_it_is_absent(stage, kind):
    world = await submitted(payin_intent(), payin_body("pending", stage=stage))
    await world.hook(payin_body("pending"), key=PAYIN)
    assert world.story(PAYIN) == ["accepted", "requires_action"]
    assert world.last(PAYIN)["next_action"] == {"type": kind}


async def test_an_outage_longer_than_it_may_wait_expires_it_unsent():
    world = World()
    await world.gate.pause("default", for_ms=3 * HOUR_MS, reason="outage")
    await world.submit(payin_intent(send_within_s=600))
    await world.pass_time(4 * HOUR_MS)
    assert world.story(PAYIN) == ["accepted", "expired/not_sent"]
    assert world.provider.requests == []
    assert world.store.due(PAYIN) is None
    assert world.events(PAYIN)[-1]["data"]["observed_by"] == "clock"


async def test_t30_a_deadline_that_comes_too_near_while_waiting_is_not_sent():
    world = World()
    await world.gate.pause("default", for_ms=10 * MINUTE_MS, reason="outage")
    await world.submit(payin_intent(expires_at="2027-01-15T08:21:00Z"))
    await world.pass_time(HOUR_MS)
    assert world.story(PAYIN) == ["accepted", "expired/not_sent"]
    assert world.last(PAYIN)["expires_at"] == "2027-01-15T08:21:00.000Z"
    assert world.provider.requests == []


async def test_a_payin_that_nobody_pays_is_seen_to_expire():
    world = await submitted(
        payin_intent(expires_at="2027-01-15T09:00:00Z"), payin_body("pending", pay_code={"qr_string": "0"})
    )
    await world.pass_time(30 * MINUTE_MS)
    world.provider.script("detail", said(payin_body("expired")))
    await world.pass_time(31 * MINUTE_MS)
    assert world.story(PAYIN) == ["accepted", "requires_action", "expired/provider"]
    await world.pass_time(4 * DAY_MS)
    assert world.store.due(PAYIN) is None
    assert world.story(PAYIN)[3:] == []


async def test_vector_16_a_503_on_a_read_is_tried_again_and_changes_nothing():
    world = await submitted(payin_intent(), payin_body("pending", pay_code={"qr_string": "0"}))
    world.provider.script("detail", said({"errors": {}}, 503), said(payin_body("received")))
    await world.pass_time(HOUR_MS)
    assert world.story(PAYIN) == ["accepted", "requires_action", "succeeded"]


async def test_i6_a_payment_that_stays_pending_is_looked_at_on_schedule():
    world = await submitted(payin_intent(), payin_body("pending", pay_code={"qr_string": "0"}))
    await world.pass_time(DAY_MS)
    assert 24 <= world.provider.calls["detail"] <= 30
    assert world.story(PAYIN) == ["accepted", "requires_action"]


async def test_the_list_is_not_asked_for_a_payment_that_is_known():
    world = await submitted(payin_intent(), payin_body("pending", pay_code={"qr_string": "0"}), Policy())
    world.provider.script("list", EMPTY_LIST)
    await world.pass_time(DAY_MS)
    assert world.provider.calls["list"] == 0
