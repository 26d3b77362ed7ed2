import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def clone(tmp_path):
    """The script and the locks alone, with a Python that this test writes."""
    directory = tmp_path / "clone"
    shutil.copytree(ROOT / "requirements", directory / "requirements")
    for name in ("dev", "pyproject.toml"):
        shutil.copy(ROOT / name, directory / name)
    return directory


@pytest.fixture
def run(clone, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "sed", "cmp", "mkdir", "cp", "basename", "rm", "date", "mktemp"):
        (programs / name).symlink_to(shutil.which(name))

    def run(*arguments, python):
        fake = programs / "python3"
        fake.write_text(f"#!/bin/sh\n{python}\n")
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
        environment = {"PATH": str(programs), "HOME": str(tmp_path / "home")}
        return subprocess.run([clone / "dev", *arguments], env=environment, capture_output=True, text=True, check=False)

    return run


def test_old_python_is_told_in_one_line(run):
    done = run("test", python='case "$*" in *version_info*) exit 1;; esac')
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("./dev: Python 3.11 or later is needed")


def test_python_without_venv_is_told_in_one_line(run):
    done = run("demo", python='case "$*" in *ensurepip*) exit 1;; esac')
    assert done.returncode == 2
    assert "apt-get install python3-venv" in done.stderr.splitlines()[-1]


def test_failed_installation_ends_everything_and_is_tried_again(run, clone):
    python = """
case "$*" in
*"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
*"pip install"*) echo "no network" >&2; exit 1;;
esac
"""
    for command in ("demo", "test", "check"):
        done = run(command, python=python)
        assert done.returncode == 2
        assert "no network" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("./dev: pip could not install")
        assert not (clone / ".venv" / "installed").exists()


def test_environment_in_order_is_used_as_it_is(run, clone):
    (clone / ".venv/bin").mkdir(parents=True)
    shutil.copytree(clone / "requirements", clone / ".venv/installed")
    shutil.copy(clone / "pyproject.toml", clone / ".venv/installed")
    for name in ("python", "payorch"):
        program = clone / ".venv/bin" / name
        program.write_text('#!/bin/sh\necho "$0 $*"\n')
        program.chmod(0o755)
    done = run("demo", "--fast", python="exit 9")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, ".venv/bin/payorch demo --fast", "")


def test_help_names_each_command(run):
    done = run("help", python="exit 9")
    script = (ROOT / "dev").read_text()
    commands = re.findall(r"^([a-z |-]+)\) ", script[script.index("case $command in") :], re.MULTILINE)
    for command in (word.strip() for words in commands for word in words.split("|")):
        assert command.startswith("-") or f"./dev {command}" in done.stdout


@pytest.mark.parametrize("lock", ["run", "test"])
def test_lock_names_no_address_and_hashes_everything(lock):
    lines = (ROOT / f"requirements/{lock}.lock").read_text().splitlines()
    assert not [line for line in lines if "://" in line or "--index" in line or "--find-links" in line or "@" in line]
    pins = [index for index, line in enumerate(lines) if "==" in line and not line.startswith(" ")]
    assert pins
    assert all(lines[index].endswith("\\") and "--hash=sha256:" in lines[index + 1] for index in pins)


def test_test_lock_contains_the_run_lock():
    run, test = (Path(ROOT / f"requirements/{name}.lock").read_text() for name in ("run", "test"))
    pins = {line.split(" ")[0] for line in run.splitlines() if "==" in line}
    assert pins <= {line.split(" ")[0] for line in test.splitlines() if "==" in line}
