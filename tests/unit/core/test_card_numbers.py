from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.card_numbers import find_card_number, mask_body, mask_text


def checked(prefix: str, length: int) -> str:
    """A number of this length that passes Luhn."""
    body = prefix + "0" * (length - len(prefix) - 1)
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def broken(number: str) -> str:
    return number[:-1] + str((int(number[-1]) + 1) % 10)


# Brand prefixes and lengths as interface 1 lists them.
LISTED = [
    *(("4", length) for length in (13, 16, 19)),
    *((prefix, 16) for prefix in ("51", "53", "55", "2221", "2300", "2720")),
    ("34", 15),
    ("37", 15),
    *((prefix, length) for prefix in ("6011", "644", "649", "65") for length in range(16, 20)),
    *((prefix, length) for prefix in ("3528", "3589", "62") for length in range(16, 20)),
    *((prefix, length) for prefix in ("36", "38", "39", "300", "305") for length in range(14, 20)),
]
NOT_LISTED = [
    ("4", 12),
    ("4", 14),
    ("4", 15),
    ("4", 17),
    ("4", 18),
    ("51", 15),
    ("51", 17),
    ("50", 16),
    ("56", 16),
    ("2220", 16),
    ("2721", 16),
    ("34", 16),
    ("35", 15),
    ("6012", 16),
    ("643", 16),
    ("65", 15),
    ("3527", 16),
    ("3590", 16),
    ("62", 15),
    ("36", 13),
    ("306", 14),
    ("1", 16),
    ("0", 16),
]
CARDS = st.sampled_from([checked(prefix, length) for prefix, length in LISTED])
VISA = "4111111111111111"


@pytest.mark.parametrize(("prefix", "length"), LISTED)
def test_each_brand_and_length_is_found(prefix, length):
    assert find_card_number({"description": f"pay {checked(prefix, length)} now"}) == "description"


@pytest.mark.parametrize(("prefix", "length"), NOT_LISTED)
def test_other_prefixes_and_lengths_are_no_card_numbers(prefix, length):
    assert find_card_number({"description": checked(prefix, length)}) is None


@pytest.mark.parametrize(("prefix", "length"), LISTED)
def test_a_number_that_fails_luhn_is_no_card_number(prefix, length):
    assert find_card_number({"description": broken(checked(prefix, length))}) is None


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111  1111 - 1111 1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "order 12 4111 1111 1111 1111 34",
        "x4111111111111111y",
        "4111111111111111 2030",
        "3782 822463 10005",
    ],
)
def test_groups_with_spaces_and_hyphens_are_read_together(text):
    assert find_card_number({"metadata": {"note": text}}) == "metadata.note"


@pytest.mark.parametrize("text", ["41111111111111111111111", "4111.1111.1111.1111", "4111/1111/1111/1111", "", "4"])
def test_a_longer_run_or_other_separators_make_no_card_number(text):
    assert find_card_number({"description": text}) is None


def test_it_is_found_in_every_string_and_named_by_its_path():
    assert find_card_number({"method": {"token": VISA}}) == "method.token"
    assert find_card_number({"method": {"items": [{"id": "1"}, {"id": VISA}]}}) == "method.items[1].id"
    assert find_card_number({"metadata": {VISA: "x"}}) == f"metadata.{VISA}"
    assert find_card_number({"method": {"payin_method_params": {"note": VISA}}}) is not None


@pytest.mark.parametrize("name", ["account_number", "payer_account_no", "document_number"])
def test_the_documented_account_fields_and_the_intent_id_are_left_out(name):
    assert find_card_number({"intent_id": VISA}) is None
    assert find_card_number({"method": {"payin_method_params": {name: VISA}}}) is None
    assert find_card_number({"customer": {name: VISA}}) == f"customer.{name}"
    assert find_card_number({"metadata": {"intent_id": VISA}}) == "metadata.intent_id"


def test_an_account_field_excuses_only_its_own_text():
    nested = {"account_number": {"deeper": VISA}}
    hidden = {"payin_method_params": {"account_number": VISA}}
    assert find_card_number({"method": {"payin_method_params": nested}}) is not None
    assert find_card_number({"method": {"payin_method_params": hidden}}) is not None


@given(st.text(alphabet="0123456789 -ax", max_size=40), CARDS, st.text(alphabet="0123456789 -ax", max_size=40))
def test_i8_a_masked_text_holds_no_card_number(before, card, after):
    assert find_card_number({"x": mask_text(before + card + after)}) is None


@given(CARDS)
def test_a_masked_number_keeps_its_shape_and_last_four(card):
    masked = mask_text(f"<{card}>")
    assert masked == f"<{'*' * (len(card) - 4)}{card[-4:]}>"


def test_masking_keeps_the_separators():
    assert mask_text("4111-1111 1111-1111") == "****-**** ****-1111"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"note": VISA}).encode(),
        b'{"note": "\\u0034111111111111111"}',
        b'{"note": 4111111111111111}',
        b'{"note": 4111111111111111.0}',
        b'{"4111111111111111": 1}',
        b'{"list": [["4111 1111 1111 1111"]]}',
        b"no json at all, 4111111111111111",
        b'{"note": "4111111111111111"',
        b'{"note": "\\u0034111111111111111"',
        b'{"note": "\\u0034111111111111111", "note": "x"}',
        b'{"note": "4111\\u002d1111\\u00201111\\u002D1111"',
        b"\xff 4111111111111111",
    ],
)
def test_i8_a_kept_body_holds_no_card_number_however_it_was_written(body):
    kept, masked = mask_body(body)
    assert masked
    assert find_card_number({"body": kept.decode()}) is None
    assert b"u0034" not in kept


@pytest.mark.parametrize("body", [b'{"a": "\\u0034711"}', b'{"a": 1.50}', b"\xff", b"", b'{"a":1,"a":2}', b'{"a": "'])
def test_a_body_without_a_card_number_is_kept_byte_by_byte(body):
    assert mask_body(body) == (body, False)


def test_i9_a_large_body_full_of_card_numbers_is_masked_in_no_time():
    body = b"4111111111111111 " * 20_000
    started = time.process_time()
    kept, masked = mask_body(body)
    assert masked
    assert kept == b"************1111 " * 20_000
    assert time.process_time() - started < 5


def test_i9_a_message_of_many_digit_groups_is_searched_in_no_time():
    text = "4 " * 16_000
    started = time.process_time()
    assert find_card_number({"description": text}) is None
    assert mask_text(text) == text
    assert time.process_time() - started < 5
