import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SKIPPING = "import pytest\n\ndef test_runs(): pass\n\ndef test_skips(): pytest.skip('absent')\n"
ASKING = "def test_asks(amqp_url): pass\n"


@pytest.fixture
def run_pytest(tmp_path):
    def run_pytest(source, *arguments, **environment):
        (tmp_path / "test_sample.py").write_text(source)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PAYORCH_", "PYTEST_"))}
        return subprocess.run(
            [
                *(sys.executable, "-m", "pytest", str(tmp_path), "-c", str(ROOT / "pyproject.toml")),
                *("-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), *arguments),
            ],
            cwd=ROOT,
            env=inherited | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run_pytest


def test_skip_passes_at_a_desk(run_pytest):
    assert run_pytest(SKIPPING).returncode == 0


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_skip_fails_where_nothing_may_be_skipped(run_pytest, arguments):
    done = run_pytest(SKIPPING, *arguments, PAYORCH_TEST_NO_SKIP="1")
    assert done.returncode == 1
    assert "1 skipped, and PAYORCH_TEST_NO_SKIP=1 allows none" in done.stdout


def test_absent_rabbitmq_is_told_loudly(run_pytest):
    done = run_pytest(ASKING)
    assert done.returncode == 0
    assert "NO RABBITMQ: set PAYORCH_TEST_AMQP_URL=" in done.stdout


def test_named_rabbitmq_is_handed_over(run_pytest):
    done = run_pytest(ASKING, PAYORCH_TEST_AMQP_URL="amqp://example", PAYORCH_TEST_NO_SKIP="1")
    assert done.returncode == 0, done.stdout
