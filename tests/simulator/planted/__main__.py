"""`./dev sim --planted`: each planted bug is hunted; the table says by what it was caught and after how many seeds."""

from __future__ import annotations

import argparse
import sys
import textwrap
import time
from typing import TYPE_CHECKING, TextIO

from tests.simulator.planted.hunt import SEEDS_MAX, Catch, false_alarms, hunt_all
from tests.simulator.planted.table import BUGS

if TYPE_CHECKING:
    from tests.simulator.run import Violation

SENTENCE_MAX = 140


def main() -> int:
    """Hunt all; 1 where a bug escapes, or where something is found without any."""
    options = _options()
    began_s = time.monotonic()
    alarms = false_alarms()
    for alarm in alarms:
        _say(f"without any bug: {alarm.invariant} {alarm.sentence}")
    line = _markdown if options.markdown else _plain
    if options.markdown:
        _say("| bug | the rule | what was done instead | caught by | seeds |\n| --- | --- | --- | --- | --- |")
    caught = 0
    for catch in hunt_all(jobs=options.jobs, seeds_max=options.seeds):
        caught += catch.violation is not None
        _say(line(catch))
    figures = sys.stderr if options.markdown else sys.stdout
    took_s = time.monotonic() - began_s
    _say(f"{took_s:.0f} s, {options.jobs} processes, at most {options.seeds} seeds each", to=figures)
    _say(f"{caught} of {len(BUGS)} planted bugs caught", to=figures)
    return int(caught < len(BUGS) or bool(alarms))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev sim --planted", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="how many seeds each bug may need")
    parser.add_argument("--markdown", action="store_true", help="the table of docs/planted-bugs.md")
    return parser.parse_args()


def _plain(catch: Catch) -> str:
    rule = BUGS[catch.bug].rule
    if catch.violation is None:
        return f"{catch.bug:32} ESCAPED {catch.seeds} seeds. {rule}"
    return f"{catch.bug:32} {catch.seeds:5} {_plural(catch.seeds)}  {rule}\n{'':46}caught by {_told(catch.violation)}"


def _told(violation: Violation) -> str:
    return textwrap.shorten(f"{violation.invariant}: {violation.sentence}", SENTENCE_MAX, placeholder=" …")


def _markdown(catch: Catch) -> str:
    bug = BUGS[catch.bug]
    told = _told(catch.violation).replace("|", "/") if catch.violation else "**escaped**"
    return f"| `{bug.name}` | {bug.rule} | {bug.mistake} | {told} | {catch.seeds} |"


def _say(text: str, *, to: TextIO | None = None) -> None:
    to = to or sys.stdout
    to.write(f"{text}\n")
    to.flush()


def _plural(seeds: int) -> str:
    return "seed " if seeds == 1 else "seeds"


if __name__ == "__main__":
    sys.exit(main())
