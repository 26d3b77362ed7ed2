"""Refunds at the provider: what is sent, and what the replies mean (contract 4.2)."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from orchestrator.dialect import DIALECT, Dialect
from orchestrator.errors import RefusedError
from orchestrator.flows import FLOWS
from orchestrator.observe import observe
from orchestrator.payment import Operation, refund_name
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Stage, Status
from tests.unit.core.building import (
    BELIEF,
    NOW_MS,
    PAYID_REFERENCE,
    UUID,
    card_body,
    card_intent,
    created,
    payid_body,
    payid_intent,
    payin_body,
    payin_intent,
    sighting_of,
)

INTENTS = {"card": card_intent, "payin": payin_intent, "payid": payid_intent}
BODIES = {"card": card_body, "payin": payin_body, "payid": payid_body}
ON_FLOWS = pytest.mark.parametrize("flow", sorted(INTENTS))
NAME = refund_name("r-1")
MINOR, MAJOR = Dialect(card_refund_unit="minor"), Dialect(card_refund_unit="major")


def asked(amount_minor: int | None = 2_550, note="torn in transit") -> Operation:
    return Operation(name=NAME, amount_minor=amount_minor, note=note)


def request_of(payment, operation, dialect=MINOR):
    refund = FLOWS[payment.flow].refund
    assert refund is not None
    return refund(payment, operation, dialect)


def paid(flow, **changes):
    total = 50_000 if flow == "payin" else 10_000
    return created(INTENTS[flow](), **({"status": Status.SUCCEEDED, "paid_minor": total} | changes))


def reply_of(flow, word, **changes):
    """The reply to a refund in the shape of each flow's page."""
    body = BODIES[flow](word, **changes)
    if flow == "payin":
        body |= {"expried_at": "2027-01-16T08:00:00", "payin_notification": {"authorization_header": "****"}}
    if flow == "card":
        return {"total_amount": "100.0", "refund_amount": "25.5", "description": "torn", "payin_request": body}
    return body


def heard(payment, body):
    return sighting_of(payment, body, Source.REPLY, NAME)


# Requests


@pytest.mark.parametrize(
    ("flow", "dialect", "path", "body"),
    [
        (
            "payin",
            DIALECT,
            "/v2/payins/refund",
            {"uuid": UUID, "amount": Decimal("25.5"), "description": "torn in transit"},
        ),
        (
            "payid",
            DIALECT,
            "/v1/payment_requests/refund",
            {"payment_request_id": PAYID_REFERENCE, "refund_amount": Decimal("25.5"), "reason": "torn in transit"},
        ),
        (
            "card",
            MINOR,
            "/v2/cards/refund_payment",
            {"uuid": UUID, "refund_amount": 2550, "reason": "torn in transit"},
        ),
        (
            "card",
            MAJOR,
            "/v2/cards/refund_payment",
            {"uuid": UUID, "refund_amount": Decimal("25.5"), "reason": "torn in transit"},
        ),
    ],
)
def test_a_refund_names_the_payment_the_amount_and_the_reason_and_nothing_else(flow, dialect, path, body):
    request = request_of(paid(flow), asked(), dialect)
    assert (request.operation, request.method, request.path, request.query) == ("refund", "POST", path, ())
    assert (request.credentials, request.needs_access_token) == ("default", False)
    assert request.body == body
    assert {name: type(value) for name, value in (request.body or {}).items()} == {
        name: type(value) for name, value in body.items()
    }


def test_a_refund_is_asked_of_the_credentials_that_made_the_payment():
    assert request_of(paid("payin", credentials="default:PHP"), asked()).credentials == "default:PHP"


@pytest.mark.parametrize(
    ("currency", "amount_minor", "written"),
    [("VND", 1_000, 1_000), ("PHP", 1, Decimal("0.01")), ("PHP", 50_000, 500), ("USDC", 1, Decimal("0.000001"))],
)
def test_the_amount_of_a_refund_is_converted_exactly(currency, amount_minor, written):
    body = request_of(paid("payin", currency=currency), asked(amount_minor)).body
    assert body is not None
    assert (type(body["amount"]), body["amount"]) == (type(written), written)


