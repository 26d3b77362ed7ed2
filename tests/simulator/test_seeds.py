"""The engine on virtual time: seeds that failed once, then as many as one run of the tests has time for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulator.run import run_seed
from tests.simulator.runs import Figures, run_seeds

SEEDS = 20_000
AT_ONCE = 500
FAILED_ONCE = [
    int(line.partition("#")[0])
    for line in (Path(__file__).parent / "seeds.txt").read_text().splitlines()
    if line.partition("#")[0].strip()
]


pytestmark = pytest.mark.timeout(900)  # the tier takes what processors others leave


@pytest.mark.parametrize("seed", FAILED_ONCE)
def test_a_seed_that_failed_once_does_not_again(seed):
    assert run_seed(seed).violations == ()


@pytest.mark.parametrize("begin", range(0, SEEDS, AT_ONCE))
def test_no_promise_is_broken_whatever_goes_wrong(begin, record_property):
    figures, broken = Figures(), {}
    for outcome in run_seeds(range(begin, begin + AT_ONCE), jobs=1):
        figures.add(outcome)
        if outcome.violations:
            broken[outcome.seed] = outcome.violations
    for name, value in figures.properties():
        record_property(name, value)

    assert broken == {}, f"tell the story of the first: ./dev sim --seed {min(broken)}"
