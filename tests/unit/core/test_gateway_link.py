"""Payment gateway link: what is asked and what its webhooks mean (contract 1.1 and 3.3)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from orchestrator.errors import RefusedError
from orchestrator.intent import parse_intent
from orchestrator.observe import Belief
from orchestrator.outcome import after_reply
from orchestrator.payment import CREATE, OperationState, public_view
from orchestrator.policy import Policy
from orchestrator.ports import Reply
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Status
from tests.unit.core.building import (
    CUSTOMER,
    GATEWAY_REFERENCE,
    LINK,
    NOW_MS,
    accepted,
    create_request_of,
    created,
    gateway_body,
    gateway_intent,
    gateway_reply,
    in_state,
    seen,
    sighting_of,
)

BLIND = Belief(has_read=False)
ITEM = {
    "id": "1",
    "name": "T-Shirt",
    "variant_id": "1a",
    "image_url": "https://shop.example/1.png",
    "quantity": 2,
    "price_minor": 2500,
    "enable_cashback": True,
}


def request_of(**changes):
    return create_request_of(accepted(gateway_intent(**changes)))


def method(**changes):
    return {"success_url": "https://shop.example/thanks"} | changes


def details(**changes):
    body = request_of(method=method(**changes)).body
    assert body is not None
    return body["order_details"]


def linked(**changes):
    """A link that its customer may pay."""
    return told(accepted(gateway_intent()), gateway_reply(**changes), Source.REPLY, operation="create")


def told(payment, body, source=Source.WEBHOOK, **changes):
    return seen(payment, body, source, belief=BLIND, **changes)


# The request


def test_d06_a_link_is_asked_for_with_a_token_our_id_as_the_order_and_the_webhook():
    request = request_of(method=method(items=[ITEM]))
    assert (request.method, request.path) == ("POST", "/v1/payment_gateways/create_payment")
    assert request.needs_access_token
    assert request.body == {
        "order_id": "ord-4001",
        "amount": 100,
        "description": "Order 4001",
        "order_success_url": "https://shop.example/thanks",
        "payment_gateway_notification": {
            "endpoint_url": "https://hooks.example/w/1",
            "authorization_header": "po1.k.s",
        },
        "order_details": {
            "billing_details": CUSTOMER,
            "shipping_details": CUSTOMER,
            "items": [
                {
                    "id": "1",
                    "name": "T-Shirt",
                    "variant_id": "1a",
                    "image_url": "https://shop.example/1.png",
                    "quantity": "2",
                    "price": "25.00",
                    "enable_cashback": True,
                }
            ],
        },
    }


def test_t04_the_amount_of_a_link_is_in_major_units_and_not_derived_from_its_items():
    body = request_of(amount_minor=10050, method=method(items=[ITEM])).body
    assert body["amount"] == Decimal("100.5")


@pytest.mark.parametrize(
    ("price_minor", "written"), [(0, "0.00"), (5, "0.05"), (2500, "25.00"), (123456789, "1234567.89")]
)
def test_t08_quantity_and_price_are_texts_in_this_flow_alone(price_minor, written):
    (item,) = details(items=[ITEM | {"price_minor": price_minor, "quantity": 1_000_000}])["items"]
    assert (item["price"], item["quantity"]) == (written, "1000000")


def test_what_an_item_does_not_have_is_left_out():
    (item,) = details(items=[{"id": "1", "name": "A", "quantity": 1, "price_minor": 100}])["items"]
    assert item == {"id": "1", "name": "A", "quantity": "1", "price": "1.00", "enable_cashback": False}
    assert details()["items"] == []


def test_shipping_is_the_billing_address_unless_another_is_given():
    shipping = {"first_name": "Grace", "last_name": "Hopper", "company": "Navy", "state": "NSW"}
    given = details(shipping=shipping)
    assert (given["billing_details"], given["shipping_details"]) == (CUSTOMER, shipping)


def test_company_and_state_go_along_where_they_are_given():
    body = request_of(customer=CUSTOMER | {"company": "ACME", "state": "NSW", "name": "A. L."}).body
    assert body["order_details"]["billing_details"] == CUSTOMER | {"company": "ACME", "state": "NSW"}


def test_t21_the_address_of_the_success_page_is_the_customers_and_not_the_webhooks():
    body = request_of().body
    assert body["order_success_url"] != body["payment_gateway_notification"]["endpoint_url"]


@pytest.mark.parametrize("name", sorted(CUSTOMER))
def test_each_customer_field_of_a_link_is_required_by_its_name(name):
    customer = {key: value for key, value in CUSTOMER.items() if key != name}
    with pytest.raises(RefusedError) as refused:
        parse_intent(gateway_intent(customer=customer))
    assert (refused.value.code, refused.value.field) == ("missing_field", f"customer.{name}")


# What it says


def test_the_reply_without_a_status_is_a_link_to_pay_at():
    view = public_view(linked())
    assert view.status is Status.REQUIRES_ACTION
    assert view.next_action == {"type": "redirect", "purpose": "payment", "url": LINK}
    assert (view.reference, view.amount_minor, view.paid_minor) == ("46345", 10000, 0)


@pytest.mark.parametrize("number", [46345, "46345"])
def test_d17_a_gateways_number_is_no_payids_number(number):
    assert linked(payment_id=number).reference == "gw:46345"


UNUSABLE = [
    {"redirect_url": LINK, "order_id": "ord-4001"},
    {"payment_id": GATEWAY_REFERENCE, "order_id": "ord-4001"},
    {"payment_id": GATEWAY_REFERENCE, "redirect_url": "http://pay.example/", "order_id": "ord-4001"},
    {"payment_id": GATEWAY_REFERENCE, "redirect_url": "", "order_id": "ord-4001"},
    {"payment_id": True, "redirect_url": LINK},
    {"order_id": "ord-4001", "status": "received"},
    {},
    None,
    [gateway_reply()],
]


@pytest.mark.parametrize("body", UNUSABLE)
def test_t13_a_reply_without_id_or_link_tells_nothing(body):
    payment = accepted(gateway_intent())
    assert told(payment, body, Source.REPLY, operation="create") == payment


def test_t21_a_link_in_a_webhook_without_a_status_moves_nothing():
    assert told(linked(), gateway_reply()) == linked()


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("pending", Status.REQUIRES_ACTION, None),
        ("authorised", Status.PROCESSING, Reason.AWAITING_PROVIDER),
        ("waiting", Status.PROCESSING, Reason.SETTLING),
        ("received", Status.SUCCEEDED, None),
        ("RECEIVED ", Status.SUCCEEDED, None),
        ("expired", Status.EXPIRED, Reason.PROVIDER),
        ("failed", Status.FAILED, None),
        ("canceled", Status.CANCELED, None),
        ("cancelled", Status.CANCELED, None),
        ("return_pending", Status.REFUND_PENDING, None),
        ("return_received", Status.REFUNDED, None),
        ("refunded", Status.REFUNDED, None),
        ("partially_refunded", Status.PARTIALLY_REFUNDED, None),
        ("in_dispute", Status.DISPUTED, None),
        ("dispute_lost", Status.DISPUTE_LOST, None),
    ],
)
def test_t20_a_webhook_of_a_link_is_read_in_the_words_of_all_flows(word, status, reason):
    after = told(linked(), gateway_body(word))
    assert (after.status, after.reason) == (status, reason)


@pytest.mark.parametrize("word", ["SUCCESS", "PAID", "COMPLETED", "unpaid", "success", "mystery", "created", "active"])
def test_d13_a_word_that_only_sounds_like_success_moves_nothing_and_is_told(word):
    after = told(linked(), gateway_body(word))
    assert (after.status, after.customer_paid) == (Status.REQUIRES_ACTION, False)
    assert after.review == ("unknown_status",)


def test_t20_a_webhook_by_the_order_alone_is_of_this_payment():
    after = told(linked(), {"order_id": "ord-4001", "status": "received"})
    assert (after.status, after.reference) == (Status.SUCCEEDED, "gw:46345")


@pytest.mark.parametrize(
    "body",
    [
        {"order_id": "ord-9", "status": "received"},
        {"payment_id": GATEWAY_REFERENCE, "order_id": "ord-9", "status": "received"},
        {"status": "received"},
        {"order_id": "ord-4001"},
    ],
)
def test_a_webhook_that_does_not_name_this_payment_is_not_applied(body):
    assert told(linked(), body).status is Status.REQUIRES_ACTION


def test_of_two_links_under_our_order_the_paid_one_is_the_payment_and_two_paid_ones_are_told():
    after = told(linked(), gateway_body("received", payment_id=99))
    assert (after.status, after.reference, after.aliases) == (Status.SUCCEEDED, "gw:99", ("gw:46345",))
    assert after.review == ()
    both = told(after, gateway_body("received"))
    assert (both.status, both.reference, both.review) == (Status.SUCCEEDED, "gw:99", ("duplicate_external_id",))


def test_an_amount_that_is_told_must_be_the_one_that_was_asked():
    wrong = told(linked(), gateway_body("received", amount="10.0"))
    assert (wrong.status, wrong.reason, wrong.review) == (
        Status.PROCESSING,
        Reason.AMOUNT_REVIEW,
        ("amount_mismatch",),
    )
    short = told(linked(), gateway_body("received", amount="100.0", paid_amount="99.0"))
    assert (short.reason, short.review) == (Reason.AMOUNT_REVIEW, ("underpaid",))


def test_a_failed_link_keeps_the_providers_words():
    declined = {"error_code": "issuer_declined", "error_message": "No"}
    assert told(linked(), gateway_body("failed", pay_code=declined)).failure == {
        "code": "issuer_declined",
        "message": "No",
    }


def test_a_payment_that_is_known_by_a_webhook_first_keeps_its_link_from_the_late_reply():
    early = told(accepted(gateway_intent()), gateway_body("pending"))
    late = told(early, gateway_reply(), Source.REPLY, operation="create")
    assert late.next_action == {"type": "redirect", "purpose": "payment", "url": LINK}
    paid = told(created(gateway_intent(), status=Status.SUCCEEDED), gateway_reply(), Source.REPLY, operation="create")
    assert paid.status is Status.SUCCEEDED


def test_vector_11_the_first_401_is_resent_at_once_and_each_further_one_waits_although_nobody_paused():
    policy = Policy()
    payment, pauses = accepted(gateway_intent()), []
    refused = Reply(sent=True, http_status=401)
    for _ in range(3):
        payment = in_state(payment, CREATE, OperationState.SENDING, deadline_ms=NOW_MS + 40_000)
        sighting = sighting_of(payment, None, Source.REPLY, CREATE)
        payment = after_reply(
            payment,
            CREATE,
            refused,
            sighting,
            deadline_ms=payment.create.deadline_ms,
            belief=BLIND,
            policy=policy,
            now_ms=NOW_MS,
        )
        pauses.append(payment.create.not_before_ms - NOW_MS)
    assert pauses == [0, policy.unauthorised_pause_ms, policy.unauthorised_pause_ms]