@pytest.mark.parametrize(
    ("reference", "sent"),
    [("payid:123456", 123456), ("payid:0123", "0123"), ("payid:12a", "12a"), (f"payid:{'9' * 40}", "9" * 40)],
)
def test_d17_a_payid_is_named_by_its_integer_and_no_id_is_bent(reference, sent):
    body = request_of(paid("payid", reference=reference), asked()).body
    assert body is not None
    assert body["payment_request_id"] == sent
    assert type(body["payment_request_id"]) is type(sent)


@ON_FLOWS
def test_a_refund_without_an_amount_is_never_sent(flow):
    with pytest.raises(ValueError, match="no amount"):
        request_of(paid(flow), asked(None))


def test_a_card_refund_is_never_sent_in_a_unit_that_was_guessed():
    with pytest.raises(RefusedError) as error:
        request_of(paid("card"), asked(), DIALECT)
    assert error.value.code == "refund_unit_unconfigured"


def test_a_gateway_link_documents_no_refund():
    assert FLOWS["gateway_link"].refund is None


# Replies


@ON_FLOWS
@pytest.mark.parametrize(
    "word", ["return_pending", "waiting", "received", "pending", "authorised", "failed", "canceled", "expired", "new"]
)
def test_t40_a_refund_that_was_taken_is_pending_whatever_the_payment_inside_still_says(flow, word):
    sighting = heard(paid(flow), reply_of(flow, word))
    assert sighting.usable
    assert sighting.target.status is Status.REFUND_PENDING
    assert (sighting.operation, sighting.provider_status, sighting.review) == (NAME, word, ())
    assert (sighting.failure, sighting.next_action, sighting.paid_minor) == (None, None, None)


@ON_FLOWS
@pytest.mark.parametrize(
    ("word", "column"),
    [
        ("return_received", Stage.REFUNDED),
        ("refunded", Stage.REFUNDED),
        ("REFUNDED", Stage.REFUNDED),
        ("partially_refunded", Stage.PARTIALLY_REFUNDED),
        ("in_dispute", Stage.DISPUTED),
        ("dispute_lost", Stage.DISPUTE_LOST),
    ],
)
def test_t40_a_word_about_refunds_or_disputes_says_how_it_stands(flow, word, column):
    assert heard(paid(flow), reply_of(flow, word)).target.column is column


@ON_FLOWS
@pytest.mark.parametrize("word", ["return_rejected", "return_expired"])
def test_a_refund_may_fall_through_in_its_very_reply(flow, word):
    sighting = heard(paid(flow), reply_of(flow, word))
    assert (sighting.usable, sighting.refund_fell_through, sighting.target) == (True, True, None)


@ON_FLOWS
def test_t28_the_reply_is_read_in_the_pages_envelope_too(flow):
    sighting = heard(paid(flow), {"example": reply_of(flow, "waiting")})
    assert (sighting.usable, sighting.target.status) == (True, Status.REFUND_PENDING)


@ON_FLOWS
@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: None,
        lambda _: [],
        lambda _: "OK",
        lambda _: {},
        lambda _: {"status": "return_pending"},
        lambda _: {"uuid": UUID, "amount": 25.5, "description": "torn in transit"},
        lambda _: {"payment_request_id": PAYID_REFERENCE, "refund_amount": "25.5", "reason": "torn in transit"},
        lambda _: {"total_amount": "100.0", "refund_amount": "25.5", "description": "torn"},
        lambda _: {"total_amount": "100.0", "refund_amount": "25.5", "payin_request": None},
        lambda _: {"refund_amount": "25.5", "payin_request": {}},
        lambda _: {"errors": {"message": "Insufficient balance"}},
        lambda body: {"payin_request": [body]},
        lambda body: {**body, "id": None, "uuid": None, "payin_request": {"status": "waiting"}},
    ],
)
def test_a_reply_that_does_not_name_our_payment_is_unusable(flow, spoil):
    assert not heard(paid(flow), spoil(BODIES[flow]("return_pending"))).usable


