"""A process dies at a named instruction; another one finishes what was accepted, once (I1, I2, I3).

This is a sample. `./dev crash-matrix` plays all of them.
"""

from __future__ import annotations

import pytest

from tests.faults.crash_cases import matrix, sample
from tests.faults.crash_lane import SCENES, Lane
from tests.faults.crash_points import POINTS


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
