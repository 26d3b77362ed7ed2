from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.payment import CREATE, Operation, OperationState
from orchestrator.retention import Retention, is_over
from orchestrator.statuses import FINAL, Status
from tests.unit.core.building import NOW_MS, accepted, card_intent

DAY_MS = 86_400_000
KEPT = Retention(payment_ms=90 * DAY_MS, id_ms=400 * DAY_MS)


def ended(status=Status.SUCCEEDED, *, state=OperationState.DONE, **changes):
    payment = accepted(card_intent())
    create = replace(payment.operations[CREATE], state=state)
    return replace(payment.with_operation(create).moved(status, None, now_ms=NOW_MS), **changes)


@pytest.mark.parametrize("status", sorted(Status))
def test_only_what_came_to_an_end_is_over(status):
    assert is_over(ended(status)) is (status in FINAL)


@pytest.mark.parametrize("state", [OperationState.SENDING, OperationState.IN_DOUBT])
def test_what_is_under_way_or_in_doubt_is_not_over(state):
    refund = Operation(name="refund:r-1", state=state)

    assert not is_over(ended(Status.EXPIRED).with_operation(refund))


def test_a_refusal_that_nobody_was_told_of_keeps_its_payment():
    refund = Operation(name="refund:r-1", state=OperationState.REFUSED, untold=("code", "words"))

    assert not is_over(ended().with_operation(refund))


@pytest.mark.parametrize(("after_ms", "has_ended"), [(90 * DAY_MS - 1, False), (90 * DAY_MS, True)])
def test_its_time_is_counted_from_the_final_status(after_ms, has_ended):
    assert KEPT.has_ended(ended(), now_ms=NOW_MS + after_ms) is has_ended


def test_what_is_not_over_is_kept_for_ever():
    assert not KEPT.has_ended(ended(Status.DISPUTED), now_ms=NOW_MS + 10_000 * DAY_MS)
