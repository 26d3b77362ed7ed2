"""What one commit can reach: along the matrix and our own moves, and nowhere else."""

from __future__ import annotations

import pytest

from orchestrator.course import reachable
from orchestrator.flows import FLOWS
from orchestrator.statuses import MATRIX, Move, Stage

OPEN = {Stage.ACCEPTED, Stage.DOUBT, Stage.ACTION, Stage.AUTHORISED, Stage.AWAIT, Stage.CONFIRM, Stage.CAPTURING}
UNPAID = OPEN | {Stage.SETTLING, Stage.FAILED, Stage.EXPIRED, Stage.CANCELED}


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("row", [Stage.SUCCEEDED, Stage.PARTIALLY_REFUNDED, Stage.REFUNDED, Stage.DISPUTED])
def test_i4_what_was_paid_is_never_unpaid_again(flow, row):
    assert not reachable(flow, row) & UNPAID


@pytest.mark.parametrize("flow", FLOWS)
def test_i4_what_was_sent_is_never_unsent(flow):
    for row in set(Stage) - {Stage.ACCEPTED, Stage.DOUBT}:
        assert not reachable(flow, row) & {Stage.ACCEPTED, Stage.DOUBT}


@pytest.mark.parametrize("flow", FLOWS)
def test_what_the_matrix_applies_can_be_reached(flow):
    for row, moves in MATRIX.items():
        applied = {column for column, move in moves.items() if move in {Move.APPLY, Move.CONFIRM}}
        if flow == "gateway_link":
            applied -= {Stage.AUTHORISED}  # it has no capture: the link waits for the provider then
        assert applied <= reachable(flow, row), row


@pytest.mark.parametrize("flow", FLOWS)
def test_what_the_matrix_calls_stale_and_nothing_leads_to_stays_out_of_reach(flow):
    for column in (Stage.ACTION, Stage.AUTHORISED):
        assert column not in reachable(flow, Stage.SETTLING)
        assert column not in reachable(flow, Stage.EXPIRED)


def test_a_refund_that_fell_through_leads_back_to_where_it_began():
    assert {Stage.SETTLING, Stage.SUCCEEDED, Stage.PARTIALLY_REFUNDED} <= reachable("card", Stage.REFUND_PENDING)


def test_only_a_payid_goes_from_its_action_back_to_waiting():
    assert Stage.AWAIT in reachable("payid", Stage.ACTION)
    assert Stage.AWAIT not in reachable("card", Stage.ACTION)
