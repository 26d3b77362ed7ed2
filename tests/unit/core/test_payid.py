"""One-time PayID: what is asked, whose e-mails it takes, and what its words mean (contract 1.4 and 3.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orchestrator.errors import RefusedError
from orchestrator.flows import FLOWS
from orchestrator.flows.payid import is_email_supported
from orchestrator.intent import parse_intent
from orchestrator.payment import new_payment, public_view
from orchestrator.rules import IntakeRules, check_rules, payid_emails
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Review, Status
from tests.unit.core.building import (
    NOW_MS,
    accepted,
    all_requests_of,
    create_request_of,
    created,
    payable_payid,
    payid_body,
    payid_intent,
    payin_body,
    seen,
)

RULES = IntakeRules(merchants=frozenset({"default"}), flows=frozenset(FLOWS))
NOW = datetime.fromtimestamp(NOW_MS / 1000, tz=UTC)
# The whole auto example of the page: samples of single fields put side by side, no captured reply.
PAGE_EXAMPLE = {
    "id": 123456,
    "balance_id": "HDCHJSS",
    "request_payid": "payid123@example.com",
    "gst": True,
    "amount": "100.0",
    "total": "110.0",
    "gst_amount": "10.0",
    "expired_at": "2024-12-31T23:59:59Z",
    "external_id": "ord-3001",
    "cashback_amount": "5.0",
    "pay_by": "2024-12-30T23:59:59Z",
    "paid_at": "2024-12-25T12:34:56Z",
    "status": "pending",
    "nonce": "unique_nonce_string",
    "stage": "overpaid",
    "refund_information": {
        "refund_payid": "sample@payid.com",
        "refund_amount": Decimal("0.1"),
        "request_date": "2024-12-31T23:59:59Z",
        "reason": "Broken product",
    },
}


def request_of(**changes):
    return create_request_of(accepted(payid_intent(**changes)))


def body_of(request) -> dict[str, object]:
    assert request.body is not None
    return dict(request.body)


# The request


def test_d06_a_payid_is_asked_for_in_major_units_with_its_id_and_webhook():
    request = request_of(amount_minor=10050)
    assert (request.method, request.path, request.needs_access_token) == ("POST", "/v1/merchants/create_payment", False)
    assert request.query == ()
    assert request.body == {
        "name": "Ada Lovelace",
        "gst": False,
        "amount": Decimal("100.5"),
        "description": "Order 3001",
        "emails": "ada@example.com",
        "external_id": "ord-3001",
        "payment_request_notification": {
            "endpoint_url": "https://hooks.example/w/1",
            "authorization_header": "po1.k.s",
        },
    }


def test_the_names_of_this_page_are_not_those_of_the_others():
    body = request_of().body
    assert not {"webhook_notification", "currency", "email", "prefix_static_payid", "expired_at"} & set(body)


def test_t30_a_deadline_of_a_payid_is_sent_in_utc_with_its_z():
    assert request_of(expires_at="2027-01-16T08:00:00Z").body["expired_at"] == "2027-01-16T08:00:00Z"


def test_the_emails_of_the_method_go_before_the_customers_and_are_joined_by_commas_alone():
    body = request_of(method={"type": "payid", "emails": ["a@b.com", "c@d.com"]}).body
    assert body["emails"] == "a@b.com,c@d.com"


def test_the_name_is_made_of_first_and_last_name_where_it_is_not_given():
    customer = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com"}
    assert request_of(customer=customer).body["name"] == "Ada Lovelace"


def test_t06_gst_is_asked_for_on_the_amount_without_it():
    body = request_of(method={"type": "payid", "gst": True}).body
    assert (body["gst"], body["amount"]) == (True, 100)
    assert accepted(payid_intent(method={"type": "payid", "gst": True})).total_minor == 11000


def test_reads_of_a_payid_name_it_by_its_number():
    paths = all_requests_of(created(payid_intent()))[1:]
    assert [(each.method, each.path, each.query) for each in paths] == [
        ("GET", "/v1/payment_requests/status", (("id", "123456"),)),
        ("GET", "/v2/payins/detail", (("uuid", "123456"),)),
    ]


# E-mails


@pytest.mark.parametrize(
    ("email", "is_taken"),
    [
        ("customer@example.com", True),
        ("...@a.b", True),
        ("-@a.b", True),
        ("first.last_1-x@shop.com", True),
        ("jane@yahoo.com.au", False),
        ("a@b.com.au", False),
        ("a@foo-bar.com", False),
        ("a@x1.com", False),
        ("A@b.com", False),
        ("a@B.com", False),
        ("a+b@c.com", False),
        ("o'x@b.com", False),
        ("a@b.com\n", False),
        ("\na@b.com", False),
        ("a@b.com ", False),
        (" a@b.com", False),
        ("a@b.com,", False),
        ("a@b.com,c@d.com", False),  # one address; lists are joined by us
        ("a@b", False),
        ("@b.com", False),
        ("ä@b.com", False),
        ("a@münchen.de", False),
        ("١@b.com", False),
        ("", False),
    ],
)
def test_t32_an_email_passes_the_providers_own_rule_as_a_whole(email, is_taken):
    assert is_email_supported(email) is is_taken


def refused_email(intent, **rules):
    with pytest.raises(RefusedError) as refused:
        payid_emails(parse_intent(intent), rules=with_rules(**rules))
    return refused.value.code, refused.value.field


def with_rules(**changes) -> IntakeRules:
    return IntakeRules(merchants=RULES.merchants, flows=RULES.flows, **changes)


def test_vector_9_d11_an_email_that_the_provider_refuses_is_refused_before_sending():
    code = "email_unsupported_by_provider"
    customer = {"name": "Jane", "email": "jane@yahoo.com.au"}
    assert refused_email(payid_intent(customer=customer)) == (code, "customer.email")
    method = {"type": "payid", "emails": ["a@b.com", "jane@yahoo.com.au"]}
    assert refused_email(payid_intent(method=method)) == (code, "method.emails.1")


def test_d11_another_mailbox_of_the_intents_is_a_way_out():
    customer = {"name": "Jane", "email": "jane@yahoo.com.au"}
    intent = payid_intent(customer=customer, method={"type": "payid", "emails": ["shop@b.com"]})
    assert payid_emails(parse_intent(intent), rules=RULES) == ["shop@b.com"]


def test_d11_lower_case_is_a_switch_and_repairs_nothing_else():
    intent = payid_intent(customer={"name": "Ada", "email": "Ada@Example.com"})
    assert refused_email(intent) == ("email_unsupported_by_provider", "customer.email")
    assert payid_emails(parse_intent(intent), rules=with_rules(payid_lower_case_emails=True)) == ["ada@example.com"]
    plus = payid_intent(customer={"name": "Ada", "email": "Ada+1@example.com"})
    assert refused_email(plus, payid_lower_case_emails=True) == ("email_unsupported_by_provider", "customer.email")


def test_d11_a_fallback_mailbox_takes_the_place_of_all_where_one_does_not_pass():
    rules = with_rules(payid_fallback_email="desk@shop.com")
    method = {"type": "payid", "emails": ["a@b.com", "jane@yahoo.com.au"]}
    assert payid_emails(parse_intent(payid_intent(method=method)), rules=rules) == ["desk@shop.com"]
    assert payid_emails(parse_intent(payid_intent()), rules=rules) == ["ada@example.com"]
    payment = new_payment(parse_intent(payid_intent(method=method)), emails=["desk@shop.com"], now_ms=NOW_MS)
    assert body_of(create_request_of(payment))["emails"] == "desk@shop.com"


def test_d11_a_line_break_behind_an_email_never_gets_so_far():
    with pytest.raises(RefusedError):
        payid_emails(parse_intent(payid_intent(customer={"name": "A", "email": "a@b.com\n"})), rules=RULES)


def test_other_flows_mail_nobody():
    assert payid_emails(parse_intent(payid_intent(method={"success_url": "https://x.example"}) | {
        "customer": {
            "first_name": "A", "last_name": "B", "phone": "1", "email": "A@B.com.au",
            "country_code": "AU", "postal_code": "1", "city": "C", "address": "D",
        }
    }), rules=RULES) == []  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"currency": "USD"}, "currency_not_supported", "currency"),
        ({"expires_at": "2027-01-15T08:20:00Z"}, "expires_too_soon", "expires_at"),
    ],
)
def test_a_payid_is_aud_and_has_twenty_minutes(changes, code, field):
    with pytest.raises(RefusedError) as refused:
        check_rules(parse_intent(payid_intent(**changes)), rules=RULES, now=NOW)
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"customer": {"email": "ada@example.com"}}, "customer.name"),
        ({"customer": {"name": "Ada"}}, "customer.email"),
        ({"customer": {}}, "customer.name"),
        ({"amount_minor": None}, "amount_minor"),
    ],
)
def test_what_a_payid_needs_is_refused_by_its_name(changes, field):
    with pytest.raises(RefusedError) as refused:
        parse_intent(payid_intent(**changes))
    assert (refused.value.code, refused.value.field) == ("missing_field", field)


def test_aud_without_a_method_of_another_kind_is_a_payid():
    assert parse_intent(payid_intent(method={})).flow == "payid"


# What it says


def test_a_pending_payid_shows_its_payid_its_total_and_the_earlier_deadline():
    view = public_view(payable_payid())
    assert view.status is Status.REQUIRES_ACTION
    assert view.next_action == {
        "type": "payid",
        "request_payid": "n2qrikv@dreamithost.com.au",
        "total_minor": 10000,
        "pay_by": "2027-01-15T20:00:00Z",
    }
    assert (view.reference, view.expires_at_ms) == ("123456", NOW_MS + 12 * 3_600_000)


@pytest.mark.parametrize(
    ("pay_by", "expired_at", "shown"),
    [
        ("2027-01-16T08:00:00Z", "2027-01-15T20:00:00+0000", "2027-01-15T20:00:00Z"),
        (None, "2027-01-15T20:00:00.000+0000", "2027-01-15T20:00:00Z"),
        ("2027-01-15T20:00:00", "", "2027-01-15T20:00:00Z"),
        (None, "", None),
    ],
)
def test_d16_the_earlier_of_two_deadlines_is_shown_in_whatever_form_they_came(pay_by, expired_at, shown):
    action = payable_payid(pay_by=pay_by, expired_at=expired_at).next_action or {}
    assert action["pay_by"] == shown


def test_the_deadline_that_was_asked_for_is_kept():
    payment = created(payid_intent(expires_at="2027-01-15T12:00:00Z"))
    payment = seen(payment, payid_body("pending"), Source.REPLY, operation="create")
    assert payment.expires_at_ms == NOW_MS + 4 * 3_600_000


@pytest.mark.parametrize("number", [123456, "123456"])
def test_vector_9_d17_the_id_is_taken_as_a_number_and_as_a_text(number):
    payment = payable_payid(id=number)
    assert payment.reference == "payid:123456"
    assert seen(payment, payid_body("received", id=123456), Source.READ).status is Status.SUCCEEDED
    assert seen(payment, payid_body("received", id="123456"), Source.READ).aliases == ()


@pytest.mark.parametrize(
    ("stage", "status", "reason", "review"),
    [
        (None, Status.REQUIRES_ACTION, None, ()),
        ("", Status.REQUIRES_ACTION, None, ()),
        ("underpaid", Status.REQUIRES_ACTION, None, ("underpaid",)),
        ("overpaid", Status.PROCESSING, Reason.AWAITING_PROVIDER, ("overpaid",)),
        ("unmatched_nonce", Status.PROCESSING, Reason.AWAITING_PROVIDER, ("unmatched_nonce",)),
        ("OVERPAID ", Status.PROCESSING, Reason.AWAITING_PROVIDER, ("overpaid",)),
        ("something_new", Status.REQUIRES_ACTION, None, ()),
    ],
)
@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.READ])
def test_vector_9_t18_a_stage_within_pending_tells_of_the_money(stage, status, reason, review, source):
    after = seen(payable_payid(), payid_body("pending", stage=stage), source)
    assert (after.status, after.reason, after.review) == (status, reason, review)
    assert not after.customer_paid


def test_t18_money_that_is_in_ends_the_action_also_in_the_second_reads_words():
    paid = seen(payable_payid(), payid_body("pending", stage="overpaid"))
    silent = {name: value for name, value in payid_body("pending").items() if name != "stage"}
    for body in (silent, payin_body("pending", uuid="123456", external_id="ord-3001", currency="AUD", amount=100,
                                    total=100, paid_amount=0)):  # fmt: skip
        after = seen(paid, body, Source.READ)
        assert (after.status, after.reason) == (Status.PROCESSING, Reason.AWAITING_PROVIDER)


def test_a_stage_that_is_taken_back_by_its_name_asks_the_customer_again():
    paid = seen(payable_payid(), payid_body("pending", stage="unmatched_nonce"))
    assert seen(paid, payid_body("pending", stage=None)).status is Status.REQUIRES_ACTION


@pytest.mark.parametrize("stage", ["underpaid", "overpaid", "unmatched_nonce"])
@pytest.mark.parametrize(("word", "status"), [("received", Status.SUCCEEDED), ("expired", Status.EXPIRED)])
def test_a_stage_outside_pending_is_ignored_and_its_review_stays(stage, word, status):
    after = seen(seen(payable_payid(), payid_body("pending", stage=stage)), payid_body(word, stage=stage), Source.READ)
    assert after.status is status
    assert after.review == (stage,)


def test_t44_only_the_status_decides_whatever_an_example_is_filled_with():
    unpaid = PAGE_EXAMPLE | {"stage": None, "gst": False, "total": "100.0"}
    after = seen(created(payid_intent()), unpaid, Source.REPLY, operation="create")
    view = public_view(after)
    assert (view.status, view.customer_paid, view.paid_minor, view.refunded_minor) == (
        Status.REQUIRES_ACTION, False, 0, 0,
    )  # fmt: skip


def test_the_pages_own_example_books_nothing():
    payment = created(payid_intent(method={"type": "payid", "gst": True}))
    view = public_view(seen(payment, PAGE_EXAMPLE, Source.REPLY, operation="create"))
    assert (view.status, view.customer_paid, view.refunded_minor) == (Status.PROCESSING, False, 0)
    assert view.review == ("overpaid",)


def test_t06_the_reply_must_speak_of_the_total_with_gst():
    payment = created(payid_intent(method={"type": "payid", "gst": True}))
    right = seen(payment, payid_body("received", gst=True, total="110.0", gst_amount="10.0"), Source.READ)
    assert (right.status, right.total_minor, right.paid_minor) == (Status.SUCCEEDED, 11000, 11000)
    wrong = seen(payment, payid_body("received", gst=True, total="100.0"), Source.READ)
    assert (wrong.status, wrong.reason) == (Status.PROCESSING, Reason.AMOUNT_REVIEW)
    assert wrong.review == ("amount_mismatch",)


def test_d04_without_a_paid_amount_a_received_payid_is_believed():
    body = payid_body("received")
    assert "paid_amount" not in body
    after = seen(payable_payid(), body, Source.READ)
    assert (after.status, after.paid_minor, after.settled) == (Status.SUCCEEDED, 10000, True)


@pytest.mark.parametrize("paid_amount", ["0.0", "1", 999])
def test_a_paid_amount_that_this_flow_does_not_have_is_not_read(paid_amount):
    assert seen(payable_payid(), payid_body("received", paid_amount=paid_amount), Source.READ).paid_minor == 10000


@pytest.mark.parametrize("word", ["waiting", "failed", "mystery"])
def test_d13_a_status_this_flow_does_not_know_raises_nothing(word):
    after = seen(payable_payid(), payid_body(word))
    expected = {"waiting": Status.PROCESSING, "failed": Status.FAILED, "mystery": Status.REQUIRES_ACTION}
    assert after.status is expected[word]
    assert (Review.UNKNOWN_STATUS in after.review) == (word == "mystery")


# The second read path


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending", Status.REQUIRES_ACTION),
        ("waiting", Status.PROCESSING),
        ("received", Status.SUCCEEDED),
        ("expired", Status.EXPIRED),
        ("return_pending", Status.REFUND_PENDING),
    ],
)
def test_the_second_read_path_answers_in_the_words_of_payins(word, status):
    body = payin_body(word, uuid=123456, external_id="ord-3001", currency="AUD", amount=100, total=100,
                      paid_amount=100)  # fmt: skip
    after = seen(payable_payid(), body, Source.READ)
    assert after.status is status
    assert (after.reference, after.aliases) == ("payid:123456", ())
    assert after.next_action == payable_payid().next_action


@pytest.mark.parametrize("body", [{}, None, [], {"id": 123456}, {"status": "received"}, {"id": True, "status": "x"}])
def test_t25_a_payid_without_its_id_or_status_is_unusable(body):
    payment = payable_payid()
    assert seen(payment, body) == payment
