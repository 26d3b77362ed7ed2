from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.provider_error import ProviderError, parse_error

SHAPES = [
    (
        401,
        {"errors": {"code": "REQUIRE_LOGIN", "message": "Not Authorised"}},
        "REQUIRE_LOGIN",
        "Not Authorised",
    ),
    (
        422,
        {"errors": {"message": "Invalid amount. Please enter a value greater than 0.5."}},
        None,
        "Invalid amount. Please enter a value greater than 0.5.",
    ),
    (404, {"errors": {"message": "Token ID not found."}}, None, "Token ID not found."),
    (
        422,
        {"errors": {"refund_amount": "can't be blank", "reason": " can't be blank"}},
        None,
        "refund_amount: can't be blank; reason: can't be blank",
    ),
    (422, {"errors": {"email": ["is invalid", "is taken"]}}, None, "email: is invalid; email: is taken"),
    (422, {"errors": ["first", {"code": 17, "message": "second"}]}, "17", "first; second"),
    (400, {"errors": "plainly wrong"}, None, "plainly wrong"),
    (400, {"error": "wrong"}, None, "wrong"),
    (400, {"error": {"code": "X1", "message": "wrong"}}, "X1", "wrong"),
    (400, {"message": "wrong", "code": "X2"}, "X2", "wrong"),
    (400, {"errors": {}, "message": "wrong"}, None, "wrong"),
    (400, {"error_code": "issuer_declined", "error_message": "Declined"}, "issuer_declined", "Declined"),
    (400, ["a", "b", "a"], None, "a; b"),
    (400, "only words", None, "only words"),
    (
        502,
        "<html><head><title>502 Bad Gateway</title><script>var a=1;</script></head><body>nginx</body></html>",
        None,
        "502 Bad Gateway nginx",
    ),
    (400, None, None, "HTTP 400 without an explanation"),
    (400, {}, None, "HTTP 400 without an explanation"),
    (400, {"errors": {"code": None, "message": None}}, None, "HTTP 400 without an explanation"),
    (400, {"errors": True}, None, "HTTP 400 without an explanation"),
    (400, {"name": "Jane", "email": "jane@example.com"}, None, "HTTP 400 without an explanation"),
]


@pytest.mark.parametrize(("status", "body", "code", "message"), SHAPES)
def test_every_shape_of_an_error_body_becomes_one(status, body, code, message):
    assert parse_error(status, body) == ProviderError(http_status=status, code=code, message=message)


SECRETS = [
    ("card 4111 1111 1111 1111 declined", "4111"),
    ("card 4111-1111-1111-1111 declined", "4111"),
    ("card 4111111111111111 declined", "4111"),
    ("pay at https://pay.example/oneclick?payment=abc", "pay.example"),
    ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln refused", "eyJ"),
    ("token tok_dfe1988a1ffc0d6562d3 refused", "dfe1988a"),
    ("secret-key: hunter2 refused", "hunter2"),
    ("secret_key=hunter2 refused", "hunter2"),
    ('{"authorization_header": "hunter2"} refused', "hunter2"),
    ("Authorization: Bearer hunter2 refused", "hunter2"),
    ("sent Bearer abc123def456 refused", "abc123"),
    ("unknown " + "k" * 44 + " refused", "kkkk"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
@pytest.mark.parametrize(
    "wrap", [lambda t: t, lambda t: {"errors": {"message": t}}, lambda t: {"errors": {"field": [t]}}]
)
def test_no_secret_of_the_reply_stays_in_the_message(text, secret, wrap):
    message = parse_error(422, wrap(text)).message
    assert secret not in message
    assert "[" in message


@pytest.mark.parametrize(
    "text",
    [
        "app-id is invalid",
        "card_number_invalid",
        "basic plan only",
        "Bearer token is missing",
        "amount < 5 and > 3",
    ],
)
def test_ordinary_words_stay_as_they_are(text):
    assert parse_error(422, {"error": text}).message == text


def test_a_secret_behind_the_cut_is_redacted_before_it():
    message = parse_error(400, {"error": "x " * 145 + "4111111111111111"}).message
    assert "4111" not in message
    assert len(message) <= 300


def test_the_message_is_one_line_without_control_characters():
    assert parse_error(400, {"error": "a\r\nb\x00\x1b[31mc\u202ed"}).message == "a b [31mc d"


def test_a_long_message_is_cut_to_300_characters_and_a_code_to_64():
    error = parse_error(400, {"errors": {"code": "C" * 39 + " " + "D" * 39, "message": "no " * 500}})
    assert len(error.message) == 300
    assert error.code is not None
    assert len(error.code) == 64


def test_a_huge_and_deep_body_is_read_in_part():
    deep: object = "bottom"
    for _ in range(500):
        deep = {"errors": deep}
    assert parse_error(400, deep).message == "HTTP 400 without an explanation"
    assert len(parse_error(400, {"errors": ["wrong"] * 1_000_000}).message) <= 300
    assert parse_error(400, {"errors": "<script" * 100_000}).http_status == 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["errors", "error", "code", "message", "amount"]) | st.text(), inner)
    ),
)


@given(json_values)
def test_any_body_gives_a_short_printable_message(body):
    error = parse_error(422, body)
    assert 0 < len(error.message) <= 300
    assert error.message == error.message.strip()
    assert "\n" not in error.message
    assert error.code is None or 0 < len(error.code) <= 64
    assert json.loads(json.dumps(error.message)) == error.message
    error.message.encode()
