"""Which of a flow's read paths are worth asking: a path that never knew its payments is rested for an hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.flows.common import BuildRequest as ReadPath
    from orchestrator.payment import Payment

REST_MS = 3_600_000


@dataclass(slots=True)
class ReadPaths:
    """Memory of one process, per merchant and flow; forgetting it costs a call, nothing else."""

    _answered: set[tuple[str, str, str]] = field(default_factory=set)
    _resting_until_ms: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def worth_asking(self, payment: Payment, reads: Sequence[ReadPath], *, now_ms: int) -> list[ReadPath]:
        """The paths in order without those at rest; the last one is never left out."""
        return [
            read
            for read in reads
            if read is reads[-1] or self._resting_until_ms.get(_place(payment, read), 0) <= now_ms
        ]

    def knew(self, payment: Payment, read: ReadPath) -> None:
        """The path answered usably: it is never rested from now on."""
        self._answered.add(_place(payment, read))

    def did_not_know(self, payment: Payment, read: ReadPath, *, now_ms: int) -> None:
        """The path did not know an id that we know."""
        if _place(payment, read) not in self._answered:
            self._resting_until_ms[_place(payment, read)] = now_ms + REST_MS


def _place(payment: Payment, read: ReadPath) -> tuple[str, str, str]:
    return payment.key.merchant, payment.flow, read.__name__
