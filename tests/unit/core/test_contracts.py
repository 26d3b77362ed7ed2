"""The contracts for programs: what is accepted and published fits them, and the committed files are they."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.commands import COMMANDS, parse_command
from orchestrator.contracts import NAMES, contract
from orchestrator.errors import RefusedError
from orchestrator.events import Refused, refusal_event, status_event
from orchestrator.flows import FLOWS
from orchestrator.intent import PaymentIntent, parse_intent
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Status
from tests.unit.core.building import (
    NOW_MS,
    accepted,
    card_intent,
    created,
    gateway_intent,
    payid_intent,
    payin_intent,
)
from workers.cli.contracts import file_name, written

FILES = Path(__file__).parents[3] / "docs" / "contracts"
SCHEMAS = [name for name in NAMES if name != "asyncapi"]
INTENTS = {"card": card_intent, "payin": payin_intent, "payid": payid_intent, "gateway_link": gateway_intent}
COMMAND = {"intent_id": "ord-1", "command_id": "c-1"}
ITEM = {"id": "1", "name": "Cup", "quantity": 2, "price_minor": 2500}
FIELDS: dict[str, dict[str, Any]] = {
    "confirm_otp": {"code": "1234"},
    "refund": {"refund_id": "r-1", "amount_minor": 5, "reason": "Torn."},
}
METHODS: dict[str, dict[str, Any]] = {
    "card": {"type": "card", "token": "tok_1", "return_url": "https://a.example/", "capture": "manual"},
    "payin": {"payin_method_name": "jp_bank_jpy", "payin_method_params": {"user_id": "1"}},
    "payid": {"gst": True, "emails": ["a@b.example"]},
    "gateway_link": {"success_url": "https://a.example/", "items": [ITEM], "shipping": {"city": "Rome"}},
}
COMMON = {"merchant": "books", "expires_at": "2027-01-15T09:00:00Z", "send_within_s": 60, "metadata": {"a": "b"}}


def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        contract(name), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_contract_is_the_one_of_the_code(name):
    is_current = (FILES / file_name(name)).read_text(encoding="utf-8") == written(name)
    assert is_current, "run payorch contracts --out docs/contracts"


def test_no_contract_is_committed_that_the_code_does_not_have():
    assert {path.name for path in FILES.iterdir()} == {file_name(name) for name in NAMES}


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_a_json_schema_of_2020_12(name):
    jsonschema.Draft202012Validator.check_schema(contract(name))


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("changes", [{}, METHODS, COMMON], ids=["least", "method", "common"])
def test_an_intent_that_is_accepted_fits(flow, changes):
    intent = INTENTS[flow](**({"method": METHODS[flow]} if changes is METHODS else changes))
    parse_intent(intent)
    validator("intent").validate(intent)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_minor": "10000"},
        {"amount_minor": 0},
        {"amount_minor": 2**53},
        {"intent_id": "a b"},
        {"merchant": "Books"},
        {"extra": 1},
        {"description": ""},
        {"currency": None},
        {"method": {"token": "4111"}},
        {"method": {"token": "tok_1", "return_url": "https://a.example/", "card": 1}},
        {"customer": {"nick": "x"}},
        {"metadata": {"a": 1}},
        {"send_within_s": 0},
        {"expires_at": 5},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(changes):
    intent = card_intent(**changes)
    assert list(validator("intent").iter_errors(intent))
    with pytest.raises(RefusedError):
        parse_intent(intent)


def test_every_field_of_an_intent_is_in_its_contract():
    assert set(contract("intent")["properties"]) == set(PaymentIntent.model_fields)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_accepted_fits_and_one_without_its_fields_does_not(name):
    command: dict[str, Any] = {"command": name, "merchant": "books"} | COMMAND | FIELDS.get(name, {})
    parse_command(command)
    validator("command").validate(command)
    for bad in ({**command, "extra": 1}, {key: command[key] for key in command if key != "command_id"}):
        assert list(validator("command").iter_errors(bad))
        with pytest.raises(RefusedError):
            parse_command(bad)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("flow", FLOWS)
def test_the_event_of_every_status_of_every_flow_fits(flow, status):
    payment = created(
        INTENTS[flow](), status=status, reason=Reason.SETTLING if status is Status.PROCESSING else None
    ).moved(status, None, now_ms=NOW_MS)
    event = status_event(payment, previous=None, sequence=7, observed_by=Source.READ, now_ms=NOW_MS, namespace="")
    validator("status-event").validate(json.loads(event))


def test_an_event_says_all_that_its_contract_requires_and_nothing_else():
    event = json.loads(
        status_event(
            accepted(card_intent()), previous=None, sequence=1, observed_by=Source.INTAKE, now_ms=NOW_MS, namespace="n"
        )
    )
    schema = contract("status-event")
    assert set(event) == set(schema["required"]) == set(schema["properties"])
    data = schema["$defs"]["StatusData"]
    assert set(event["data"]) == set(data["required"]) == set(data["properties"])


@pytest.mark.parametrize(
    "known", [{}, {"merchant": "books", "intent_id": "ord-1", "command": "refund", "command_id": "c"}]
)
def test_the_event_of_a_refusal_fits(known):
    refused = Refused(code="no_flow", message="No flow matches.", field=None, body=b"{", **known)
    event = json.loads(refusal_event(refused, now_ms=NOW_MS, namespace=""))
    validator("refusal-event").validate(event)
    assert set(event["data"]) == set(contract("refusal-event")["$defs"]["RefusalData"]["properties"])


def test_every_reference_of_the_asyncapi_document_leads_somewhere():
    document = contract("asyncapi")

    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(document))
    for reference in found:
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    assert {f"#/components/messages/{name}" for name in SCHEMAS} <= found
