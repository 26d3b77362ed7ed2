"""Traps and decisions of the contract that no other file of the core's tests names."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from orchestrator.codec import encode
from orchestrator.errors import RefusedError
from orchestrator.intent import parse_intent
from orchestrator.payment import CREATE, OperationState, public_view
from orchestrator.provider_error import parse_error
from orchestrator.sighting import Source
from orchestrator.statuses import Review, Status
from tests.unit.core.building import (
    HOOK,
    UUID,
    accepted,
    all_requests_of,
    card_body,
    card_intent,
    create_request_of,
    created,
    gateway_body,
    gateway_intent,
    payid_body,
    payid_intent,
    payin_body,
    payin_intent,
    seen,
    sighting_of,
)

INTENTS = {"card": card_intent, "payin": payin_intent, "payid": payid_intent, "gateway_link": gateway_intent}
BODIES = {"card": card_body, "payin": payin_body, "payid": payid_body, "gateway_link": gateway_body}
ON_FLOWS = pytest.mark.parametrize("flow", sorted(INTENTS))


# Requests


@ON_FLOWS
def test_t01_no_request_names_a_host(flow):
    for request in all_requests_of(created(INTENTS[flow]())):
        assert request.path.startswith(("/v1/", "/v2/"))
        assert "//" not in request.path


@ON_FLOWS
def test_t10_what_identifies_a_payment_is_our_id_and_the_same_in_every_attempt(flow):
    body = create_request_of(accepted(INTENTS[flow]())).body
    assert body is not None
    name = "order_id" if flow == "gateway_link" else "external_id"
    assert body[name] == INTENTS[flow]()["intent_id"]
    assert not {"idempotency_key", "idempotency-key", "request_id"} & set(body)
    assert create_request_of(accepted(INTENTS[flow]())) == create_request_of(accepted(INTENTS[flow]()))


@ON_FLOWS
def test_t39_every_request_is_made_with_the_set_that_created_the_payment(flow):
    payment = replace(created(INTENTS[flow]()), credentials="shop-b:AUD")
    assert {request.credentials for request in all_requests_of(payment)} == {"shop-b:AUD"}


def test_t33_the_callback_url_of_a_method_is_the_browsers_and_the_webhook_is_ours():
    params = {"callback_url": "https://shop.example/back"}
    method = {"payin_method_name": "id_ewallet_dana_idr", "payin_method_params": params}
    body = create_request_of(accepted(payin_intent(currency="IDR", method=method))).body
    assert body is not None
    assert (body["payin_method_params"], body["webhook_notification"]) == (params, HOOK.body())


@pytest.mark.parametrize("intent", [payin_intent, payid_intent])
def test_d15_a_boolean_is_sent_as_one_and_taken_as_one(intent):
    currency = {"currency": "AUD"}
    for gst in (True, False):
        body = create_request_of(accepted(intent(**currency, method=intent()["method"] | {"gst": gst}))).body
        assert body is not None
        assert body["gst"] is gst
    for written in ("false", "true", 0, 1):
        with pytest.raises(RefusedError) as refused:
            parse_intent(intent(**currency, method=intent()["method"] | {"gst": written}))
        assert (refused.value.code, refused.value.field) == ("wrong_type", "method.gst")


@pytest.mark.parametrize("written", ["false", "true", False, True, "", None, 0])
def test_d15_booleans_of_the_provider_decide_nothing(written):
    body = payin_body("received", gst=written, is_refundable=written)
    assert seen(created(payin_intent()), body, Source.READ).status is Status.SUCCEEDED


# Errors


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"errors": {"code": "REQUIRE_LOGIN", "message": "Not Authorised"}}, "REQUIRE_LOGIN", "Not Authorised"),
        ({"errors": {"message": "Token ID not found."}}, None, "Token ID not found."),
        ({"errors": {"refund_amount": "can't be blank"}}, None, "refund_amount: can't be blank"),
        ({"errors": {"amount": ["too small", "no number"]}}, None, "amount: too small, no number"),
        ({"errors": ["one", "two"]}, None, "one"),
        ({"errors": "no"}, None, "no"),
        ({"error": "no"}, None, "no"),
        ({"message": "no"}, None, "no"),
        (None, None, ""),
        ([], None, ""),
        ({}, None, ""),
    ],
)
def test_d12_every_shape_of_an_error_has_its_words_and_none_raises(body, code, message):
    error = parse_error(422, body)
    assert (error.http_status, error.code) == (422, code)
    assert message.split(":", maxsplit=1)[0].split(",", maxsplit=1)[0] in error.message


def test_t05_the_text_about_a_half_says_nothing_of_our_unit():
    text = "Invalid amount. Please enter a value greater than 0.5."
    assert parse_error(422, {"errors": {"message": text}}).message == text
    body = create_request_of(accepted(card_intent(amount_minor=40))).body
    assert body is not None
    assert body["amount"] == 40
    echoed = sighting_of(created(card_intent(amount_minor=20000)), card_body("pending", amount="200.0", total="200.0"))
    assert (echoed.amount, echoed.total_minor) == ("ok", 20000)


# Ids and words


@pytest.mark.parametrize("uuid", ["PSADT5CE", "7PPPMXIGH", "3f1c7a52-0000-4000-8000-000000000000", 46345, " PSADT5CE "])
@pytest.mark.parametrize("flow", ["card", "payin"])
def test_t09_a_uuid_is_any_text_or_number_and_never_a_uuid(flow, uuid):
    payment = replace(accepted(INTENTS[flow]()))
    sighting = sighting_of(payment, BODIES[flow]("pending", uuid=uuid), Source.REPLY, CREATE)
    assert sighting.reference == f"uuid:{str(uuid).strip()}"


NO_WORDS: list[object] = ["", " ", None, 17, True, [], {}, ["received"]]
ODD_WORDS = ["created", "active", "suspended", "completed", "scheduled", "processing", "paid", "ÆØÅ", "x" * 5000]


@ON_FLOWS
@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.READ, Source.REPLY])
@pytest.mark.parametrize("word", ODD_WORDS)
def test_t19_a_status_of_another_product_moves_nothing_and_raises_nothing(flow, source, word):
    payment = created(INTENTS[flow](), status=Status.REQUIRES_ACTION, next_action={"type": "redirect"})
    after = seen(payment, BODIES[flow](word), source)
    assert after.status is Status.REQUIRES_ACTION
    assert Review.UNKNOWN_STATUS in after.review


@ON_FLOWS
@pytest.mark.parametrize("word", NO_WORDS)
def test_t19_what_is_no_word_is_no_status(flow, word):
    payment = created(INTENTS[flow](), status=Status.REQUIRES_ACTION, next_action={"type": "redirect"})
    assert seen(payment, BODIES[flow]("pending") | {"status": word}).status is Status.REQUIRES_ACTION


@ON_FLOWS
@pytest.mark.parametrize("word", ["return_rejected", "return_expired", "failed", "expired", "waiting"])
def test_t19_a_status_that_one_page_leaves_out_is_understood_in_every_flow(flow, word):
    after = seen(created(INTENTS[flow](), status=Status.REFUND_PENDING), BODIES[flow](word))
    assert Review.UNKNOWN_STATUS not in after.review


def test_t28_misspelt_names_are_passed_over():
    body = payin_body("received") | {
        "expried_at": "2021-12-23T06:00:00.000+0000",
        "payin_notification": {"endpoint_url": "https://x.example", "authorization_header": "****"},
    }
    after = seen(created(payin_intent()), body, Source.READ)
    assert (after.status, after.expires_at_ms) == (Status.SUCCEEDED, None)


@ON_FLOWS
def test_t24_the_masked_echo_of_the_authorization_is_stored_nowhere(flow):
    payment = created(INTENTS[flow]())
    notification = {"endpoint_url": "https://elsewhere.example", "authorization_header": "****"}
    body = BODIES[flow]("pending") | {
        "webhook_notification": notification,
        "payment_request_notification": notification,
        "payment_gateway_notification": notification,
    }
    after = seen(payment, body, Source.REPLY, operation=CREATE)
    assert "****" not in repr(after)
    assert "elsewhere" not in repr(after)
    request = create_request_of(after).body
    assert request is not None
    assert HOOK.body() in request.values()
    assert len(encode(after)) < 2000


def test_t23_a_refund_that_lapsed_after_ten_days_leads_back():
    running = created(payin_intent(), status=Status.REFUND_PENDING, before_refund=(Status.SUCCEEDED, None))
    after = seen(running, payin_body("return_expired"))
    assert (after.status, after.provider_status) == (Status.SUCCEEDED, "return_expired")


@pytest.mark.parametrize("number", [Decimal("NaN"), Decimal("Infinity"), "1e3", "-100", "1,000.0", True])
@pytest.mark.parametrize("flow", ["payin", "payid"])
def test_d14_an_amount_that_cannot_be_read_is_never_success(flow, number):
    after = seen(created(INTENTS[flow]()), BODIES[flow]("received", amount=number, total=number), Source.READ)
    assert (after.status, after.review) == (Status.PROCESSING, ("amount_mismatch",))


@ON_FLOWS
def test_t21_no_body_but_the_providers_word_makes_a_payment_paid(flow):
    payment = created(INTENTS[flow](), status=Status.REQUIRES_ACTION, next_action={"type": "redirect"})
    for body in ({}, {"success": True}, {"redirect_url": "https://shop.example/thanks"}, {"uuid": UUID}):
        view = public_view(seen(payment, body))
        assert (view.status, view.customer_paid) == (Status.REQUIRES_ACTION, False)
    assert payment.operations[CREATE].state is OperationState.DONE
