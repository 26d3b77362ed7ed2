from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from orchestrator.events import Refused, payment_routing_key, refusal_event, rfc3339, source_of, status_event
from orchestrator.payment import CAPTURE, CREATE, OperationState, public_view
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Status
from tests.unit.core.building import accepted, capturing, card_intent, created, in_state

AT_MS = 1_795_226_584_567  # 2026-11-21T02:03:04.567Z
ACTION = {"type": "redirect", "purpose": "3ds", "url": "https://3ds.example/x"}
ASKED = created(card_intent(metadata={"cart": "7"}), status=Status.REQUIRES_ACTION, next_action=ACTION)


def event_of(payment, *, previous=None, sequence=2, observed_by=Source.REPLY, namespace=""):
    return json.loads(
        status_event(
            payment,
            previous=previous,
            sequence=sequence,
            observed_by=observed_by,
            now_ms=AT_MS,
            namespace=namespace,
        )
    )


def test_a_status_event_is_literally_the_one_of_the_interface():
    payment = replace(ASKED, provider_status="pending")
    assert event_of(payment, previous=public_view(accepted(card_intent()))) == {
        "specversion": "1.0",
        "id": "default/ord-1001:2",
        "type": "payment.requires_action",
        "source": "/payorch/default",
        "subject": "ord-1001",
        "time": "2026-11-21T02:03:04.567Z",
        "datacontenttype": "application/json",
        "sequence": "0000000002",
        "data": {
            "intent_id": "ord-1001",
            "merchant": "default",
            "flow": "card",
            "sequence": 2,
            "status": "requires_action",
            "previous_status": "accepted",
            "reason": None,
            "amount_minor": 10000,
            "currency": "AUD",
            "total_minor": 10000,
            "paid_minor": 0,
            "refunded_minor": 0,
            "customer_paid": False,
            "settled": False,
            "next_action": ACTION,
            "failure": None,
            "review": [],
            "provider": {"name": "hello_clever", "reference": "PSADT5CE", "status": "pending", "stage": None},
            "expires_at": None,
            "metadata": {"cart": "7"},
            "observed_by": "reply",
        },
    }


def test_it_is_a_cloudevent_to_others():
    event = JSONFormat().read(
        None, status_event(ASKED, previous=None, sequence=1, observed_by=Source.INTAKE, now_ms=AT_MS, namespace="")
    )
    assert isinstance(event, CloudEvent)
    assert event.get_id() == "default/ord-1001:1"
    assert event.get_extension("sequence") == "0000000001"
    assert event.get_subject() == "ord-1001"
    assert event.get_time() == datetime(2026, 11, 21, 2, 3, 4, 567000, tzinfo=UTC)


def test_the_namespace_stands_in_the_source():
    assert event_of(ASKED, namespace="staging.")["source"] == "/payorch/staging./default"
    assert source_of("shop-a", namespace="") == "/payorch/shop-a"


def test_the_routing_key_names_merchant_flow_and_status():
    assert payment_routing_key(event_of(ASKED)["data"]) == "payment.default.card.requires_action"


def test_the_first_event_has_no_previous_status():
    assert event_of(accepted(card_intent()), sequence=1)["data"]["previous_status"] is None


def test_sequences_sort_as_texts():
    assert [event_of(ASKED, sequence=n)["sequence"] for n in (9, 10, 1_000_000_000)] == [
        "0000000009",
        "0000000010",
        "1000000000",
    ]


@pytest.mark.parametrize(
    ("moment_ms", "written"), [(0, "1970-01-01T00:00:00.000Z"), (AT_MS, "2026-11-21T02:03:04.567Z")]
)
def test_times_are_rfc_3339_in_utc_with_milliseconds(moment_ms, written):
    assert rfc3339(moment_ms) == written
    assert rfc3339(None) is None


def test_text_beyond_ascii_stays_readable():
    body = status_event(
        created(card_intent(metadata={"who": "チュオン"})),
        previous=None,
        sequence=1,
        observed_by=Source.INTAKE,
        now_ms=AT_MS,
        namespace="",
    )
    assert "チュオン".encode() in body


# The public view


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (OperationState.READY, Status.ACCEPTED),
        (OperationState.SENDING, Status.ACCEPTED),
        (OperationState.IN_DOUBT, Status.IN_DOUBT),
    ],
)
def test_a_create_shows_only_when_its_outcome_is_unknown(state, status):
    assert public_view(in_state(accepted(card_intent()), CREATE, state)).status is status


@pytest.mark.parametrize("state", [OperationState.SENDING, OperationState.IN_DOUBT])
def test_a_running_capture_shows_only_while_it_may_start_from_the_observed_status(state):
    authorised = capturing(created(card_intent(), status=Status.REQUIRES_CAPTURE), state)
    shown = public_view(authorised)
    assert (shown.status, shown.reason) == (Status.PROCESSING, Reason.CAPTURING)
    later = in_state(created(card_intent(), status=Status.SUCCEEDED), CAPTURE, state)
    assert public_view(later).status is Status.SUCCEEDED


def test_action_and_failure_show_in_their_own_status_only():
    both = replace(ASKED, failure={"code": "x", "message": "y"})
    assert (public_view(both).next_action, public_view(both).failure) == (ACTION, None)
    failed = public_view(replace(both, status=Status.FAILED))
    assert (failed.next_action, failed.failure) == (None, {"code": "x", "message": "y"})
    done = public_view(replace(both, status=Status.SUCCEEDED))
    assert (done.next_action, done.failure) == (None, None)


# Refusals

BODY = b'{"intent_id": "ord-1"}'


def refused(**changes):
    fields = {"code": "missing_field", "message": "amount_minor is required.", "field": "amount_minor", "body": BODY}
    return Refused(**(fields | changes))


def test_a_refused_intent_is_one_event_named_by_its_body():
    event = json.loads(refusal_event(refused(merchant="shop-a", intent_id="ord-1"), now_ms=AT_MS, namespace=""))
    fingerprint = hashlib.sha256(BODY).hexdigest()
    assert event == {
        "specversion": "1.0",
        "id": f"refusal/{fingerprint}",
        "type": "intent.refused",
        "source": "/payorch/shop-a",
        "subject": "ord-1",
        "time": "2026-11-21T02:03:04.567Z",
        "datacontenttype": "application/json",
        "data": {
            "code": "missing_field",
            "message": "amount_minor is required.",
            "field": "amount_minor",
            "command": None,
            "intent_id": "ord-1",
            "body_sha256": fingerprint,
        },
    }


def test_an_unreadable_message_has_no_subject_and_an_unknown_merchant():
    event = json.loads(refusal_event(refused(), now_ms=AT_MS, namespace="staging."))
    assert "subject" not in event
    assert event["source"] == "/payorch/staging./unknown"
    assert JSONFormat().read(None, json.dumps(event)).get_type() == "intent.refused"


def test_a_refused_command_is_named_by_its_id():
    command = refused(command="cancel", command_id="c-1", merchant="shop-a", intent_id="ord-1")
    event = json.loads(refusal_event(command, now_ms=AT_MS, namespace=""))
    assert (event["id"], event["type"]) == ("refusal/shop-a/c-1", "command.refused")
    assert event["data"]["command"] == "cancel"
    assert refused(command="cancel").refusal_id == f"refusal/{hashlib.sha256(BODY).hexdigest()}"
