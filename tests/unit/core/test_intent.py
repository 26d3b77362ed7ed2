from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.errors import RefusedError
from orchestrator.intent import parse_intent
from tests.unit.core.building import card_intent, payin_intent

VISA = "4111 1111 1111 1111"
GATEWAY_CUSTOMER = {
    "first_name": "Jane",
    "last_name": "Doe",
    "phone": "+61412345678",
    "email": "jane@example.com",
    "country_code": "AU",
    "postal_code": "2000",
    "city": "Sydney",
    "address": "1 George St",
}


def without(intent: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in intent.items() if key != name}


def card_method(**changes: Any) -> dict[str, Any]:
    return {"token": "tok_abc", "return_url": "https://shop.example/back"} | changes


def gateway_intent(**changes: Any) -> dict[str, Any]:
    method = {"success_url": "https://shop.example/ok"}
    return card_intent(method=method, customer=GATEWAY_CUSTOMER) | changes


def payid_intent(**changes: Any) -> dict[str, Any]:
    return card_intent(method={}, customer={"name": "Jane", "email": "jane@example.com"}) | changes


BAD = [
    # unknown fields
    (card_intent(ammount_minor=1), "unknown_field", "ammount_minor"),
    (card_intent(customer={"nme": "x"}), "unknown_field", "customer.nme"),
    (card_intent(method=card_method(gst=True)), "unknown_field", "method.gst"),
    (card_intent(method=card_method(payin_method_name="x")), "unknown_field", "method.payin_method_name"),
    (
        gateway_intent(method={"success_url": "https://s.example/", "items": [{"sku": 1}]}),
        "missing_field",
        "method.items.0.id",
    ),
    # missing fields
    (without(card_intent(), "intent_id"), "missing_field", "intent_id"),
    (without(card_intent(), "amount_minor"), "missing_field", "amount_minor"),
    (without(card_intent(), "currency"), "missing_field", "currency"),
    (without(card_intent(), "description"), "missing_field", "description"),
    (without(card_intent(), "method"), "missing_field", "method"),
    (card_intent(intent_id=None), "missing_field", "intent_id"),
    (card_intent(amount_minor=None), "missing_field", "amount_minor"),
    (card_intent(method=None), "missing_field", "method"),
    (card_intent(method={"token": "tok_abc"}), "missing_field", "method.return_url"),
    (payin_intent(amount_minor=None), "missing_field", "amount_minor"),
    # types
    (card_intent(intent_id=1001), "wrong_type", "intent_id"),
    (card_intent(currency=36), "wrong_type", "currency"),
    (card_intent(description=["x"]), "wrong_type", "description"),
    (card_intent(customer="Jane"), "wrong_type", "customer"),
    (card_intent(method="card"), "wrong_type", "method"),
    (card_intent(method=[]), "wrong_type", "method"),
    (card_intent(metadata=[]), "wrong_type", "metadata"),
    (card_intent(metadata={"k": 1}), "wrong_type", "metadata.k"),
    (card_intent(expires_at=1_800_000_000), "wrong_type", "expires_at"),
    (card_intent(send_within_s="60"), "wrong_type", "send_within_s"),
    (card_intent(send_within_s=True), "wrong_type", "send_within_s"),
    (payin_intent(method={"payin_method_name": "x", "gst": "false"}), "wrong_type", "method.gst"),
    (payin_intent(method={"payin_method_name": "x", "gst": 0}), "wrong_type", "method.gst"),
    (
        payin_intent(method={"payin_method_name": "x", "payin_method_params": []}),
        "wrong_type",
        "method.payin_method_params",
    ),
    (
        payin_intent(method={"payin_method_name": "x", "payin_method_params": {"a": {"b": [1.5]}}}),
        "wrong_type",
        "method.payin_method_params.a.b[0]",
    ),
    # amounts
    (card_intent(amount_minor=100.0), "amount_not_integer", "amount_minor"),
    (card_intent(amount_minor=0.5), "amount_not_integer", "amount_minor"),
    (card_intent(amount_minor="100"), "amount_not_integer", "amount_minor"),
    (card_intent(amount_minor=True), "amount_not_integer", "amount_minor"),
    (card_intent(amount_minor=[]), "amount_not_integer", "amount_minor"),
    (card_intent(amount_minor=0), "amount_out_of_range", "amount_minor"),
    (card_intent(amount_minor=-1), "amount_out_of_range", "amount_minor"),
    (card_intent(amount_minor=2**53), "amount_out_of_range", "amount_minor"),
    (card_intent(amount_minor=10**400), "amount_out_of_range", "amount_minor"),
    # values
    (card_intent(currency="AUX"), "unknown_currency", "currency"),
    (card_intent(currency="aud"), "unknown_currency", "currency"),
    (card_intent(currency=""), "unknown_currency", "currency"),
    (card_intent(intent_id=""), "invalid_value", "intent_id"),
    (card_intent(intent_id="a/b"), "invalid_value", "intent_id"),
    (card_intent(intent_id="é"), "invalid_value", "intent_id"),
    (card_intent(intent_id="x" * 65), "invalid_value", "intent_id"),
    (card_intent(merchant="Shop"), "invalid_value", "merchant"),
    (card_intent(merchant="s" * 33), "invalid_value", "merchant"),
    (card_intent(description=""), "invalid_value", "description"),
    (card_intent(description="x" * 256), "invalid_value", "description"),
    (card_intent(send_within_s=0), "invalid_value", "send_within_s"),
    (card_intent(metadata={f"k{n}": "" for n in range(21)}), "invalid_value", "metadata"),
    (card_intent(metadata={"k" * 41: ""}), "invalid_value", f"metadata.{'k' * 41}"),
    (card_intent(metadata={"k": "v" * 501}), "invalid_value", "metadata.k"),
    (card_intent(customer={"email": "jane"}), "invalid_value", "customer.email"),
    (card_intent(customer={"country_code": "Australia"}), "invalid_value", "customer.country_code"),
    (card_intent(method=card_method(token="4242")), "invalid_value", "method.token"),
    (card_intent(method=card_method(return_url="shop.example")), "invalid_value", "method.return_url"),
    (card_intent(method=card_method(return_url="javascript:alert(1)")), "invalid_value", "method.return_url"),
    (card_intent(method=card_method(return_url="https://u:p@x.example/")), "invalid_value", "method.return_url"),
    (card_intent(method=card_method(capture="later")), "invalid_value", "method.capture"),
    (payin_intent(method={"payin_method_name": "PIX!"}), "invalid_value", "method.payin_method_name"),
    # method and flow
    (card_intent(method={"type": "paypal"}), "unknown_method", "method.type"),
    (card_intent(method={"type": 1}), "unknown_method", "method.type"),
    (card_intent(method={}, currency="USD"), "no_flow", "method"),
    (card_intent(method={"gst": True}, currency="JPY"), "no_flow", "method"),
    # card numbers
    (card_intent(description=f"card {VISA}"), "card_number_refused", "description"),
    (card_intent(metadata={"note": VISA}), "card_number_refused", "metadata.note"),
    (card_intent(method=card_method(token="4111111111111111")), "card_number_refused", "method.token"),
    (card_intent(unheard_of=[{"of": VISA}]), "card_number_refused", "unheard_of[0].of"),
    (card_intent(customer={"phone": "4111-1111-1111-1111"}), "card_number_refused", "customer.phone"),
]


