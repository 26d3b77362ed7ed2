"""A look out of turn: what can be asked, and that it is asked at once and not again and again."""

from __future__ import annotations

import pytest

from orchestrator.dialect import DIALECT
from orchestrator.looks import asked_to_look, why_not_asked
from orchestrator.next_step import Read, ScanList, Wait, looked, next_step
from orchestrator.payment import CREATE, OperationState
from orchestrator.policy import Policy
from orchestrator.ports import CallClass
from orchestrator.statuses import Status
from tests.unit.core.building import NOW_MS, accepted, card_intent, created, gateway_intent, in_state
from tests.unit.core.deciding import lost, lost_refund

POLICY = Policy()
REFUSED = in_state(accepted(card_intent(), status=Status.FAILED), CREATE, OperationState.REFUSED)


def step(payment, *, now_ms=NOW_MS):
    return next_step(payment, policy=POLICY, now_ms=now_ms)


@pytest.mark.parametrize("status", [Status.REQUIRES_ACTION, Status.SUCCEEDED, Status.FAILED, Status.EXPIRED])
def test_a_payment_with_a_reference_is_read_at_once_whatever_its_status(status):
    payment = created(card_intent(), status=status, looked_at_ms=NOW_MS)
    assert step(asked_to_look(payment, dialect=DIALECT)) == Read(call_class=CallClass.CONFIRM)


@pytest.mark.parametrize("flow", ["card", "payin"])
def test_a_lost_create_is_looked_up_in_the_list_once_out_of_turn(flow):
    waiting = lost(flow)
    for _ in range(4):
        waiting = looked(waiting, now_ms=NOW_MS)
    assert isinstance(step(waiting), Wait)
    asked = asked_to_look(waiting, dialect=DIALECT)
    assert step(asked) == ScanList()
    assert isinstance(step(looked(asked, now_ms=NOW_MS)), Wait)


@pytest.mark.parametrize(
    ("payment", "words"),
    [
        (accepted(card_intent()), "not sent"),
        (in_state(accepted(card_intent()), CREATE, OperationState.SENDING), "on the wire"),
        (lost("gateway_link"), "no list"),
        (lost("payid"), "no list"),
        (REFUSED, "no id"),
    ],
)
def test_where_there_is_nothing_to_ask_the_reason_is_told_and_nothing_changes(payment, words):
    assert words in (why_not_asked(payment, dialect=DIALECT) or "")
    assert asked_to_look(payment, dialect=DIALECT) is payment


def test_a_flow_without_a_read_is_not_asked():
    assert "no read" in (why_not_asked(created(gateway_intent()), dialect=DIALECT) or "")
    assert why_not_asked(lost_refund(), dialect=DIALECT) is None


def test_a_look_that_was_asked_for_and_not_made_is_forgotten_with_the_reference():
    payment = asked_to_look(lost(), dialect=DIALECT)
    failed = in_state(payment, CREATE, OperationState.REFUSED).moved(Status.FAILED, None, now_ms=NOW_MS)
    assert step(failed) == Wait(due_at_ms=None)
