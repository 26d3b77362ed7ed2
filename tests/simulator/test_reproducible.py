"""A seed is a run: the same each time, in any process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulator.run import run_seed

SEEDS = range(100, 120)
PROGRAM = "from tests.simulator.run import run_seed; print(*(run_seed(seed).trace_hash for seed in range({}, {})))"


def test_the_same_seed_is_the_same_run():
    first = [run_seed(seed) for seed in SEEDS]
    assert [run_seed(seed) for seed in SEEDS] == first
    assert len({outcome.trace_hash for outcome in first}) == len(SEEDS)


@pytest.mark.parametrize("hash_seed", ["0", "1", "4711"])
def test_the_same_seed_is_the_same_run_in_another_process(hash_seed):
    program = PROGRAM.format(SEEDS.start, SEEDS.stop)
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
        text=True,
    )
    assert told.stdout.split() == [run_seed(seed).trace_hash for seed in SEEDS]


def test_the_story_tells_what_the_trace_is_made_of():
    outcome = run_seed(3, with_story=True)
    assert outcome.trace_hash == run_seed(3).trace_hash
    assert any("is accepted" in line for line in outcome.story)
