from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.errors import RefusedError
from orchestrator.flows.methods import PAYIN_METHODS
from orchestrator.intent import parse_intent
from orchestrator.rules import IntakeRules, check_rules
from tests.unit.core.building import card_intent, payin_intent

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
RULES = IntakeRules(merchants=frozenset({"default"}), flows=frozenset({"card", "payin"}))
# The parameters of the detail page's examples, by method (contract 2).
EXAMPLES: dict[str, tuple[str, dict[str, object]]] = {
    "au_payid_npp_aud": (
        "AUD",
        {
            "first_name": "Test",
            "last_name": "Clever",
            "phone": "+61123456789",
            "country_code": "AU",
            "state_code": "NSW",
            "address": "40 Peel Street",
            "city": "Canley Heights",
            "zip_code": "2166",
            "ip_address": "1.40.183.234",
        },
    ),
    "ph_bank_maya_php": ("PHP", {}),
    "ph_ewallet_gcash_php": ("PHP", {}),
    "ph_bank_php": ("PHP", {"callback_url": "https://x.example", "bank_code": "ubp"}),
    "id_bank_qris_idr": ("IDR", {}),
    "id_ewallet_dana_idr": ("IDR", {"callback_url": "https://x.example"}),
    "vn_other_vietqr_vnd": ("VND", {}),
    "vn_ewallet_momo_vnd": ("VND", {}),
    "my_bank_duitnow_myr": ("MYR", {"account_name": "Hello Clever"}),
    "my_bank_fpx_myr": ("MYR", {"bank_type": "01", "bank_code": "TEST0021", "callback_url": "https://x.example"}),
    "jp_bank_jpy": (
        "JPY",
        {"user_id": "123", "ip_address": "134.168.161.19", "first_name": "チュオン", "last_name": "チュオン"},
    ),
    "usdc_bank": (
        "USDC",
        {"callback_url": "https://x.example", "original_amount": 100, "original_currency": "USD"},
    ),
    "ca_interac_cad": ("CAD", {"callback_url": "https://x.example"}),
    "ng_bank_ngn": ("NGN", {}),
    "sa_eft_zar": ("ZAR", {"bank_code": "0001"}),
    "gh_mobile_money_ghs": ("GHS", {"account_number": "233240000000"}),
    "ke_mobile_money_kes": ("KES", {"account_number": "254700000000"}),
    "cm_mobile_money_xaf": ("XAF", {"account_number": "237600000000"}),
    "ci_mobile_money_xof": ("XOF", {"account_number": "22500000000000"}),
    "br_pix_brl": (
        "BRL",
        {"callback_url": "https://x.example", "document_type": "CPF", "document_number": "12345678901"},
    ),
    "th_qrpay_thb": (
        "THB",
        {
            "callback_url": "https://x.example",
            "payer_account_no": "1",
            "payer_account_name": "A",
            "payer_bank_code": "KBANK",
        },
    ),
}


def method_intent(name: str, **changes):
    currency, params = EXAMPLES[name]
    return payin_intent(currency=currency, method={"payin_method_name": name, "payin_method_params": params | changes})


def refusal_of(message, rules=RULES) -> RefusedError:
    intent = parse_intent(message)
    with pytest.raises(RefusedError) as refused:
        check_rules(intent, rules=rules, now=NOW)
    return refused.value


def test_the_table_of_methods_is_the_one_of_the_detail_page():
    assert {name: row.currency for name, row in PAYIN_METHODS.items()} == {
        name: currency for name, (currency, _) in EXAMPLES.items()
    }


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_the_parameters_of_the_detail_page_are_accepted(name):
    check_rules(parse_intent(method_intent(name)), rules=RULES, now=NOW)


@pytest.mark.parametrize(
    ("name", "param"), [(name, param) for name, (_, params) in EXAMPLES.items() for param in params]
)
def test_d09_each_parameter_of_the_detail_page_is_required(name, param):
    refused = refusal_of(method_intent(name, **{param: None}))
    assert (refused.code, refused.field) == ("missing_field", f"method.payin_method_params.{param}")


@pytest.mark.parametrize(
    ("name", "param", "value"),
    [
        ("sa_eft_zar", "bank_code", 1),
        ("gh_mobile_money_ghs", "account_number", 233240000000),
        ("usdc_bank", "original_amount", "100"),
        ("usdc_bank", "original_amount", True),
        ("jp_bank_jpy", "user_id", 123),
    ],
)
def test_t34_a_parameter_of_the_wrong_type_is_refused_by_its_name(name, param, value):
    refused = refusal_of(method_intent(name, **{param: value}))
    assert (refused.code, refused.field) == ("wrong_type", f"method.payin_method_params.{param}")


def test_d09_the_check_of_parameters_can_be_switched_off_and_extra_ones_pass():
    check_rules(parse_intent(method_intent("sa_eft_zar", extra="x")), rules=RULES, now=NOW)
    lenient = IntakeRules(merchants=RULES.merchants, flows=RULES.flows, check_method_params=False)
    check_rules(parse_intent(method_intent("sa_eft_zar", bank_code=None)), rules=lenient, now=NOW)


@pytest.mark.parametrize(
    ("message", "code", "field"),
    [
        (card_intent(merchant="shop-b"), "unknown_merchant", "merchant"),
        (
            card_intent(method={}, customer={"name": "J", "email": "j@example.com"}),
            "unsupported_flow",
            "method.type",
        ),
        (payin_intent(method={"payin_method_name": "xx_new"}), "unknown_method", "method.payin_method_name"),
        (payin_intent(currency="AUD"), "currency_not_supported", "currency"),
        (card_intent(currency="USDC"), "currency_not_supported", "currency"),
        (
            payin_intent(method={"payin_method_name": "ph_ewallet_gcash_php", "gst": True}),
            "gst_not_allowed",
            "method.gst",
        ),
        (method_intent("id_bank_qris_idr") | {"amount_minor": 10_050}, "amount_not_whole", "amount_minor"),
    ],
)
def test_a_rule_of_the_configuration_refuses_with_code_and_field(message, code, field):
    refused = refusal_of(message)
    assert (refused.code, refused.field) == (code, field)


def test_gst_is_allowed_in_aud():
    message = method_intent("au_payid_npp_aud")
    message["method"]["gst"] = True
    check_rules(parse_intent(message), rules=RULES, now=NOW)


def test_d03_whole_rupiah_are_accepted():
    check_rules(parse_intent(method_intent("id_bank_qris_idr") | {"amount_minor": 10_000}), rules=RULES, now=NOW)


@pytest.mark.parametrize(
    ("intent", "ahead", "is_accepted"),
    [
        (payin_intent, timedelta(minutes=20, milliseconds=1), True),
        (payin_intent, timedelta(minutes=20), False),
        (payin_intent, timedelta(minutes=-1), False),
        (card_intent, timedelta(milliseconds=1), True),
        (card_intent, timedelta(0), False),
        (card_intent, timedelta(days=-1), False),
    ],
)
def test_expires_at_is_twenty_minutes_ahead_for_a_payin_and_in_the_future_for_a_card(intent, ahead, is_accepted):
    message = intent(expires_at=(NOW + ahead).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    if is_accepted:
        check_rules(parse_intent(message), rules=RULES, now=NOW)
    else:
        refused = refusal_of(message)
        assert (refused.code, refused.field) == ("expires_too_soon", "expires_at")
