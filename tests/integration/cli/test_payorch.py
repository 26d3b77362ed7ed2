from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.support.pace import slowness
from workers.cli import COMMANDS

HEAVY = ("celery", "kombu", "redis", "pydantic", "httpx", "aiohttp", "structlog", "rich", "config", "orchestrator")
MINE = ("setup", "submit", "get", "explain", "list", "watch", "deadletters", "doctor", "sandbox")
WITH_JSON = ("setup", "submit", "get", "explain", "list", "watch", "doctor")


def run(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)


def test_help_lists_every_command_and_comes_at_once():
    took_s = []
    for _ in range(5):
        started = time.perf_counter()
        done = run("-m", "workers.cli", "--help")
        took_s.append(time.perf_counter() - started)
        assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)
    assert min(took_s) < 0.5 * slowness()


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from workers.cli import main; main(['--help'])\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert run("-c", program).stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize("command", MINE)
def test_each_command_explains_itself_without_settings(payorch, monkeypatch, command):
    monkeypatch.delenv("PAYORCH_REDIS_URL")
    said = payorch(command, "--help")
    assert said.status == 0
    assert said.err == ""
    assert "Usage: payorch " + command in said.out
    assert command == "deadletters" or f"Examples:\n    payorch {command}" in said.out
    assert command not in WITH_JSON or "--json" in said.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("get",),
        ("explain",),
        ("list", "--older-than", "soon"),
        ("list", "--status", "paid"),
        ("list", "--flow", "cash"),
        ("list", "--limit", "0"),
        ("deadletters", "show", "x"),
        ("submit", "absent.json"),
        ("submit", "absent.jsonl"),
    ],
)
def test_wrong_usage_ends_with_2(payorch, arguments):
    said = payorch(*arguments)
    assert said.status == 2
    assert said.out == ""
    assert said.err


@pytest.mark.parametrize(
    "arguments",
    [("setup",), ("get", "x"), ("explain", "x"), ("list",), ("watch",), ("deadletters", "list"), ("submit", "-")],
)
def test_settings_errors_name_each_variable_and_end_with_2(payorch, monkeypatch, arguments):
    monkeypatch.delenv("PAYORCH_REDIS_URL")
    monkeypatch.setenv("PAYORCH_EVENTS_URL", "http://hidden")
    said = payorch(*arguments)
    assert (said.status, said.out) == (2, "")
    assert "PAYORCH_REDIS_URL is not set" in said.err
    assert "PAYORCH_EVENTS_URL" in said.err
    assert "hidden" not in said.err


@pytest.mark.parametrize(
    "arguments",
    [("setup",), ("get", "x"), ("explain", "x"), ("list",), ("watch", "--timeout", "1s"), ("deadletters", "list")],
)
def test_a_server_that_is_down_is_one_sentence_and_a_1(payorch, monkeypatch, unused_port, arguments):
    monkeypatch.setenv("PAYORCH_REDIS_URL", f"redis://user:hidden@127.0.0.1:{unused_port()}/0")
    said = payorch(*arguments)
    assert (said.status, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert "hidden" not in said.err
