"""The weather of a seed: which faults it has, and that they end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulator.dice import Dice
from tests.simulator.faults import RATES, STRIKES, Weather

MODULES = [path for path in Path(__file__).parent.glob("*.py") if path.name not in {"faults.py", Path(__file__).name}]


@pytest.mark.parametrize("kind", RATES)
def test_every_fault_has_an_occasion(kind):
    assert any(f'"{kind}"' in module.read_text() for module in MODULES)


def test_what_strikes_a_process_is_among_the_faults():
    assert set(RATES) >= STRIKES


def test_seeds_have_different_faults_and_some_have_none():
    kinds = [Weather(Dice(seed)).kinds for seed in range(300)]
    assert () in kinds
    assert {kind for each in kinds for kind in each} == set(RATES)
    assert len(set(kinds)) > 250


def test_a_fault_that_a_seed_has_happens_and_is_counted():
    weather = next(weather for seed in range(100) if (weather := Weather(Dice(seed))).has("call lost"))
    happened = sum(weather.brings("call lost") for _ in range(2000))
    assert happened == weather.met["call lost"] > 0


def test_nothing_goes_wrong_once_it_has_cleared_up():
    for seed in range(50):
        weather = Weather(Dice(seed))
        weather.clear_up()
        assert not any(weather.brings(kind) for kind in RATES for _ in range(10))
        assert not weather.strikes
