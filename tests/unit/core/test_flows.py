from __future__ import annotations

from decimal import Decimal

import pytest

from orchestrator.flows import FLOWS, Notification
from orchestrator.payment import CREATE, bare_reference
from orchestrator.sighting import AmountCheck, Source
from orchestrator.statuses import Reason, Review, Stage, Status
from tests.unit.core.building import NOW_MS, UUID, accepted, card_body, card_intent, created, payin_body, payin_intent

HOOK = Notification(endpoint_url="https://hooks.example/w/1", authorization="po1.k.s")
CARD_PAGE_AUTO = {
    "uuid": "7PPPMXIGH",
    "name": "Testing",
    "email": "test@example.com",
    "external_id": "ord-1001",
    "status": "waiting",
    "pay_code": {"3ds_url": "https://3ds-auth.example.com/verify"},
    "currency": "USD",
    "amount": 10000,
    "total": 10000,
    "paid_amount": 0,
    "is_refundable": True,
    "payment_method": "card",
    "expired_at": "",
    "webhook_notification": {"endpoint_url": "https://webhook.site/456adb8f", "authorization_header": "****"},
    "refund_information": {"total_amount": 200, "refund_amount": 50, "description": "Testing refund"},
    "sender_details": {"card": {"card_type": "card", "card_brand": "visa", "card_last_4": "4242"}},
    "created_at": "2025-05-28T04:22:21.567+0000",
}


def interpreted(payment, body, source=Source.WEBHOOK, operation=None):
    return FLOWS[payment.flow].interpret(payment, body, source=source, operation=operation, allow_http=False)


def sent(payment) -> dict[str, object]:
    body = FLOWS[payment.flow].create(payment, HOOK).body
    assert body is not None
    return dict(body)


# Requests


def test_t04_a_card_is_asked_for_in_minor_units_with_its_id_and_webhook():
    request = FLOWS["card"].create(accepted(card_intent(amount_minor=1000, currency="USD")), HOOK)
    assert (request.method, request.path, request.credentials) == ("POST", "/v2/cards/create_payment", "default")
    assert request.body == {
        "amount": 1000,
        "currency": "USD",
        "token": {"id": "tok_dfe1988a1ffc0d6562d3", "type": "card"},
        "external_id": "ord-1001",
        "return_url": "https://shop.example/back",
        "webhook_notification": {"endpoint_url": "https://hooks.example/w/1", "authorization_header": "po1.k.s"},
    }
    assert type(sent(accepted(card_intent()))["amount"]) is int


def test_d06_a_payin_is_asked_for_in_major_units_with_its_id_and_webhook():
    request = FLOWS["payin"].create(accepted(payin_intent(amount_minor=1050)), HOOK)
    assert (request.method, request.path) == ("POST", "/v2/payins")
    assert request.body == {
        "currency": "PHP",
        "gst": False,
        "amount": Decimal("10.5"),
        "name": "Maria Cruz",
        "email": "maria@example.com",
        "external_id": "ord-2001",
        "description": "Order 2001",
        "payin_method_name": "ph_ewallet_gcash_php",
        "payin_method_params": {},
        "webhook_notification": {"endpoint_url": "https://hooks.example/w/1", "authorization_header": "po1.k.s"},
    }


@pytest.mark.parametrize(
    ("currency", "amount_minor", "written"), [("VND", 1_000_000, 1_000_000), ("CAD", 10_000, 100), ("JPY", 500, 500)]
)
def test_t07_whole_amounts_are_sent_as_integers(currency, amount_minor, written):
    body = sent(accepted(payin_intent(currency=currency, amount_minor=amount_minor)))
    assert (type(body["amount"]), body["amount"]) == (int, written)


@pytest.mark.parametrize(
    ("customer", "name"),
    [
        ({"first_name": "Maria"}, "Maria"),
        ({"last_name": "Cruz"}, "Cruz"),
        ({"first_name": "Maria", "last_name": "Cruz"}, "Maria Cruz"),
        ({"name": "M. C.", "first_name": "Maria"}, "M. C."),
    ],
)
def test_the_providers_name_is_made_of_what_was_given_only(customer, name):
    payment = accepted(payin_intent(customer=customer | {"email": "m@example.com"}))
    assert sent(payment)["name"] == name


