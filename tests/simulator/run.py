"""One run of the simulator: from a seed to what it found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """A broken promise: which, in words, and when."""

    invariant: str  # I1 .. I10
    sentence: str
    at_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a run found."""

    seed: int
    violations: tuple[Violation, ...]
    steps: int
    virtual_ms: int
    faults: Counter[str] = field(default_factory=Counter)
    trace_hash: str = ""


def run_seed(seed: int, *, planted: str | None = None) -> Outcome:
    """Run the simulated world of this seed; with `planted` the engine has that bug while it runs."""
    del planted
    return Outcome(seed=seed, violations=(), steps=0, virtual_ms=0)
