"""Look for a planted bug, seed after seed, until a checker names what it breaks."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulator.planted.table import BUGS
from tests.simulator.run import run_seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.simulator.run import Violation

SEEDS_MAX = 2000
CLEAN_SEEDS = 20  # without a bug these must find nothing, or the checkers prove nothing


# An error that is raised is not what a checker has to find: the planted code itself may be what is wrong.
_RAISED = ("logged as an error", "an error that nobody took")


@dataclass(frozen=True, kw_only=True, slots=True)
class Catch:
    """What became of a planted bug; without `violation` it escaped."""

    bug: str
    seeds: int  # how many were needed
    violation: Violation | None = None


def hunt(bug: str, *, seeds_max: int = SEEDS_MAX, first: Sequence[int] = ()) -> Catch:
    """Run seed after seed with this bug until one of the invariants that it breaks is found broken.

    From 0 on; `first` are tried before, as where it was caught the last time.
    """
    for count, seed in enumerate((*first, *range(seeds_max)), start=1):
        for violation in _first_of(run_seed(seed, planted=bug).violations):
            if violation.invariant in BUGS[bug].breaks:
                return Catch(bug=bug, seeds=count, violation=violation)
    return Catch(bug=bug, seeds=seeds_max)


def _first_of(violations: Sequence[Violation]) -> list[Violation]:
    """Those of the moment that ended the run: what is found after it may be so only because it ended there."""
    if any(violation.sentence.startswith(_RAISED) for violation in violations):
        return []
    return [violation for violation in violations if violation.at_ms == violations[0].at_ms]


def hunt_all(*, jobs: int, seeds_max: int = SEEDS_MAX) -> Iterator[Catch]:
    """Hunt each bug of the table in so many processes; in the order of the table."""
    with ProcessPoolExecutor(jobs) as pool:
        hunts = [pool.submit(hunt, bug, seeds_max=seeds_max) for bug in BUGS]
        for each in hunts:
            yield each.result()


def false_alarms(seeds: int = CLEAN_SEEDS) -> list[Violation]:
    """What the checkers find in the engine without any bug, on the seeds with which each hunt begins."""
    return [violation for seed in range(seeds) for violation in run_seed(seed).violations]
