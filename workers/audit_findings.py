"""What an audit found: findings, each said once, with what to do; and the figures at its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.invariants import Broken

INVARIANTS = tuple(f"I{number}" for number in range(1, 11))
TO_DO = {
    "I1": "compare with the provider's dashboard before anything is sent or refunded for it",
    "I2": "`payorch explain` says where it stands; `payorch poll`, or any command for it, lets a worker take it",
    "I3": "subscribers may be missing a change: tell them its state from `payorch get`",
    "I4": "`payorch explain` says what led back; hold what was built on the later status",
    "I5": "ask the provider with `payorch poll`, and hold the goods until it agrees",
    "I6": "`payorch poll` asks now; if it stays so, webhooks and polling do not reach this payment",
    "I7": "compare the sums with the provider's dashboard before the books are closed",
    "I8": "treat what was told as disclosed: replace it, and trim it from the log",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that does not hold; nothing secret is in it."""

    payment: str  # merchant/intent_id, or the shard of what belongs to none
    invariant: str
    sentence: str

    @property
    def to_do(self) -> str:
        """What a person does about it."""
        return TO_DO.get(self.invariant, "")


@dataclass(kw_only=True, slots=True)
class Audited:
    """The figures of an audit, while it runs and at its end."""

    payments: int = 0
    events: int = 0
    at_the_provider: int = 0  # payments that the provider was asked about and answered
    not_asked: int = 0  # those of which it gave no answer in time
    unsettled: int = 0  # those that changed whenever they were looked at
    findings: Counter[str] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings.total()


class Findings:
    """Keeps count, and passes on what was not found before."""

    def __init__(self, audited: Audited, on_finding: Callable[[Finding], None]) -> None:
        self._audited = audited
        self._on_finding = on_finding
        self._said: set[Finding] = set()

    def add(self, payment: str, invariant: str, sentence: str) -> None:
        """A scan may come upon the same thing twice."""
        finding = Finding(payment=payment, invariant=invariant, sentence=sentence)
        if finding not in self._said:
            self._said.add(finding)
            self._audited.findings[invariant] += 1
            self._on_finding(finding)

    def add_all(self, broken: list[Broken]) -> None:
        """What the checkers found of one payment."""
        for each in broken:
            self.add(str(each.key), each.invariant, each.sentence)
