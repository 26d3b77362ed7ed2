from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys

import pytest

from orchestrator.payment import Operation, OperationState
from orchestrator.statuses import Reason, Status
from tests.integration.cli.shelf import intent

REDIRECT = {"type": "redirect", "purpose": "3ds", "url": "https://bank.example/hidden"}


def test_get_shows_the_public_view(payorch, shelf):
    shelf.put(intent(metadata={"cart": "7", "back": "https://shop.example/hidden"}), review=("stale",))
    said = payorch("get", "ord-1")
    assert said.status == 0
    lines = dict(line.split("  ", 1) for line in said.out.splitlines())
    assert lines["payment"].strip() == "default/ord-1"
    assert "123.45 AUD" in said.out
    assert "stale" in said.out
    assert "operation: create" in said.out
    assert "metadata: cart" in said.out
    assert "hidden" not in said.out


def test_get_as_json_is_the_view_of_the_events_and_more(payorch, shelf):
    shelf.put(intent(), status=Status.PROCESSING, reason=Reason.SETTLING, reference="card:P1")
    view = payorch("get", "default/ord-1", "--json").json
    assert (view["status"], view["reason"], view["amount_minor"]) == ("processing", "settling", 12345)
    assert (view["sequence"], view["provider"]["reference"]) == (1, "P1")
    assert view["operations"] == {"create": {"state": "ready", "attempt": 1}}
    assert view["accepted_at"].endswith("Z")


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_where_the_customer_is_sent_is_shown_on_demand_only(payorch, shelf, form):
    shelf.put(intent(), status=Status.REQUIRES_ACTION, next_action=REDIRECT)
    masked, shown = payorch("get", "ord-1", *form), payorch("get", "ord-1", "--show-action", *form)
    assert "hidden" not in masked.out
    assert "redirect" in masked.out
    assert "https://bank.example/hidden" in shown.out


def test_get_of_an_unknown_payment_ends_with_1_and_of_another_merchant_too(payorch, shelf):
    shelf.put(intent())
    for arguments in (("ord-2",), ("ord-1", "--merchant", "other"), ("other/ord-1",)):
        said = payorch("get", *arguments, "--json")
        assert (said.status, said.out) == (1, "")
        assert "is stored" in said.err


def test_get_of_an_unreadable_payment_ends_with_1(payorch, shelf):
    shelf.damage(intent())
    said = payorch("get", "ord-1")
    assert (said.status, said.out) == (1, "")
    assert "cannot be read" in said.err


def test_what_a_terminal_would_obey_is_not_printed(payorch, shelf):
    shelf.put(intent(), status=Status.FAILED, failure={"code": "no", "message": "\x1b[2Jgone\nstatus succeeded"})
    said = payorch("get", "ord-1")
    assert "\x1b" not in said.out
    assert "?[2Jgone?status succeeded" in said.out


def in_doubt(payment):
    return {"operations": {"create": Operation(name="create", state=OperationState.IN_DOUBT)}} | payment


def test_list_filters_by_what_the_world_sees(payorch, shelf):
    shelf.put(intent("old"), age_s=7200, **in_doubt({}))
    shelf.put(intent("young"), **in_doubt({}))
    shelf.put(intent("waits"), age_s=7000, status=Status.REQUIRES_ACTION, next_action=REDIRECT)
    shelf.put(intent("other", merchant="books"), age_s=60)

    def ids(*arguments):
        return [view["intent_id"] for view in payorch("list", "--json", *arguments).json_lines]

    assert ids() == ["old", "waits", "other", "young"]
    assert ids("--status", "in_doubt") == ["old", "young"]
    assert ids("--status", "in_doubt", "--older-than", "10m") == ["old"]
    assert ids("-s", "in_doubt", "-s", "requires_action", "--older-than", "1h") == ["old", "waits"]
    assert ids("--merchant", "books") == ["other"]
    assert ids("--flow", "payin") == []
    shelf.put(intent("odd"), review=("underpaid", "stale"))
    assert ids("--review", "stale") == ids("--review", "overpaid", "--review", "underpaid") == ["odd"]
    assert payorch("list", "--review", "nonsense").status == 2
    assert "hidden" not in payorch("list", "--json").out


def test_list_in_a_pipe_is_plain_text_that_cuts_nothing_off(payorch, shelf):
    long_id = "x" * 64
    shelf.put(intent(long_id), age_s=7200, review=("amount_mismatch", "stale"))
    header, line = payorch("list").out.splitlines()
    assert header.split()[:3] == ["payment", "flow", "status"]
    assert line.split()[:5] == [f"default/{long_id}", "card", "accepted", "123.45", "AUD"]
    assert line.endswith("2h     amount_mismatch, stale")


def test_list_says_what_it_leaves_out(payorch, shelf):
    assert payorch("list").out == "no such payment is stored\n"
    for number in range(3):
        shelf.put(intent(f"ord-{number}"))
    cut = payorch("list", "--limit", "2")
    assert (cut.status, len(cut.out.splitlines())) == (0, 3)
    assert "--limit" in cut.err
    assert payorch("list", "--limit", "3").err == ""
    shelf.damage(intent("damaged"))
    damaged = payorch("list")
    assert (damaged.status, len(damaged.out.splitlines())) == (1, 4)
    assert "1 stored payments cannot be read" in damaged.err


def test_list_on_a_terminal_is_a_table_that_names_payments_whole(environment, shelf):
    shelf.put(intent("x" * 64), review=("amount_mismatch", "stale"))
    assert "default/" + "x" * 64 in on_a_terminal("list", columns=90)


def on_a_terminal(*arguments, columns):
    """What a command shows where its output is a terminal of this width."""
    main_end, its_end = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "COLUMNS": str(columns), "TERM": "xterm"}
    command = [sys.executable, "-m", "workers.cli", *arguments]
    process = subprocess.Popen(command, stdout=its_end, stderr=subprocess.STDOUT, env=environment)
    os.close(its_end)
    shown = b""
    # Linux says EIO where the other end is closed.
    with contextlib.suppress(OSError):
        while part := os.read(main_end, 4096):
            shown += part
    os.close(main_end)
    assert process.wait(10) == 0
    return shown.decode()
