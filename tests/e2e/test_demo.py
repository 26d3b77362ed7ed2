"""`payorch demo` as a person runs it: a process, its exit status, its summary, and nothing left afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120
REFUSALS = (
    *("amount_not_integer", "unknown_field", "missing_field", "card_number_refused", "unknown_currency"),
    *("email_unsupported_by_provider", "intent_conflict", "not_capturable", "not_refundable"),
)


def environment(tmp_path, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAYORCH_")}
    return kept | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)} | more


def start(tmp_path, *options, **more):
    command = [sys.executable, "-m", "workers.cli", "demo", *options]
    # A file, since a pipe that nobody reads would hold the demo up.
    with (tmp_path / "progress").open("w") as progress:
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment(tmp_path, **more), stdout=subprocess.PIPE, stderr=progress, text=True
        )


def run(tmp_path, *options, **more):
    process = start(tmp_path, *options, **more)
    try:
        output, _ = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    return process.returncode, output, (tmp_path / "progress").read_text()


def programs_in(directory):
    """The processes whose working directory is in this one: the stack's."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if str(link.readlink()).startswith(f"{directory}/payorch-"):
                found.append(int(link.parent.name))
    return found


def wait_until(is_so, what):
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def assert_nothing_is_left(tmp_path):
    wait_until(lambda: not programs_in(tmp_path), "programs of the demo are still running")
    assert list(tmp_path.glob("payorch-*")) == []


def assert_all_agreed(code, output, progress):
    assert code == 0, f"{output}\n{progress}"
    summary = json.loads(output)
    assert summary["ok"] is True
    assert summary["differences"] == []
    rows = summary["scenarios"]
    assert summary["payments"] == sum(row["payments"] for row in rows) == len(rows)
    assert {row["flow"] for row in rows} == {"payin", "card", "payid", "gateway_link"}
    for row in rows:
        assert row["ended"] == {row["expected"]: row["payments"]}
        assert row["creates"] <= row["payments"]
        assert row["captures"] == (1 if row["flow"] == "card" and row["paid_minor"] else 0)
    assert summary["token_calls"] == 1
    assert summary["refusals"] == dict.fromkeys(REFUSALS, 1)
    return summary


def test_the_demo_agrees_with_the_ledger_and_leaves_nothing_behind(tmp_path):
    (tmp_path / ".env").write_text("PAYORCH_SHARDS=0\nPAYORCH_POLLING=off\n")  # not read: the demo has its own
    summary = assert_all_agreed(*run(tmp_path, "--fast", "--json"))
    assert summary["settings"]["PAYORCH_REDIS_URL"].startswith("redis://127.0.0.1:")
    assert_nothing_is_left(tmp_path)


def test_the_demo_runs_over_rabbitmq_and_removes_its_queues(tmp_path, amqp_url):
    summary = assert_all_agreed(*run(tmp_path, "--fast", "--json", PAYORCH_BROKER_URL=amqp_url))
    names = summary["settings"]["PAYORCH_NAMESPACE"]
    assert names.startswith("demo-")
    assert not exists(amqp_url, f"{names}payments.intents")
    assert_nothing_is_left(tmp_path)


def test_a_given_redis_is_used_and_keeps_no_key_of_the_demo(tmp_path, own_valkey):
    assert_all_agreed(*run(tmp_path, "--fast", "--json", PAYORCH_REDIS_URL=own_valkey.url))
    assert own_valkey.command("DBSIZE") == b":0\r\n"
    assert_nothing_is_left(tmp_path)


def test_a_broker_that_is_not_there_is_said_in_a_sentence(tmp_path, unused_port):
    code, output, progress = run(tmp_path, PAYORCH_BROKER_URL=f"amqp://u:hush@127.0.0.1:{unused_port()}//")
    assert (code, output) == (1, "")
    assert "the broker could not be set up" in progress
    assert "Traceback" not in progress
    assert "hush" not in progress
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing_behind(tmp_path, end):
    process = start(tmp_path, "--fast", "--keep")
    try:
        wait_until(lambda: "In a second terminal" in (tmp_path / "progress").read_text(), "the demo did not end")
        assert len(programs_in(tmp_path)) == 4
        process.send_signal(end)
        output, _ = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "OK:" in output
    assert_nothing_is_left(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a process to its parent")
def test_the_programs_die_with_a_demo_that_was_killed(tmp_path):
    process = start(tmp_path, "--fast", "--keep")
    try:
        wait_until(lambda: len(programs_in(tmp_path)) == 4, "the demo did not start")
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: not programs_in(tmp_path), "programs outlived the demo")


def exists(url, queue):
    import amqp

    from orchestrator.adapters.amqp_connection import close_quietly, open_connection

    connection = open_connection(url)
    try:
        connection.channel().queue_declare(queue, passive=True)
    except amqp.exceptions.NotFound:
        return False
    finally:
        close_quietly(connection)
    return True
