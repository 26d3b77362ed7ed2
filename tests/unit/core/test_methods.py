"""Each of the 21 methods of the detail page by its name: what is asked for, what is shown (contract 2)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from config.settings import load_settings
from orchestrator.adapters.provider_json import write_json
from orchestrator.errors import RefusedError
from orchestrator.flows import FLOWS
from orchestrator.flows.methods import PAYIN_METHODS, PayinMethod
from orchestrator.intent import parse_intent
from orchestrator.money import EXPONENTS
from orchestrator.payment import public_view
from orchestrator.rules import IntakeRules, check_rules
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Status
from tests.unit.core.building import NOW_MS, accepted, create_request_of, created, payin_body, payin_intent, seen
from tests.unit.core.test_rules import EXAMPLES
from workers.bootstrap import rules_of

NOW = datetime.fromtimestamp(NOW_MS / 1000, tz=UTC)
# Method -> the page's amount in major units, the currency's exponent, the amount as it is written on the wire.
AMOUNTS: dict[str, tuple[int, int, str]] = {
    "au_payid_npp_aud": (500, 2, "500"),
    "ph_bank_maya_php": (500, 2, "500"),
    "ph_ewallet_gcash_php": (500, 2, "500"),
    "ph_bank_php": (500, 2, "500"),
    "id_bank_qris_idr": (100_000, 2, "100000"),
    "id_ewallet_dana_idr": (100, 2, "100"),
    "vn_other_vietqr_vnd": (1_000_000, 0, "1000000"),
    "vn_ewallet_momo_vnd": (1_000_000, 0, "1000000"),
    "my_bank_duitnow_myr": (10_000, 2, "10000"),
    "my_bank_fpx_myr": (10_000, 2, "10000"),
    "jp_bank_jpy": (10_000, 0, "10000"),
    "usdc_bank": (500, 6, "500"),
    "ca_interac_cad": (100, 2, "100"),
    "ng_bank_ngn": (1_000, 2, "1000"),
    "sa_eft_zar": (1_000, 2, "1000"),
    "gh_mobile_money_ghs": (500, 2, "500"),
    "ke_mobile_money_kes": (500, 2, "500"),
    "cm_mobile_money_xaf": (500, 0, "500"),
    "ci_mobile_money_xof": (500, 0, "500"),
    "br_pix_brl": (500, 2, "500"),
    "th_qrpay_thb": (500, 2, "500"),
}
LATE = {"jp_bank_jpy", "au_payid_npp_aud"}
MOBILE = {"gh_mobile_money_ghs", "ke_mobile_money_kes", "cm_mobile_money_xaf", "ci_mobile_money_xof"}


def intent_of(name: str, **changes):
    """The intent of the page's example."""
    currency, params = EXAMPLES[name]
    major, exponent, _ = AMOUNTS[name]
    method = {"payin_method_name": name, "payin_method_params": params}
    return payin_intent(currency=currency, amount_minor=major * 10**exponent, method=method) | changes


def rules(**changes) -> IntakeRules:
    return IntakeRules(merchants=frozenset({"default"}), flows=frozenset(FLOWS), **changes)


def body_of(intent) -> dict[str, object]:
    body = create_request_of(accepted(intent)).body
    assert body is not None
    return dict(body)


def test_the_page_has_twenty_one_methods():
    assert set(AMOUNTS) == set(PAYIN_METHODS)
    assert len(AMOUNTS) == 21


@pytest.mark.parametrize("name", AMOUNTS)
def test_each_method_is_asked_for_as_the_page_writes_it(name):
    intent = intent_of(name)
    check_rules(parse_intent(intent), rules=rules(), now=NOW)
    body = body_of(intent)
    currency, params = EXAMPLES[name]
    assert body == {
        "currency": currency,
        "gst": False,
        "amount": AMOUNTS[name][0],
        "name": "Maria Cruz",
        "email": "maria@example.com",
        "external_id": "ord-2001",
        "description": "Order 2001",
        "payin_method_name": name,
        "payin_method_params": params,
        "webhook_notification": {"endpoint_url": "https://hooks.example/w/1", "authorization_header": "po1.k.s"},
    }


@pytest.mark.parametrize("name", AMOUNTS)
def test_t08_vector_14_each_methods_amount_and_gst_are_a_number_and_a_boolean_on_the_wire(name):
    written = write_json(body_of(intent_of(name))).decode()
    assert written.endswith(f'"amount":{AMOUNTS[name][2]}}}')
    assert '"gst":false' in written
    assert EXPONENTS[EXAMPLES[name][0]] == AMOUNTS[name][1]


@pytest.mark.parametrize("name", AMOUNTS)
def test_t34_each_methods_parameters_arrive_as_they_were_given(name):
    written = json.loads(write_json(body_of(intent_of(name))))
    assert written["payin_method_params"] == EXAMPLES[name][1]
    for param, value in written["payin_method_params"].items():
        assert isinstance(value, int if param == "original_amount" else str)


@pytest.mark.parametrize("name", AMOUNTS)
def test_t36_each_method_has_its_currency_from_the_table_and_takes_no_other(name):
    other = "PHP" if EXAMPLES[name][0] != "PHP" else "THB"
    with pytest.raises(RefusedError) as refused:
        check_rules(parse_intent(intent_of(name, currency=other, amount_minor=10000)), rules=rules(), now=NOW)
    assert (refused.value.code, refused.value.field) == ("currency_not_supported", "currency")


