from __future__ import annotations

import pytest

from sandbox.methods import METHODS
from sandbox.money import EXPONENTS, decimal_of, gst_minor_of, major_of, minor_of
from sandbox.pay_codes import MAKERS
from sandbox.payments import MOVES
from sandbox.receipts import PAYABLE


def test_every_status_that_can_be_reached_says_where_it_goes():
    assert set().union(*MOVES.values()) <= set(MOVES)


def test_nothing_goes_back_to_pending_and_a_lost_dispute_is_the_end():
    assert not any("pending" in targets for targets in MOVES.values())
    assert MOVES["dispute_lost"] == frozenset()


def test_whatever_can_be_paid_can_become_waiting_or_received():
    assert all({"waiting", "received"} <= MOVES[status] for status in PAYABLE)


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_each_method_has_a_known_currency_and_a_way_to_pay(method):
    assert method.currency in EXPONENTS
    assert method.pays_by in MAKERS


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "AUD", "12.5"),
        (1200, "AUD", "12.0"),
        (1, "AUD", "0.01"),
        (1000000, "VND", "1000000.0"),
        (1, "USDC", "0.000001"),
        (10**14, "JPY", "100000000000000.0"),
    ],
)
def test_amounts_are_written_with_a_tail_and_without_exponent(minor, currency, text):
    major = major_of(minor, currency)
    assert str(major) == text
    assert minor_of(major, currency) == minor


@pytest.mark.parametrize("raw", [True, None, "", "NaN", "Infinity", "1,000", [], {}, "1e400", 10**40])
def test_what_is_no_amount_is_none(raw):
    assert decimal_of(raw) is None


@pytest.mark.parametrize(("amount", "tax"), [(10000, 1000), (1055, 106), (1, 0), (5, 1)])
def test_gst_is_a_tenth_rounded_half_up(amount, tax):
    assert gst_minor_of(amount) == tax
