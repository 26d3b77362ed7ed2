from __future__ import annotations

import json

from tests.integration.cli.shelf import intent


def body_of(**changes):
    customer = {"name": "Hidden Person", "email": "hidden@example.com"}
    return json.dumps(intent(customer=customer, **changes)).encode()


def test_refusals_are_listed_newest_first_without_bodies(payorch, shelf):
    assert payorch("deadletters", "list").out == "no message was refused\n"
    shelf.refuse(1, "invalid_json", body=b"hidden{")
    shelf.refuse(2, "amount_not_integer", body=body_of(), merchant="default", intent_id="ord-1")
    entries = payorch("deadletters", "list", "--json").json_lines
    assert [entry["code"] for entry in entries] == ["amount_not_integer", "invalid_json"]
    assert entries[0]["payment"] == "default/ord-1"
    assert "body" not in entries[0]
    table = payorch("deadletters", "list")
    assert [line.split()[2] for line in table.out.splitlines()] == ["code", "amount_not_integer", "invalid_json"]
    assert "hidden" not in table.out.lower()


def test_refusals_are_found_by_code_and_merchant_over_pages(payorch, shelf, monkeypatch):
    monkeypatch.setattr("workers.cli.refusals.PAGE", 2)
    for number in range(7):
        code = "no_flow" if number % 3 == 0 else "invalid_json"
        shelf.refuse(number, code, body=b"{}", merchant="books" if number > 3 else "default")

    def found(*arguments):
        entries = payorch("deadletters", "list", "--json", *arguments).json_lines
        return [int(entry["refusal_id"].partition("/")[2]) for entry in entries]

    assert found() == [6, 5, 4, 3, 2, 1, 0]
    assert found("--code", "no_flow") == [6, 3, 0]
    assert found("--code", "no_flow", "--merchant", "default") == [3, 0]
    cut = payorch("deadletters", "list", "--limit", "2")
    assert len(cut.out.splitlines()) == 3
    assert "--limit" in cut.err


def test_a_body_is_shown_by_its_shape_alone(payorch, shelf):
    shelf.refuse(1, "amount_not_integer", body=body_of(amount_minor=1.5), message="See https://x.example/hidden")
    (entry,) = payorch("deadletters", "list", "--json").json_lines
    said = payorch("deadletters", "show", entry["id"])
    assert said.status == 0
    assert "hidden" not in said.out.lower()
    shown = payorch("deadletters", "show", entry["id"], "--json").json
    assert shown["body"] == {
        "intent_id": "ord-1",
        "amount_minor": 1.5,
        "currency": "AUD",
        "description": "***",
        "method": {"token": "***", "return_url": "***"},
        "customer": {"name": "***", "email": "***"},
    }


def test_a_secret_in_the_place_of_a_harmless_value_or_a_name_is_masked(payorch, shelf):
    card = "4111111111111111"
    body = {"currency": card, "merchant": "tok_hidden", "type": "https://x.example", card: 1, "intent_id": [card]}
    shelf.refuse(1, "invalid_value", body=json.dumps(body).encode())
    (entry,) = payorch("deadletters", "list", "--json").json_lines
    shown = payorch("deadletters", "show", entry["id"], "--json").out
    assert card not in shown
    assert "tok_hidden" not in shown
    assert "x.example" not in shown


def test_a_body_that_is_no_json_shows_its_length(payorch, shelf):
    shelf.refuse(1, "invalid_json", body=b"\xff hidden")
    shelf.refuse(2, "too_deep", body=b"[" * 5000 + b"]" * 5000)
    entries = payorch("deadletters", "list", "--json").json_lines
    shown = [payorch("deadletters", "show", entry["id"], "--json").json["body"] for entry in entries]
    assert shown[1] == "(8 bytes that are no JSON)"
    assert len(json.dumps(shown[0])) < 500


def test_an_unknown_refusal_ends_with_1(payorch, shelf):
    said = payorch("deadletters", "show", "1-0")
    assert (said.status, said.out) == (1, "")
