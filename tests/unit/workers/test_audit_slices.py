from __future__ import annotations

from collections import Counter

import pytest

from orchestrator.identity import PaymentKey, shard_of
from workers.audit_slices import slices_of

KEYS = [PaymentKey(merchant="default", intent_id=f"ord-{number}") for number in range(500)]


@pytest.mark.parametrize("most", [1, 7, 100, 10_000])
@pytest.mark.parametrize("lengths", [[0] * 8, [100, 0, 3, 250, 4, 4, 4, 99], [1] * 8])
def test_every_payment_is_in_exactly_one_slice(lengths, most):
    slices = list(slices_of(lengths, most=most))
    counts = Counter(key for each in slices for key in KEYS if each.takes(key, shard_of(key, shards=len(lengths))))
    assert counts == dict.fromkeys(KEYS, 1)


def test_small_logs_are_read_together_and_a_long_one_in_parts():
    slices = list(slices_of([30, 30, 30, 250, 10], most=100))
    assert [(each.shards, each.part, each.parts) for each in slices] == [
        ((0, 1, 2), 0, 1),
        ((3,), 0, 3),
        ((3,), 1, 3),
        ((3,), 2, 3),
        ((4,), 0, 1),
    ]