@pytest.mark.parametrize("name", AMOUNTS)
def test_t16_only_two_methods_get_their_pay_code_late(name):
    assert PAYIN_METHODS[name].pay_code_is_late == (name in LATE)
    payment = seen(created(intent_of(name)), reply_of(name, "pending", pay_code=None), Source.REPLY, operation="create")
    assert (payment.status, payment.reason) == (Status.PROCESSING, Reason.AWAITING_PAY_CODE)


@pytest.mark.parametrize("name", AMOUNTS)
def test_each_method_goes_from_its_action_to_its_success(name):
    payment = created(intent_of(name))
    action = {"stage": "authorize_otp"} if name in MOBILE else {"pay_code": {"pay_url": "https://pay.example/x"}}
    payment = seen(payment, reply_of(name, "pending", **action), Source.REPLY, operation="create")
    view = public_view(payment)
    assert view.status is Status.REQUIRES_ACTION
    assert view.next_action is not None
    assert view.next_action["type"] == ("otp" if name in MOBILE else "redirect")
    view = public_view(seen(payment, reply_of(name, "received"), Source.READ))
    minor = AMOUNTS[name][0] * 10 ** AMOUNTS[name][1]
    assert (view.status, view.paid_minor, view.total_minor, view.review) == (Status.SUCCEEDED, minor, minor, ())


def reply_of(name: str, status: str, **changes):
    """The provider's payin in this method's currency, its amounts as strings with a tail."""
    amount = f"{AMOUNTS[name][0]}.0"
    paid = amount if status == "received" else "0.0"
    return payin_body(status, currency=EXAMPLES[name][0], amount=amount, total=amount, paid_amount=paid, **changes)


@pytest.mark.parametrize("name", AMOUNTS)
def test_t35_only_usdc_may_leave_its_amount_out(name):
    if name == "usdc_bank":
        assert "amount" not in body_of(intent_of(name, amount_minor=None))
        return
    with pytest.raises(RefusedError) as refused:
        parse_intent(intent_of(name, amount_minor=None))
    assert (refused.value.code, refused.value.field) == ("missing_field", "amount_minor")


def test_t35_usdc_keeps_its_six_places():
    assert body_of(intent_of("usdc_bank", amount_minor=1_500_001))["amount"] == Decimal("1.500001")


def test_t48_a_small_amount_is_left_to_the_providers_own_limits():
    check_rules(parse_intent(intent_of("id_ewallet_dana_idr", amount_minor=100)), rules=rules(), now=NOW)
    assert body_of(intent_of("id_ewallet_dana_idr", amount_minor=100))["amount"] == 1


@pytest.mark.parametrize("params", [{"document_number": "12345678901"}, {"account_number": "22500000000000"}])
def test_t48_check_digits_and_lengths_are_left_to_the_provider(params):
    name = "br_pix_brl" if "document_number" in params else "ci_mobile_money_xof"
    intent = intent_of(name)
    intent["method"]["payin_method_params"] = EXAMPLES[name][1] | params
    check_rules(parse_intent(intent), rules=rules(), now=NOW)


# Unknown and extra methods


@pytest.mark.parametrize("name", ["vn_vietqr_vnd", "kr_bank_krw", "ph_bank", "au_payid_npp", "x"])
def test_t36_an_unknown_method_is_refused_by_its_field(name):
    intent = payin_intent(method={"payin_method_name": name, "payin_method_params": {}})
    with pytest.raises(RefusedError) as refused:
        check_rules(parse_intent(intent), rules=rules(), now=NOW)
    assert (refused.value.code, refused.value.field) == ("unknown_method", "method.payin_method_name")


def test_a_method_of_the_configuration_is_taken_with_its_currency_and_any_parameters():
    extra = PAYIN_METHODS | {"kr_bank_krw": PayinMethod(name="kr_bank_krw", currency="KRW")}
    method = {"payin_method_name": "kr_bank_krw", "payin_method_params": {"user_name": "A"}}
    intent = payin_intent(currency="KRW", amount_minor=5000, method=method)
    check_rules(parse_intent(intent), rules=rules(payin_methods=extra), now=NOW)
    assert body_of(intent)["payin_method_params"] == {"user_name": "A"}
    with pytest.raises(RefusedError):
        check_rules(parse_intent(intent | {"currency": "PHP"}), rules=rules(payin_methods=extra), now=NOW)


def test_the_settings_name_methods_that_the_table_does_not_have(monkeypatch):
    required = {
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "PROVIDER_APP_ID": "app-1",
        "PROVIDER_SECRET_KEY": "key-1",
        "WEBHOOK_BASE_URL": "https://pay.example.com",
        "WEBHOOK_SECRETS": "secret-of-sixteen-or-more",
        "PAYIN_METHODS_EXTRA": "vn_vietqr_vnd:VND, kr_bank_krw:KRW",
    }
    for name, value in required.items():
        monkeypatch.setenv(f"PAYORCH_{name}", value)
    methods = rules_of(load_settings(env_file=None)).payin_methods
    assert methods["vn_vietqr_vnd"] == PayinMethod(name="vn_vietqr_vnd", currency="VND")
    assert methods["kr_bank_krw"].currency == "KRW"
    assert set(methods) == set(PAYIN_METHODS) | {"vn_vietqr_vnd", "kr_bank_krw"}
