from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from orchestrator.absorb import absorb
from orchestrator.codec import decode, encode
from orchestrator.flows.provider_object import failure, next_action, status_word, text, time_ms, unwrap
from orchestrator.observation import WebhookSeen, decode_observation, encode_observation
from orchestrator.policy import Policy
from tests.unit.core.building import NOW_MS, UUID, created, payin_intent

URL = "https://pay.example/x"
REDIRECT = {"type": "redirect", "purpose": "payment", "url": URL}
BANK = {
    "bank_name": "MUFG",
    "transfer_id": "99",
    "branch_code": "001",
    "branch_name": "Main",
    "account_number": "0123456",
    "account_name": "HC",
    "account_type": "savings",
    "transfer_name": "HC KK",
    "expired_timestamp": "1800000000",
}


def action(pay_code, *, allow_http=False):
    return next_action(pay_code, allow_http=allow_http)


@pytest.mark.parametrize(
    ("pay_code", "expected"),
    [
        ({"3ds_url": URL}, {"type": "redirect", "purpose": "3ds", "url": URL}),
        ({"pay_url": URL}, REDIRECT),
        ({"redirect_url": URL}, REDIRECT),
        ({"payment_url": URL}, REDIRECT),
        (URL, REDIRECT),
        ({"pay_url": "", "payment_url": URL}, REDIRECT),
        ({"qr_string": "000201"}, {"type": "show_qr", "qr_string": "000201"}),
        ({"pay_id": "x@payid.example.com.au"}, {"type": "show_payid", "pay_id": "x@payid.example.com.au"}),
        (BANK, {"type": "show_bank_details"} | BANK),
        (
            {"virtual_account_number": "88", "account_holder_name": "A", "reference_number": "R"},
            {
                "type": "show_bank_details",
                "virtual_account_number": "88",
                "account_holder_name": "A",
                "reference_number": "R",
            },
        ),
        (
            {"bank_information": {"bank_name": "B", "account_number": "1", "swift_code": "S", "description": "D"}},
            {
                "type": "show_bank_details",
                "bank_name": "B",
                "account_number": "1",
                "swift_code": "S",
                "description": "D",
            },
        ),
        ({"voucher": "A-17"}, {"type": "opaque", "pay_code": {"voucher": "A-17"}}),
        ({"checkout_url": URL}, {"type": "opaque", "pay_code": {"checkout_url": URL}}),
        ({"pay_url": "ftp://x", "qr_string": "000201"}, {"type": "show_qr", "qr_string": "000201"}),
    ],
)
def test_t17_each_shape_of_pay_code_becomes_its_action(pay_code, expected):
    assert action(pay_code) == expected


@pytest.mark.parametrize(
    "pay_code",
    [
        None,
        "",
        " ",
        "wait",
        17,
        True,
        [],
        [URL],
        {},
        {"pay_url": None},
        {"pay_url": ""},
        {"pay_url": {"deep": URL}},
        {"message": "Please wait"},
        {"error_code": "issuer_declined", "error_message": "no"},
        {"voucher": ""},
        {"bank_information": {}},
        {"pay_url": "http://pay.example/x"},
        {"pay_url": "javascript:alert(1)"},
        {"checkout_url": "http://pay.example/x"},
        {"checkout_url": "javascript:alert(1)"},
        "http://pay.example/x",
    ],
)
def test_what_is_not_usable_is_no_action(pay_code):
    assert action(pay_code) is None


def test_http_addresses_are_shown_only_where_a_setting_allows_them():
    assert action({"pay_url": "http://localhost/x"}, allow_http=True) == REDIRECT | {"url": "http://localhost/x"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2027-01-15T08:00:00Z", 1_800_000_000_000),
        ("2027-01-15T08:00:00+0000", 1_800_000_000_000),
        ("2027-01-15T08:00:00+00:00", 1_800_000_000_000),
        ("2027-01-15T08:00:00", 1_800_000_000_000),
        ("2027-01-15T08:00:00.567+0000", 1_800_000_000_567),
        ("2027-01-15T18:00:00+10:00", 1_800_000_000_000),
        (" 2027-01-15T08:00:00Z ", 1_800_000_000_000),
        ("", None),
        ("  ", None),
        (None, None),
        ("soon", None),
        (1_800_000_000, None),
        ("0000-00-00T00:00:00Z", None),
    ],
)
def test_d16_times_are_read_in_every_form(written, expected):
    assert time_ms(written) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("PSADT5CE", "PSADT5CE"), (" x ", "x"), (46345, "46345"), ("", None), (True, None), (1.5, None), ({}, None)],
)
def test_d17_ids_are_texts_whatever_they_were(value, expected):
    assert text(value) == expected


def test_d17_a_number_without_end_is_no_id():
    assert text(10**5000) is None


@pytest.mark.parametrize(
    ("value", "word"),
    [("received", "received"), (" RECEIVED", "received"), ("authorized", "authorised"), ("Cancelled", "canceled")],
)
def test_statuses_are_folded(value, word):
    assert status_word(value) == word


def test_t26_the_example_envelope_is_opened_only_where_it_is_all_there_is():
    assert unwrap({"example": {"uuid": "X"}}) == {"uuid": "X"}
    assert unwrap({"example": {"uuid": "X"}, "uuid": "Y"}) == {"example": {"uuid": "X"}, "uuid": "Y"}
    assert unwrap({"example": "x"}) == {"example": "x"}
    for body in (None, [], "x", 1, [{"uuid": "X"}]):
        assert unwrap(body) is None


@pytest.mark.parametrize(
    "pay_code",
    [
        '{"voucher": 1.50}',
        '{"voucher": {"deep": [1.5, 2]}}',
        '{"voucher": "half \\ud800"}',
        '{"error_code": "x\\udfff", "error_message": "\\ud83d"}',
        '{"voucher": NaN}',
        '{"voucher": 1e999}',
        '{"voucher": ' + "9" * 5000 + "}",
        '{"voucher": ' + "[" * 900 + "]" * 900 + "}",
        '{"qr_string": ' + "[" * 50_000,
    ],
    ids=lambda value: value[:30],
)
def test_i9_whatever_a_webhook_carries_can_be_stored(pay_code):
    payment = created(payin_intent())
    body = f'{{"uuid": "{UUID}", "status": "pending", "external_id": "ord-2001", "pay_code": {pay_code}}}'
    stored = encode_observation(WebhookSeen(attempt=1, at_ms=NOW_MS, body=body))
    assert decode_observation(stored) == WebhookSeen(attempt=1, at_ms=NOW_MS, body=body)
    after = absorb(payment, [stored, stored], policy=Policy(), now_ms=NOW_MS)
    assert after.unreadable == 0
    kept = decode(encode(after.payment))
    assert kept == after.payment
    again = absorb(kept, [stored], policy=Policy(), now_ms=NOW_MS).payment
    assert replace(again, history=kept.history) == kept


def test_i7_an_amount_of_the_providers_in_an_opaque_code_keeps_its_digits():
    assert action({"fee": Decimal("1.50")}) == {"type": "opaque", "pay_code": {"fee": "1.50"}}


def test_i8_a_decline_tells_no_card_number_no_address_and_no_token():
    words = "Card 4111 1111 1111 1111 was declined, see https://bank.example/secret with tok_abc123456"
    told = failure({"pay_code": {"error_code": "4111111111111111", "error_message": words}})
    assert told == {
        "code": "[number]",
        "message": "Card [number] was declined, see [address] with tok_[token]",
    }
