"""Prints one summary, in pytest's own words, of the JUnit files that the tiers of `./dev test` left.

    python tests/support/summary.py DIRECTORY

The exit status is 1 if no test ran, since a run of nothing proves nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

# What we call an end, and pytest's attribute for it.
ENDS = {"failed": "failures", "error": "errors", "skipped": "skipped"}


def count(directory: Path) -> tuple[dict[str, int], float]:
    """How many tests of all files ended in which way, and the seconds they took together."""
    counts = dict.fromkeys(("failed", "passed", "skipped", "error"), 0)
    seconds = 0.0
    for path in sorted(directory.glob("*.xml")):
        for suite in ET.parse(path).getroot().iter("testsuite"):
            bad = {kind: int(suite.get(name, "0")) for kind, name in ENDS.items()}
            for kind, number in bad.items():
                counts[kind] += number
            counts["passed"] += int(suite.get("tests", "0")) - sum(bad.values())
            seconds += float(suite.get("time", "0"))
    return counts, seconds


def main(directory: str) -> int:
    counts, seconds = count(Path(directory))
    said = ", ".join(f"{number} {kind}" for kind, number in counts.items() if number) or "no tests ran"
    sys.stdout.write(f" all tiers: {said} in {seconds:.2f}s ".center(100, "=") + "\n")
    return 0 if counts["passed"] + counts["failed"] + counts["error"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
