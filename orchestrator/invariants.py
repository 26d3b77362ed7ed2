"""The invariants as facts in, sentences out: what is broken of a payment, of a commit, of the provider's side. Pure.

The rules stand with their nouns: `upkeep` (a payment by itself), `trail` (its events), `strides` (two successive
states), `agreement` (the provider). An empty answer means that nothing is known to be broken.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from orchestrator.agreement import ProviderFact, broken_agreement
from orchestrator.statuses import Review
from orchestrator.strides import broken_event, broken_move, broken_strides
from orchestrator.trail import broken_trail
from orchestrator.upkeep import broken_amounts, broken_due, broken_operations, broken_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestrator.identity import PaymentKey
    from orchestrator.payment import Payment
    from orchestrator.policy import Policy
    from orchestrator.ports import Record
    from orchestrator.trail import Event, Finding

__all__ = ["Broken", "ProviderFact", "Stored", "broken_by_payment", "broken_by_provider", "broken_by_step"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """One invariant that does not hold of one payment; nothing secret is in the sentence."""

    invariant: str  # I1 … I10
    key: PaymentKey
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A payment as stored after one write: its decoded body beside the fields that the scripts compare."""

    version: int
    sequence: int
    payment: Payment
    due_at_ms: int | None  # the end of the lease where it is claimed


def broken_by_payment(
    record: Record,
    payment: Payment,
    events: Sequence[Event],
    *,
    due_at_ms: int | None,
    policy: Policy,
    now_ms: int,
    events_are_whole: bool = True,
) -> list[Broken]:
    """What is broken of a stored payment: by itself, and against its events (parsed, in log order).

    `payment` is the record's decoded body, `due_at_ms` its entry in the due index. Where the log was trimmed
    (`events_are_whole` False) the first events may be missing.
    """
    findings = chain(
        _by_itself(
            payment, due_at_ms, rests=record.rests > 0, waits=len(record.observations), policy=policy, now_ms=now_ms
        ),
        _counted(record.version, record.sequence),
        broken_trail(payment, record.sequence, events, events_are_whole=events_are_whole),
    )
    return _told(findings, record.key)


def broken_by_step(
    before: Stored | None, after: Stored, *, event: bytes | None, policy: Policy, now_ms: int
) -> list[Broken]:
    """What one write broke: `before` None is the accept, `event` what was committed with it."""
    findings = chain(
        _by_itself(after.payment, after.due_at_ms, policy=policy, now_ms=now_ms),
        _written(before, after, event),
        broken_event(before.payment if before else None, after.payment, after.sequence, event),
    )
    if before is not None:
        moved = broken_move(before.payment, after.payment)
        findings = chain(findings, moved, broken_strides(before.payment, after.payment, policy=policy))
    return _told(findings, after.payment.key)


def broken_by_provider(
    payment: Payment,
    facts: Sequence[ProviderFact],
    *,
    due_at_ms: int | None = None,
    policy: Policy,
    now_ms: int,
) -> list[Broken]:
    """What is broken between a payment and what the provider holds under its id.

    `due_at_ms`, the payment's entry in the due index, tells whether a look is overdue.
    """
    findings = broken_agreement(payment, facts, due_at_ms=due_at_ms, policy=policy, now_ms=now_ms)
    return _told(findings, payment.key)


def _by_itself(
    payment: Payment,
    due_at_ms: int | None,
    *,
    rests: bool = False,
    waits: int = 0,
    policy: Policy,
    now_ms: int,
) -> Iterator[Finding]:
    rests = rests or Review.PARKED in payment.review
    if waits and due_at_ms is None:
        yield "I2", f"{waits} observations wait for it and it never comes due: nobody will apply them"
    else:
        yield from broken_due(payment, due_at_ms, rests=rests, policy=policy, now_ms=now_ms)
    yield from broken_operations(payment, policy=policy)
    yield from broken_words(payment)
    yield from broken_amounts(payment)


def _counted(version: int, sequence: int) -> Iterator[Finding]:
    if not 1 <= sequence <= version:
        yield "I3", f"it has {sequence} events after {version} commits"


def _written(before: Stored | None, after: Stored, event: bytes | None) -> Iterator[Finding]:
    version, sequence = (before.version, before.sequence) if before else (0, 0)
    if after.version != version + 1:
        yield "I3", f"its version went from {version} to {after.version}"
    if after.sequence != sequence + (event is not None):
        with_event = "an event" if event is not None else "no event"
        yield "I3", f"its sequence went from {sequence} to {after.sequence} with {with_event}"


def _told(findings: Iterable[Finding], key: PaymentKey) -> list[Broken]:
    return [Broken(invariant=invariant, key=key, sentence=sentence) for invariant, sentence in findings]
