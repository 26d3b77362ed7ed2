"""The figures of the simulator's tier, added up from what its tests recorded."""

from __future__ import annotations

from tests.support.simulated import figures

TEST = """<testcase name="t[{n}]"><properties>
<property name="seeds" value="500"/><property name="violations" value="{n}"/><property name="steps" value="1000"/>
<property name="virtual_s" value="36000"/><property name="used_s" value="10"/><property name="faults" value="7"/>
</properties></testcase>"""


def test_what_several_tests_recorded_is_added_up(tmp_path):
    path = tmp_path / "simulator.xml"
    path.write_text(f"<testsuites><testsuite>{TEST.format(n=0)}{TEST.format(n=2)}<testcase/></testsuite></testsuites>")
    told = figures(path)
    assert told.startswith("simulator: 1000 seeds, 2 violations, 50.0 seeds a second of a processor")
    assert "20 h of virtual time, 3600 times as long as a processor took, 2000 steps, 14 faults" in told


def test_a_tier_in_which_no_seed_was_run_says_so(tmp_path):
    assert figures(tmp_path / "absent.xml") == "simulator: no seed was run"
