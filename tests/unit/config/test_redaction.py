import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.redaction import MASK, TEXT_MAX, is_sensitive, passes_luhn, redact, redact_text

CARDS = [
    "4111111111111111",
    "4222222222222",
    "4000000000000000006",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "3530111333300000",
    "6200000000000005",
    "30569309025904",
    "36227206271667",
]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("around", ["{}", "card {} declined", "x{}y", "{} 12/27", "id-{}", "n={}"])
def test_card_number_is_masked_wherever_it_stands(card, around):
    spaced = " ".join(card[start : start + 4] for start in range(0, len(card), 4))
    for written in (card, spaced, spaced.replace(" ", "-")):
        assert written not in redact_text(around.format(written))


@given(st.sampled_from(CARDS), st.text(alphabet="0123456789", max_size=4))
def test_digits_after_a_card_number_do_not_hide_it(card, more):
    assert card not in redact_text(f"paid with {card}{more}.")


def test_card_number_as_a_number_is_masked():
    assert redact({"n": 4111111111111111, "at_ms": 1763709000123}) == {"n": MASK, "at_ms": 1763709000123}


@pytest.mark.parametrize(
    "harmless", ["1763709000123", "ord-1001", "4111111111111112", "default/ord-1001:2", "0000000002"]
)
def test_harmless_text_stays(harmless):
    assert redact_text(harmless) == harmless


@pytest.mark.parametrize(
    ("text", "canary"),
    [
        ("token tok_CANARY_1 used", "CANARY"),
        ("Authorization po1.ab12cd34.CANARYcanary refused", "CANARY"),
        ("connected to redis://user:CANARY@redis.internal:6379/0", "CANARY"),
        ("amqp://CANARY:CANARY@rabbit:5672//", "CANARY"),
        ("go to https://pay.example/3ds/CANARY?session=CANARY#CANARY now", "CANARY"),
        ("('https://pay.example/CANARY')", "CANARY"),
        ("Bearer CANARYCANARY", "CANARY"),
        ("{'secret-key': 'CANARY', 'x-api-key': 'CANARY'}", "CANARY"),
        ('{"access_token": "CANARY", "expires_in": 3600}', "CANARY"),
        ("password=CANARY other=1", "CANARY"),
        ("eyJhbGciOi.eyJDQU5BUlki.c2ln", "eyJDQU5BUlki"),
    ],
)
def test_secret_inside_a_text_is_masked(text, canary):
    shown = redact_text(text)
    assert canary not in shown
    assert MASK in shown


def test_address_keeps_its_host():
    assert redact_text("to amqps://u:p@rabbit.example:5671//") == f"to amqps://rabbit.example:5671/{MASK}"
    assert redact_text("on http://127.0.0.1:8080") == "on http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "key",
    (
        "secret provider_secret_key token accessToken Authorization authorization_header redirect_url url2 "
        "returnUrl returnurl success_urls body raw_body code otp pay_code pan card_number cvv X-Api-Key "
        "app-key email customer customer_email first_name account_number metadata headers set-cookie"
    ).split(),
)
def test_sensitive_key_is_masked_whatever_it_holds(key):
    assert is_sensitive(key)
    for value in ("CANARY", 7, ["CANARY"], {"a": "CANARY"}, None):
        assert redact({key: value}) == {key: MASK}


@pytest.mark.parametrize(
    "key",
    "intent_id merchant flow status_code routing_key body_sha256 duration_ms event level hourly".split(),
)
def test_harmless_key_is_shown(key):
    assert redact({key: "plain"}) == {key: "plain"}


def test_nested_values_are_searched():
    shown = redact({"data": [{"url": "CANARY", "n": 1}, ("tok_CANARY", {"deep": {"token": "CANARY"}})]})
    assert "CANARY" not in json.dumps(shown)
    assert shown["data"][0]["n"] == 1


def test_unknown_objects_are_searched_by_their_text():
    class Reply:
        def __repr__(self):
            return "Reply(secret=CANARY, tok_CANARY)"

    assert "CANARY" not in str(redact({"reply": Reply()}))


def test_endless_nesting_and_endless_text_are_cut():
    loop: list[object] = []
    loop.append(loop)
    assert MASK in str(redact({"loop": loop}))
    assert len(redact_text("x" * (TEXT_MAX * 2))) < TEXT_MAX + 50


@given(st.text())
def test_any_text_can_be_redacted_twice(text):
    once = redact_text(text)
    assert redact_text(once) == once


@pytest.mark.parametrize("piece", ["x", "1", "eyJ-", "secret", "a://", "tok_", "4 ", "po1.", "key=", "secret-"])
def test_time_grows_with_the_text_and_not_faster(piece):
    text = (piece * TEXT_MAX)[:TEXT_MAX]
    began = time.process_time()
    redact_text(text)
    assert time.process_time() - began < 2


def test_luhn_is_the_check_digit_of_cards():
    assert all(passes_luhn(card) for card in CARDS)
    assert not passes_luhn("4111111111111112")


def test_what_celery_says_of_a_task_that_it_received_shows_no_argument():
    told = {"name": "payments.command", "args": "('CANARY',)", "kwargs": "{'command': {'code': 'CANARY'}}"}
    assert redact({"data": told}) == {"data": told | {"args": MASK, "kwargs": MASK}}
