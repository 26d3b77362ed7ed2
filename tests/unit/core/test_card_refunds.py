"""A card's refund_information counts only in the unit that it proves itself (D-02, T-27)."""

from __future__ import annotations

import pytest

from orchestrator.sighting import Source
from tests.unit.core.building import card_body, card_intent, created, sighting_of


@pytest.mark.parametrize(
    ("total", "returned", "minor"),
    [
        ("100.0", "25.5", 2550),
        ("10000.0", "2550.0", 2550),
        (10000, 2550, 2550),
        ("200.0", "50.0", None),  # the page's own example beside another amount
        (None, "50.0", None),
        ("1,000", "50.0", None),
        ("100.0", "many", None),
        ("100.0", None, None),
    ],
)
@pytest.mark.parametrize("amount", ["100.0", "10000.0"])
def test_d02_a_returned_sum_is_read_in_the_unit_of_its_own_total(amount, total, returned, minor):
    information = {"total_amount": total, "refund_amount": returned, "description": "torn"}
    body = card_body("return_received", amount=amount, total=amount, paid_amount=amount, refund_information=information)
    sighting = sighting_of(created(card_intent()), body, Source.READ)
    assert sighting.refunded_minor == minor
