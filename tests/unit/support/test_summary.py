import pytest

from tests.support.summary import main


@pytest.fixture
def suite(tmp_path):
    def suite(name, **counts):
        attributes = " ".join(f'{key}="{value}"' for key, value in counts.items())
        (tmp_path / f"{name}.xml").write_text(f"<testsuites><testsuite {attributes}/></testsuites>")
        return str(tmp_path)

    return suite


def test_tiers_are_added_up_in_the_words_of_pytest(suite, capsys):
    suite("unit", tests=10, failures=1, errors=0, skipped=2, time=1.5)
    assert main(suite("e2e", tests=3, failures=0, errors=1, skipped=0, time=2)) == 0
    assert " all tiers: 1 failed, 9 passed, 2 skipped, 1 error in 3.50s " in capsys.readouterr().out


@pytest.mark.parametrize("counts", [None, {"tests": 0}, {"tests": 2, "skipped": 2}])
def test_run_of_nothing_fails(suite, tmp_path, counts):
    if counts:
        suite("unit", **counts)
    assert main(str(tmp_path)) == 1
