"""Which status may follow which: the matrix and our own moves, as one table of what a commit can reach. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.statuses import COLUMNS, MATRIX, Move, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a column of the matrix may lead to beside the stage of its own name: a capture that is ours to make,
# an amount that needs a person, a success that waits for its confirming read.
_ALSO_ENTERED: dict[Stage, frozenset[Stage]] = {
    Stage.AUTHORISED: frozenset({Stage.CAPTURING, Stage.CONFIRM}),
    Stage.SETTLING: frozenset({Stage.SUCCEEDED, Stage.CONFIRM}),
    Stage.SUCCEEDED: frozenset({Stage.CONFIRM}),
    Stage.REFUNDED: frozenset({Stage.PARTIALLY_REFUNDED}),
}
_ENTERED_BY_FLOW: dict[tuple[str, Stage], frozenset[Stage]] = {
    ("gateway_link", Stage.AUTHORISED): frozenset({Stage.AWAIT, Stage.CONFIRM}),
}
_OWN_MOVES: dict[Stage, frozenset[Stage]] = {
    Stage.ACCEPTED: frozenset({Stage.DOUBT}),
    Stage.DOUBT: frozenset({Stage.ACCEPTED, Stage.CONFIRM}),
    Stage.AUTHORISED: frozenset({Stage.CAPTURING}),
    Stage.CAPTURING: frozenset({Stage.AUTHORISED}),
}
_OWN_BY_FLOW: dict[tuple[str, Stage], frozenset[Stage]] = {
    ("payid", Stage.ACTION): frozenset({Stage.AWAIT}),  # money is in, though the provider still says pending
}
# Once it was paid, no amount and no word that only a webhook told makes it unpaid again.
PAID = frozenset(
    {
        Stage.SUCCEEDED,
        Stage.REFUND_PENDING,
        Stage.PARTIALLY_REFUNDED,
        Stage.REFUNDED,
        Stage.DISPUTED,
        Stage.DISPUTE_LOST,
    }
)
# A refund that fell through leads back to where it began.
_RETURNS: dict[Stage, frozenset[Stage]] = {
    Stage.REFUND_PENDING: frozenset({Stage.SETTLING, Stage.SUCCEEDED, Stage.PARTIALLY_REFUNDED, Stage.DISPUTED}),
}
# What an operation shows while another status is observed.
DERIVED = frozenset({Stage.DOUBT, Stage.CAPTURING, Stage.REFUND_PENDING})


@lru_cache
def reachable(flow: str, row: Stage) -> frozenset[Stage]:
    """The stages that one commit may lead to from this one, itself included.

    A commit may apply several observations; at most one of them is late truth or leads back.
    """
    ahead = _onward(flow, {row})
    late = {stage for start in ahead for stage in _entered(flow, start, Move.CONFIRM)}
    return ahead | _onward(flow, late | _RETURNS.get(row, frozenset()))


def _onward(flow: str, rows: Iterable[Stage]) -> frozenset[Stage]:
    reached: set[Stage] = set()
    ahead = list(rows)
    while ahead:
        row = ahead.pop()
        if row not in reached:
            reached.add(row)
            own = _OWN_MOVES.get(row, frozenset()) | _OWN_BY_FLOW.get((flow, row), frozenset())
            ahead += own | _entered(flow, row, Move.APPLY)
    return frozenset(reached)


def _entered(flow: str, row: Stage, move: Move) -> frozenset[Stage]:
    columns = (column for column in COLUMNS if MATRIX[row][column] is move)
    entered = frozenset[Stage]().union(*(_stages_of(flow, column) for column in columns))
    return entered - {Stage.CONFIRM} if row in PAID else entered


def _stages_of(flow: str, column: Stage) -> frozenset[Stage]:
    also = _ALSO_ENTERED.get(column, frozenset())
    return _ENTERED_BY_FLOW.get((flow, column), also | {column})