def test_t30_a_deadline_is_sent_in_the_providers_form():
    payment = accepted(payin_intent(expires_at="2027-01-16T08:00:00Z"))
    assert sent(payment)["expired_at"] == "2027-01-16T08:00:00"


def test_t35_an_amount_that_was_left_out_is_not_sent():
    method = {"payin_method_name": "usdc_bank"}
    payment = accepted(payin_intent(currency="USDC", amount_minor=None, method=method))
    assert "amount" not in sent(payment)


def test_t37_a_capture_names_the_payment_and_nothing_else():
    request = FLOWS["card"].operations["capture"](created(card_intent()))
    assert (request.method, request.path, request.body) == ("POST", "/v2/cards/capture_payment", {"uuid": UUID})


def test_reads_are_an_ordered_list_with_the_id_always_in_them():
    card = [read(created(card_intent())) for read in FLOWS["card"].reads]
    assert [request.path for request in card] == ["/v2/payins/detail", f"/v2/cards/payments/{UUID}"]
    assert card[0].query == (("uuid", UUID),)
    payin = [read(created(payin_intent())) for read in FLOWS["payin"].reads]
    assert [(request.method, request.path, request.query) for request in payin] == [
        ("GET", "/v2/payins/detail", (("uuid", UUID),))
    ]


@pytest.mark.parametrize(
    ("flow", "path", "names"),
    [
        ("card", "/v2/cards/payments", ("start_date", "end_date")),
        ("payin", "/v2/payins/all", ("from_date", "to_date")),
    ],
)
def test_a_scan_asks_for_a_period_page_by_page(flow, path, names):
    payment = created(card_intent() if flow == "card" else payin_intent())
    scan = FLOWS[flow].scan
    assert scan is not None
    request = scan.request(payment, NOW_MS, NOW_MS + 1000, 3)
    assert request.path == path
    assert request.query == (
        (names[0], "2027-01-15T08:00:00"),
        (names[1], "2027-01-15T08:00:01"),
        ("page", "3"),
        ("per_page", "20"),
    )


# Units of card replies


@pytest.mark.parametrize(
    ("currency", "asked", "said", "check"),
    [
        ("AUD", 10000, "10000.0", AmountCheck.OK),
        ("AUD", 10000, 10000, AmountCheck.OK),
        ("AUD", 10000, "100.0", AmountCheck.OK),
        ("AUD", 10000, Decimal("100.00"), AmountCheck.OK),
        ("AUD", 10000, "1000.0", AmountCheck.MISMATCH),
        ("AUD", 10000, "1000000", AmountCheck.MISMATCH),
        ("AUD", 10050, "100.5", AmountCheck.OK),
        ("JPY", 500, "500.0", AmountCheck.OK),
        ("JPY", 500, "5.0", AmountCheck.MISMATCH),
        ("KWD", 1500, "1.5", AmountCheck.OK),
        ("AUD", 10000, True, AmountCheck.MISMATCH),
        ("AUD", 10000, "1,000", AmountCheck.MISMATCH),
        ("AUD", 10000, None, AmountCheck.UNVERIFIABLE),
    ],
)
def test_d02_the_unit_of_a_card_reply_is_the_one_that_equals_what_was_asked(currency, asked, said, check):
    payment = created(card_intent(currency=currency, amount_minor=asked))
    sighting = interpreted(payment, card_body("received", currency=currency, amount=said, total=said, paid_amount=None))
    assert sighting.amount is check
    assert sighting.total_minor == (asked if check is AmountCheck.OK else sighting.total_minor)


@pytest.mark.parametrize(("paid", "minor"), [("100.0", 10000), ("0.0", 0), (None, None)])
def test_d02_the_paid_amount_is_read_in_the_same_unit(paid, minor):
    assert interpreted(created(card_intent()), card_body("received", paid_amount=paid)).paid_minor == minor


