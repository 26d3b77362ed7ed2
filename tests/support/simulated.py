"""Adds up the figures that the simulator's tests left in their JUnit file.

python tests/support/simulated.py FILE
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET


def figures(path: Path) -> str:
    """One line; without a run it says so."""
    sums: Counter[str] = Counter()
    tests = ET.parse(path).getroot().iter("testcase") if path.exists() else ()
    for test in tests:
        known = {each.get("name", ""): float(each.get("value", "0")) for each in test.iter("property")}
        if "seeds" in known:
            sums.update(known)
    if not sums["seeds"]:
        return "simulator: no seed was run"
    return (
        f"simulator: {sums['seeds']:.0f} seeds, {sums['violations']:.0f} violations, "
        f"{sums['seeds'] / sums['used_s']:.1f} seeds a second of a processor, "
        f"{sums['virtual_s'] / 3600:.0f} h of virtual time, "
        f"{sums['virtual_s'] / sums['used_s']:.0f} times as long as a processor took, "
        f"{sums['steps']:.0f} steps, {sums['faults']:.0f} faults"
    )


if __name__ == "__main__":
    sys.stdout.write(figures(Path(sys.argv[1])) + "\n")