@ON_FLOWS
def test_the_echo_of_another_payment_keeps_its_own_reference(flow):
    other = {"id": 999} if flow == "payid" else {"uuid": "OTHER1"}
    sighting = heard(paid(flow), reply_of(flow, "return_pending", **other))
    assert sighting.reference in {"uuid:OTHER1", "payid:999"}
    assert sighting.target.status is Status.REFUND_PENDING


@pytest.mark.parametrize(
    ("total", "returned", "minor"),
    [
        ("100.0", "25.5", 2550),
        (Decimal("100.0"), Decimal("25.5"), 2550),
        (100, 25, 2500),
        ("10000.0", "2550.0", 2550),
        (10000, 2550, 2550),
        ("200.0", "50.0", None),  # the page's own example beside another amount
        (None, "25.5", None),
        ("100.0", "some", None),
    ],
)
def test_d02_the_sum_of_a_cards_reply_is_read_in_the_unit_of_its_own_total(total, returned, minor):
    body = reply_of("card", "refunded") | {"total_amount": total, "refund_amount": returned}
    assert heard(paid("card"), body).refunded_minor == minor


def test_t27_a_card_reply_without_a_sum_beside_it_is_read_from_the_payment_inside():
    inside = {"total_amount": "100.0", "refund_amount": "25.5", "description": "torn"}
    body = {"payin_request": card_body("partially_refunded", refund_information=inside)}
    assert heard(paid("card"), body).refunded_minor == 2550


@pytest.mark.parametrize("returned", [Decimal("25.5"), "25.5", "25.50"])
def test_t27_a_payids_reply_has_its_sum_in_the_refund_information(returned):
    body = payid_body("return_received", refund_information={"refund_amount": returned, "reason": "torn"})
    assert heard(paid("payid"), body).refunded_minor == 2550


@ON_FLOWS
def test_a_reply_moves_the_payment_to_refund_pending_and_nothing_else(flow):
    before = paid(flow, settled=True, customer_paid=True)
    after = observe(before, heard(before, reply_of(flow, "received", paid_amount="0.0")), belief=BELIEF, now_ms=NOW_MS)
    assert (after.status, after.reason, after.before_refund) == (
        Status.REFUND_PENDING,
        None,
        (Status.SUCCEEDED, None),
    )
    assert (after.paid_minor, after.refunded_minor) == (before.paid_minor, 0)
    assert (after.settled, after.customer_paid, after.review) == (True, True, ())


def test_a_reply_moves_a_card_that_was_settling():
    before = paid("card", status=Status.PROCESSING, reason=Reason.SETTLING)
    after = observe(before, heard(before, reply_of("card", "waiting")), belief=BELIEF, now_ms=NOW_MS)
    assert (after.status, after.before_refund) == (Status.REFUND_PENDING, (Status.PROCESSING, Reason.SETTLING))


@ON_FLOWS
@pytest.mark.parametrize("source", [Source.REPLY, Source.WEBHOOK, Source.READ])
@pytest.mark.parametrize("operation", [None, "create", "capture"])
def test_outside_a_refunds_reply_words_keep_their_meaning(flow, source, operation):
    body = BODIES[flow]("received")
    target = sighting_of(paid(flow), body, source, operation).target
    assert target is not None
    assert target.status is Status.SUCCEEDED
    assert not sighting_of(paid(flow), {"payin_request": body}, source, operation).usable


@ON_FLOWS
def test_a_stored_reply_means_the_same_as_one_in_hand(flow):
    body = reply_of(flow, "partially_refunded")
    stored = json.loads(json.dumps(body, default=str))
    assert heard(paid(flow), stored) == heard(paid(flow), body)
