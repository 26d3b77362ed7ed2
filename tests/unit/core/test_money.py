from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.money import (
    AMOUNT_MAX,
    EXPONENTS,
    AmountError,
    from_major,
    from_minor,
    parse_number,
    to_major,
    with_gst,
)

CURRENCIES = st.sampled_from(sorted(EXPONENTS))
AMOUNTS = st.integers(1, AMOUNT_MAX)


@given(amount=AMOUNTS, currency=CURRENCIES)
def test_i7_major_units_and_back_is_the_same_amount_in_every_currency(amount, currency):
    assert from_major(to_major(amount, currency), currency) == amount


@given(amount=AMOUNTS, currency=CURRENCIES)
def test_i7_the_providers_string_with_a_tail_reads_as_the_same_amount(amount, currency):
    written = format(Decimal(to_major(amount, currency)), "f")
    assert from_major(written if "." in written else f"{written}.0", currency) == amount


@given(amount=AMOUNTS, currency=CURRENCIES)
def test_d14_major_units_are_written_without_exponent_or_float(amount, currency):
    number = to_major(amount, currency)
    written = format(number, "f") if isinstance(number, Decimal) else json.dumps(number)
    assert type(number) in {int, Decimal}
    assert set(written) <= set("0123456789.")
    assert not written.endswith(".0")


@given(amount=AMOUNTS)
def test_t07_minor_units_read_from_int_and_from_text_with_a_tail(amount):
    assert from_minor(amount) == from_minor(str(amount)) == from_minor(f"{amount}.0") == amount


@pytest.mark.parametrize(
    ("amount_minor", "currency", "written"),
    [
        (1_000_000, "VND", "1000000"),
        (10_000, "CAD", "100"),
        (1050, "USD", "10.5"),
        (1, "AUD", "0.01"),
        (500, "JPY", "500"),
        (1234, "KWD", "1.234"),
        (1, "USDC", "0.000001"),
        (500_000_000, "USDC", "500"),
        (10_000_000, "IDR", "100000"),
    ],
)
def test_d14_vectors_are_emitted_plainly(amount_minor, currency, written):
    number = to_major(amount_minor, currency)
    assert (format(number, "f") if isinstance(number, Decimal) else str(number)) == written


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        None,
        1.5,
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal(-1),
        -1,
        "-1",
        "+1",
        "1,000.00",
        "1 000",
        "1_000",
        "1e3",
        "1E+6",
        "NaN",
        "Infinity",
        "",
        " ",
        ".5",
        "5.",
        "0x10",
        "١٢",  # digits, but none of ours
        [],
        {},
        b"1",
    ],
)
def test_d14_what_needs_a_guess_is_no_number(value):
    with pytest.raises(AmountError):
        parse_number(value)


@pytest.mark.parametrize(
    "value",
    [10**400, 10**5000, Decimal("1E+999999999"), Decimal("1E-999999999")],
    ids=["400 digits", "5000 digits", "huge", "tiny"],
)
def test_d14_a_number_without_end_is_refused_at_once(value):
    with pytest.raises(AmountError):
        parse_number(value)


@given(st.integers(2**53, 10**24 - 1))
def test_i7_an_integer_beyond_a_floats_precision_is_read_exactly(value):
    assert parse_number(value) == value


@pytest.mark.parametrize(("value", "read"), [("0", 0), (" 100.0 ", 100), ("007", 7), (Decimal("1E+2"), 100)])
def test_d14_plain_numbers_are_read(value, read):
    assert parse_number(value) == read


@pytest.mark.parametrize(
    ("value", "currency"), [("10.5", "VND"), ("10.001", "AUD"), (Decimal("0.1"), "JPY"), ("0.0000001", "USDC")]
)
def test_d03_more_places_than_the_currency_has_is_an_error_and_not_rounded(value, currency):
    with pytest.raises(AmountError):
        from_major(value, currency)


def test_an_amount_that_json_readers_would_not_keep_is_refused():
    assert from_minor(AMOUNT_MAX) == 2**53 - 1
    with pytest.raises(AmountError):
        from_minor(AMOUNT_MAX + 1)


@given(AMOUNTS)
def test_d05_gst_is_a_tenth_on_top_or_nothing_at_all(amount):
    total = with_gst(amount)
    if amount % 10 == 0:
        assert total == amount + amount // 10
    else:
        assert total is None


@pytest.mark.parametrize(
    ("currency", "places"), [("AUD", 2), ("JPY", 0), ("XAF", 0), ("KWD", 3), ("CLF", 4), ("USDC", 6), ("IDR", 2)]
)
def test_exponents_are_those_of_iso_4217(currency, places):
    assert EXPONENTS[currency] == places
