"""Each assumption about the provider can be corrected by an operator (contract 4.3)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from orchestrator.dialect import DIALECT, Dialect
from orchestrator.flows import FLOWS, READS, Notification, reads_of
from orchestrator.flows import card as card_flow
from orchestrator.intent import parse_intent
from orchestrator.payment import CREATE, new_payment
from orchestrator.sighting import AmountCheck, Source
from orchestrator.statuses import Reason, Status
from tests.unit.core.building import NOW_MS, card_intent, payin_intent

HOOK = Notification(endpoint_url="https://w.example/h", authorization="po1.x.y")


def payment(intent, dialect=DIALECT, **fields):
    made = new_payment(parse_intent(intent), dialect=dialect, now_ms=NOW_MS)
    return replace(made, reference="uuid:PSADT5CE", **fields)


def test_d02_card_requests_are_minor_units_unless_somebody_found_otherwise():
    asked = payment(card_intent(amount_minor=1050))
    body = card_flow.create_request(asked, HOOK).body
    major = card_flow.create_request(asked, HOOK, Dialect(card_request_unit="major")).body
    assert body is not None
    assert major is not None
    assert (body["amount"], major["amount"]) == (1050, Decimal("10.5"))


@pytest.mark.parametrize(
    ("unit", "check"), [("auto", AmountCheck.OK), ("minor", AmountCheck.OK), ("major", AmountCheck.MISMATCH)]
)
def test_d02_a_unit_that_is_known_is_not_guessed(unit, check):
    asked = payment(card_intent(amount_minor=1000))
    reply = {"uuid": "PSADT5CE", "status": "received", "amount": "1000.0", "total": "1000.0", "paid_amount": "1000.0"}
    seen = card_flow.interpret(asked, reply, source=Source.READ, dialect=Dialect(card_response_unit=unit))
    assert seen.amount is check


@pytest.mark.parametrize(
    ("means", "status"), [("requires_action", Status.REQUIRES_ACTION), ("processing", Status.PROCESSING)]
)
def test_d07_waiting_with_3ds_means_what_is_configured(means, status):
    reply = {"uuid": "PSADT5CE", "status": "waiting", "pay_code": {"3ds_url": "https://3ds.example/x"}}
    seen = card_flow.interpret(
        payment(card_intent()),
        reply,
        source=Source.REPLY,
        operation=CREATE,
        dialect=Dialect(card_waiting_with_3ds=means),
    )
    assert seen.target is not None
    assert seen.target.status is status
    assert seen.target.reason is (Reason.SETTLING if means == "processing" else None)


@pytest.mark.parametrize(("captures", "capture"), [(True, "automatic"), (False, "manual")])
def test_an_intent_that_does_not_say_capture_means_what_is_configured(captures, capture):
    dialect = Dialect(card_captures_itself=captures)
    assert payment(card_intent(), dialect).terms["method"]["capture"] == capture
    said = card_intent()
    said["method"]["capture"] = "manual"
    assert payment(said, Dialect()).terms["method"]["capture"] == "manual"


@pytest.mark.parametrize(
    ("currency", "method", "gst"), [("AUD", "au_payid_npp_aud", True), ("PHP", "ph_bank_maya_php", False)]
)
def test_d05_gst_that_is_not_said_is_the_configured_one_and_in_aud_only(currency, method, gst):
    intent = payin_intent(currency=currency, method={"payin_method_name": method, "payin_method_params": {}})
    made = payment(intent, Dialect(gst_default=True))
    assert made.terms["method"]["gst"] is gst
    assert made.total_minor == (made.amount_minor or 0) * (11 if gst else 10) // 10


def test_paths_and_reads_are_those_configured():
    asked = payment(card_intent())
    assert card_flow.capture_request(asked, Dialect(card_capture_path="/v2/x")).path == "/v2/x"
    assert READS["payid_status"](asked, Dialect(payid_status_path="/v1/y")).path == "/v1/y"
    assert reads_of("card", Dialect(reads={"card": ("card_payment",)})) == (READS["card_payment"],)
    assert reads_of("gateway_link", Dialect(reads={"gateway_link": ("payid_status",)})) == (READS["payid_status"],)
    assert [reads_of(flow, DIALECT) for flow in FLOWS] == [flow.reads for flow in FLOWS.values()]
