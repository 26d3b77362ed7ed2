"""Many runs, in several processes, and their figures."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.simulator.run import Outcome, run_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 25  # seeds that a process takes at once
COLLECT_EVERY = 25  # runs; what a run leaves behind goes in circles


class Figures:
    """The sums of many runs."""

    def __init__(self) -> None:
        self.seeds = 0
        self.violated = 0
        self._began_s = time.monotonic()
        self._used_s = time.process_time()
        self._steps = 0
        self._virtual_s = 0.0
        self._faults: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count a run."""
        self.seeds += 1
        self.violated += len(outcome.violations)
        self._steps += outcome.steps
        self._virtual_s += outcome.virtual_ms / 1000
        self._faults.update(outcome.faults)

    def properties(self) -> list[tuple[str, float]]:
        """What can be added up with the figures of other processes, which may have to share the processors."""
        used_s = time.process_time() - self._used_s
        sums = {"seeds": self.seeds, "violations": self.violated, "steps": self._steps, "virtual_s": self._virtual_s}
        return [*sums.items(), ("used_s", used_s), ("faults", self._faults.total())]

    def told(self) -> str:
        """The figures, a line each."""
        took_s = time.monotonic() - self._began_s
        faults = ", ".join(f"{count} {kind}" for kind, count in sorted(self._faults.items()))
        return "\n".join(
            (
                f"faults: {faults or 'none'}",
                f"steps: {self._steps}, faults in all: {self._faults.total()}",
                f"virtual time: {self._virtual_s / 3600:.0f} h, {self._virtual_s / took_s:.0f} times real time",
                f"{self.seeds} seeds in {took_s:.0f} s, {self.seeds / took_s:.1f} seeds/s",
                f"{self.violated} violations",
            )
        )


def run_seeds(seeds: range, *, jobs: int) -> Iterator[Outcome]:
    """Run these seeds, in the order in which they end."""
    if jobs == 1:
        yield from map(_run, seeds)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(_run, seeds, chunksize=CHUNK)


def _run(seed: int) -> Outcome:
    outcome = run_seed(seed)
    if seed % COLLECT_EVERY == 0:
        gc.collect()
    return outcome
