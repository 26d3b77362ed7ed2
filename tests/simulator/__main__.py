"""`./dev sim`: many seeds and the figures, or the story of one."""

from __future__ import annotations

import argparse
import math
import sys
import time

from tests.simulator.run import Outcome, run_seed
from tests.simulator.runs import Figures, run_seeds


def main() -> int:
    """Run what was asked for; 1 where a promise was broken."""
    options = _options()
    if options.seed is not None:
        return _tell(run_seed(options.seed, with_story=True))
    figures = Figures()
    ends_s = time.monotonic() + 60 * options.minutes
    for outcome in run_seeds(range(options.begin, options.begin + options.seeds), jobs=options.jobs):
        figures.add(outcome)
        for violation in outcome.violations:
            _say(f"seed {outcome.seed}: {violation.invariant} {violation.sentence}")
        if figures.seeds % (100 if sys.stderr.isatty() else 5000) == 0:
            sys.stderr.write(f"\r{figures.seeds} of {options.seeds} seeds{'' if sys.stderr.isatty() else chr(10)}")
        if time.monotonic() > ends_s:
            break
    _say(figures.told())
    return int(figures.violated > 0)


def _tell(outcome: Outcome) -> int:
    for line in outcome.story:
        _say(line)
    for violation in outcome.violations:
        _say(f"{violation.invariant}: {violation.sentence}")
    _say(f"seed {outcome.seed}: trace {outcome.trace_hash}, {len(outcome.violations)} violations")
    return int(bool(outcome.violations))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="begin", help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after so long, however many are left")
    parser.add_argument("--seed", type=int, help="tell the story of this one")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
