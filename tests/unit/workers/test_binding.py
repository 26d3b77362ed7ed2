from __future__ import annotations

import pytest

from workers.binding import matches

KEY = "payment.default.card.succeeded"


@pytest.mark.parametrize(
    "binding",
    [KEY, "#", "payment.#", "payment.*.*.succeeded", "#.succeeded", "payment.#.card.#", "*.*.*.*", "payment.#.#"],
)
def test_a_binding_takes_the_keys_it_describes(binding):
    assert matches(binding, KEY)


@pytest.mark.parametrize(
    "binding",
    ["", "payment", "payment.*", "payment.*.card", "refusal.#", "*.*.*", "*.*.*.*.*", "payment.*.*.failed", "pay*.#"],
)
def test_a_binding_takes_no_other_key(binding):
    assert not matches(binding, KEY)


def test_a_hash_may_stand_for_no_word_at_all():
    assert matches("payment.#", "payment")