@pytest.mark.parametrize(("message", "code", "field"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_input_is_refused_with_its_code_and_its_field(message, code, field):
    with pytest.raises(RefusedError) as refused:
        parse_intent(message)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert field.split("[")[0] in refused.value.message


@pytest.mark.parametrize(
    "moment",
    [
        "tomorrow",
        "",
        "2026-11-21",
        "2026-11-21T02:03:04",
        "2026-11-21T02:03:04+10:00",
        "2026-11-21T02:03:04-00:30",
        "2026-13-21T02:03:04Z",
        "2026-11-21T25:03:04Z",
        "20261121T020304.123456Z",
        "2026-W47-6T02:03:04.000Z",
        "2026-11-21T02:03:04,5Z",
        "2026-11-21T02:03Z",
    ],
)
def test_a_time_that_is_not_rfc_3339_in_utc_is_refused(moment):
    with pytest.raises(RefusedError) as refused:
        parse_intent(card_intent(expires_at=moment))
    assert (refused.value.code, refused.value.field) == ("invalid_value", "expires_at")


@pytest.mark.parametrize("moment", ["2026-11-21T02:03:04Z", "2026-11-21T02:03:04+00:00", "2026-11-21T02:03:04.000Z"])
def test_times_in_utc_are_read(moment):
    assert parse_intent(card_intent(expires_at=moment)).expires_at == datetime(2026, 11, 21, 2, 3, 4, tzinfo=UTC)


def test_null_is_the_same_as_absent():
    nulls = {"merchant": None, "customer": None, "expires_at": None, "send_within_s": None, "metadata": None}
    method = card_method(type=None, capture=None)
    assert parse_intent(card_intent(method=method, **nulls)) == parse_intent(card_intent(method=card_method()))


@pytest.mark.parametrize(
    ("message", "flow"),
    [
        (card_intent(), "card"),
        (payin_intent(), "payin"),
        (gateway_intent(), "gateway_link"),
        (payid_intent(), "payid"),
        (payid_intent(method={"gst": True}), "payid"),
        (card_intent(method=card_method(type="card")), "card"),
        (payid_intent(method={"type": "payid"}), "payid"),
        (payin_intent(currency="AUD", method={"payin_method_name": "au_payid_npp_aud"}), "payin"),
    ],
)
def test_the_first_row_that_matches_selects_the_flow(message, flow):
    assert parse_intent(message).flow == flow


def test_a_named_flow_wins_over_the_fields():
    with pytest.raises(RefusedError) as refused:
        parse_intent(card_intent(method=card_method(type="payin")))
    assert refused.value.field == "method.payin_method_name"


@pytest.mark.parametrize("name", list(GATEWAY_CUSTOMER))
def test_a_gateway_link_needs_each_of_these_of_the_customer(name):
    with pytest.raises(RefusedError) as refused:
        parse_intent(gateway_intent(customer=without(GATEWAY_CUSTOMER, name)))
    assert (refused.value.code, refused.value.field) == ("missing_field", f"customer.{name}")


@pytest.mark.parametrize("name", ["name", "email"])
@pytest.mark.parametrize("intent", [payin_intent, payid_intent])
def test_payin_and_payid_need_name_and_email(intent, name):
    customer = without({"name": "Jane", "email": "jane@example.com"}, name)
    with pytest.raises(RefusedError) as refused:
        parse_intent(intent(customer=customer))
    assert (refused.value.code, refused.value.field) == ("missing_field", f"customer.{name}")


def test_payid_takes_the_emails_of_its_method_instead():
    intent = parse_intent(payid_intent(customer={"name": "Jane"}, method={"emails": ["a@b.com"]}))
    assert intent.flow == "payid"


def test_a_card_needs_nothing_of_the_customer():
    assert parse_intent(card_intent()).customer.full_name is None


@pytest.mark.parametrize(
    ("customer", "name"),
    [
        ({"name": "Maria Cruz", "first_name": "M"}, "Maria Cruz"),
        ({"first_name": "Maria", "last_name": "Cruz"}, "Maria Cruz"),
        ({"first_name": "Maria"}, "Maria"),
        ({"last_name": "Cruz"}, "Cruz"),
    ],
)
def test_the_name_defaults_to_first_and_last(customer, name):
    intent = parse_intent(payin_intent(customer=customer | {"email": "m@example.com"}))
    assert intent.customer.full_name == name


def test_usdc_bank_may_leave_the_amount_out():
    method = {"payin_method_name": "usdc_bank"}
    assert parse_intent(payin_intent(amount_minor=None, currency="USDC", method=method)).amount_minor is None


def test_the_largest_amount_is_accepted():
    assert parse_intent(card_intent(amount_minor=2**53 - 1)).amount_minor == 9007199254740991


@pytest.mark.parametrize(("intent", "seconds"), [(card_intent, 900), (payin_intent, 3600), (payid_intent, 3600)])
def test_how_long_an_intent_may_wait_to_be_sent(intent, seconds):
    assert parse_intent(intent()).send_before_s == seconds
    assert parse_intent(intent(send_within_s=5)).send_before_s == 5


def test_metadata_is_the_users_own():
    metadata = {"Ümlaut key": "", "x" * 40: "v" * 500}
    assert parse_intent(card_intent(metadata=metadata)).metadata == metadata