def test_t08_payin_amounts_as_strings_are_read_as_the_numbers_they_are():
    payment = created(payin_intent(currency="CAD", amount_minor=10000))
    body = payin_body("received", currency="CAD", amount="100", total="100.0", paid_amount="100", gst="false")
    sighting = interpreted(payment, body)
    assert (sighting.amount, sighting.total_minor, sighting.paid_minor) == (AmountCheck.OK, 10000, 10000)


# Interpretation


def test_d07_the_pages_own_example_as_the_reply_to_a_create_is_an_action_with_a_flag():
    payment = accepted(card_intent(currency="USD"))
    sighting = interpreted(payment, CARD_PAGE_AUTO, Source.REPLY, CREATE)
    assert sighting.target.status is Status.REQUIRES_ACTION
    assert sighting.review == (Review.AMBIGUOUS_WAITING_3DS,)
    assert (sighting.refunded_minor, sighting.expires_at_ms) == (None, None)


@pytest.mark.parametrize(
    ("source", "operation", "changes"),
    [
        (Source.WEBHOOK, None, {}),
        (Source.READ, None, {}),
        (Source.REPLY, "capture", {}),
        (Source.REPLY, CREATE, {"pay_code": None}),
        (Source.REPLY, CREATE, {"paid_amount": 10000}),
    ],
)
def test_d07_waiting_means_paid_everywhere_else(source, operation, changes):
    payment = created(card_intent(currency="USD"))
    sighting = interpreted(payment, CARD_PAGE_AUTO | changes, source, operation)
    assert (sighting.target.column, sighting.target.reason) == (Stage.SETTLING, Reason.SETTLING)
    assert sighting.review == ()


def test_a_left_over_3ds_link_does_not_hide_the_authorisation():
    sighting = interpreted(created(card_intent()), card_body("authorised", pay_code={"3ds_url": "https://x.example"}))
    assert sighting.target.column is Stage.AUTHORISED
    assert sighting.target.reason is Reason.CAPTURING


def test_t26_the_wrapped_example_of_the_page_is_read():
    inner = card_body("pending", amount="200.0", total="200.0", pay_code={"3ds_url": "https://3ds.example/v"})
    sighting = interpreted(created(card_intent(amount_minor=20000)), {"example": inner}, Source.REPLY, CREATE)
    assert (sighting.usable, sighting.amount) == (True, AmountCheck.OK)
    assert sighting.target.status is Status.REQUIRES_ACTION


@pytest.mark.parametrize(
    ("stage", "pay_code", "expected"),
    [
        ("authorize_otp", {}, {"type": "otp"}),
        ("AUTHORIZE_STK", None, {"type": "stk_push"}),
        ("normal_stage", {"qr_string": "0002"}, {"type": "show_qr", "qr_string": "0002"}),
        (None, {"qr_string": "0002"}, {"type": "show_qr", "qr_string": "0002"}),
        ("normal_stage", {}, None),
        (None, None, None),
    ],
)
def test_t18_a_pending_payin_is_an_action_by_stage_or_by_shape(stage, pay_code, expected):
    sighting = interpreted(created(payin_intent()), payin_body("pending", stage=stage, pay_code=pay_code))
    assert sighting.next_action == expected
    assert sighting.target.status is (Status.REQUIRES_ACTION if expected else Status.PROCESSING)
    assert sighting.target.reason is (None if expected else Reason.AWAITING_PAY_CODE)


def test_references_carry_the_kind_of_id():
    sighting = interpreted(created(payin_intent()), payin_body("pending", uuid=46345))
    assert sighting.reference == "uuid:46345"
    assert bare_reference(sighting.reference) == "46345"
    assert bare_reference(None) is None


def test_the_currency_is_compared_whatever_its_case():
    payment = created(payin_intent())
    assert not interpreted(payment, payin_body("received", currency="php")).currency_differs
    assert not interpreted(payment, payin_body("received", currency=None)).currency_differs
    assert interpreted(payment, payin_body("received", currency="THB")).currency_differs
