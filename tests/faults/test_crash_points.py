"""A process dies at a named instruction; another one finishes what was accepted, once (I1, I2, I3).

This is a sample. `./dev crash-matrix` plays all of them.
"""

from __future__ import annotations

import json
import signal
import threading

import pytest

from tests.faults.crash_cases import matrix, sample
from tests.faults.crash_lane import SCENES, Lane
from tests.faults.crash_points import POINTS
from tests.faults.crash_program import Killer


@pytest.fixture(scope="module")
def lane(tmp_path_factory):
    lane = Lane(tmp_path_factory.mktemp("lane"))
    yield lane
    lane.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", sample(), ids=lambda case: case.name)
def test_what_was_accepted_is_finished_once_after_a_kill_at(lane, case, record_property):
    record_property("finished_after_s", round(lane.play(case), 1))


def test_the_matrix_has_every_point_and_every_scene():
    assert {case.point for case in matrix()} == set(POINTS)
    assert {case.scene for case in matrix()} == set(SCENES)


def test_nothing_is_marked_as_sending_between_the_note_of_a_death_and_the_death(tmp_path, monkeypatch):
    plan = tmp_path / "plan"
    plan.write_text(json.dumps({"deed": "SIGKILL"}))
    killer = Killer(plan)
    marking = threading.Thread(target=killer.mark, args=("late",), daemon=True)

    def deed(number: signal.Signals) -> None:
        marking.start()
        marking.join(0.1)
        assert (number, marking.is_alive()) == (signal.SIGKILL, True)

    monkeypatch.setattr(signal, "raise_signal", deed)
    killer.mark("early")
    killer.strike()
    assert json.loads((tmp_path / "plan.done").read_text()) == {"marked": ["early"]}
