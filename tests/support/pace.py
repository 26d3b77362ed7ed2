"""How slow this machine is just now, for bounds on time that were set on a machine with little else to do."""

from __future__ import annotations

import time

ROUNDS = 6_000_000
USUAL_S = 0.1  # of so many rounds on the machine that the bounds were set on


def slowness() -> float:
    """How many times as long as usual a piece of work takes here now, while others work too; at least 1."""
    began_s = time.perf_counter()
    for _ in range(ROUNDS):
        pass
    return max(1.0, (time.perf_counter() - began_s) / USUAL_S)
