"""`payorch resolve` and `payorch poll` before any worker comes: what is shown, refused, asked and written down."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import pytest
import redis

from orchestrator.payment import CAPTURE, CREATE, Operation, OperationState
from orchestrator.statuses import Reason, Status
from tests.integration.cli.shelf import intent

WHY = ("--reason", "the dashboard shows nothing", "--evidence", "OPS-7")
LOST_AT_S = 200  # long enough ago for anybody to know


def lost(**changes):
    """What a payment looks like whose create was never answered."""
    deadline_ms = int(time.time() * 1000) - (LOST_AT_S - 40) * 1000
    create = Operation(name=CREATE, state=OperationState.IN_DOUBT, deadline_ms=deadline_ms, **changes)
    return {"operations": {CREATE: create}, "age_s": LOST_AT_S}


def waiting_for_money(**changes):
    stands = {"status": Status.PROCESSING, "reason": Reason.AMOUNT_REVIEW, "provider_status": "received"}
    return {"operations": {CREATE: Operation(name=CREATE, state=OperationState.DONE)}, **stands, **changes}


@pytest.fixture
def audit(environment):
    def read():
        with redis.Redis.from_url(environment["PAYORCH_REDIS_URL"], decode_responses=True) as client:
            return [fields for _, fields in client.xrange(f"{environment['PAYORCH_NAMESPACE']}payorch:audit")]

    return read


# Shown


def test_a_dry_run_shows_what_would_come_of_it_and_changes_nothing(payorch, shelf, audit):
    shelf.put(intent(), **lost())
    shelf.put(intent("ord-2"))
    said = payorch("resolve", "ord-1", "ord-2", "ord-3", "--as", "not_executed", *WHY, "--dry-run")
    assert said.status == 1
    first, second, third = said.out.splitlines()[1:]
    assert first.split() == ["default/ord-1", "create", "in_doubt", "would", "be", "applied", "failed"]
    assert "refused" in second
    assert "not_in_doubt: Nothing of default/ord-2 is in doubt." in second
    assert "no such payment is stored" in third
    assert payorch("get", "ord-1", "--json").json["status"] == "in_doubt"
    assert audit() == []


def test_what_would_come_of_it_is_told_to_programs(payorch, shelf):
    shelf.put(intent(), **lost())
    view = payorch("resolve", "default/ord-1", "--as", "send_again", *WHY, "--dry-run", "--json").json
    assert (view["result"], view["operation"], view["status_before"], view["status"]) == (
        "ready",
        "create",
        "in_doubt",
        "in_doubt",
    )


def test_what_waits_for_the_payment_is_taken_into_account(payorch, shelf):
    shelf.put(intent(), **lost())
    shelf.hear("ord-1", {"uuid": "PSADT5CE", "status": "pending", "external_id": "ord-1"})
    said = payorch("resolve", "ord-1", "--as", "send_again", *WHY, "--yes")
    assert (said.status, "not_in_doubt" in said.out) == (1, True)


def test_a_filter_takes_the_payments_that_list_would_show(payorch, shelf):
    for number in range(3):
        shelf.put(intent(f"lost-{number}"), **lost())
    shelf.put(intent("young"), **{**lost(), "age_s": 130})
    shelf.put(intent("other", merchant="books"), **lost())
    shelf.put(intent("fine"), age_s=LOST_AT_S)

    def ids(*arguments):
        said = payorch("resolve", *arguments, "--as", "not_executed", *WHY, "--dry-run", "--json")
        return {view["intent_id"] for view in said.json_lines}

    doubted = ("--filter", "status=in_doubt")
    assert ids(*doubted) == {"lost-0", "lost-1", "lost-2", "young", "other"}
    assert ids(*doubted, "--filter", "older-than=180s") == {"lost-0", "lost-1", "lost-2", "other"}
    assert ids(*doubted, "--merchant", "books") == ids(*doubted, "--filter", "merchant=books") == {"other"}
    cut = payorch("resolve", *doubted, "--limit", "2", "--as", "not_executed", *WHY, "--dry-run", "--json")
    assert len(cut.json_lines) == 2
    assert "--limit" in cut.err
    none = payorch("resolve", "--filter", "flow=payin", "--as", "not_executed", *WHY, "--yes")
    assert (none.status, none.out) == (0, "no such payment is stored\n")


def test_a_filter_that_comes_upon_an_unreadable_payment_says_so(payorch, shelf):
    shelf.put(intent(), **lost())
    shelf.damage(intent("damaged"))
    said = payorch("resolve", "--filter", "status=in_doubt", "--as", "not_executed", *WHY, "--dry-run")
    assert said.status == 1
    assert "1 stored payments cannot be read" in said.err
    assert payorch("resolve", "damaged", "--as", "not_executed", *WHY, "--yes").status == 1


def test_the_operation_has_to_be_named_where_several_are_in_doubt(payorch, shelf):
    operations = {
        name: Operation(name=name, state=OperationState.IN_DOUBT, deadline_ms=1)
        for name in ("refund:r-1", "confirm_otp")
    }
    operations |= {CREATE: Operation(name=CREATE, state=OperationState.DONE)}
    shelf.put(intent(), operations=operations, status=Status.SUCCEEDED)
    arguments = ("resolve", "ord-1", "--as", "not_executed", *WHY, "--dry-run", "--json")
    unnamed = payorch(*arguments)
    assert (unnamed.status, unnamed.json["code"]) == (1, "which_operation")
    named = payorch(*arguments, "--operation", "refund:r-1")
    assert (named.status, named.json["operation"]) == (0, "refund:r-1")


def test_a_call_whose_worker_is_gone_counts_as_in_doubt(payorch, shelf):
    gone = Operation(name=CAPTURE, state=OperationState.SENDING, deadline_ms=1)
    stands = waiting_for_money(reason=Reason.CAPTURING)
    shelf.put(intent(), **{**stands, "operations": {**stands["operations"], CAPTURE: gone}})
    said = payorch("resolve", "ord-1", "--as", "executed", *WHY, "--dry-run", "--json")
    assert (said.status, said.json["operation"], said.json["result"]) == (0, "capture", "ready")


def test_amounts_and_reviews_are_decided_too(payorch, shelf):
    shelf.put(intent(), **waiting_for_money(paid_minor=12000, review=("underpaid", "overpaid")))
    shelf.put(intent("ord-2"), **waiting_for_money(review=("amount_mismatch",)))
    accept = ("--as", "accept_amount", "--reason", "the customer agreed", "--evidence", "OPS-8", "--dry-run", "--json")
    assert payorch("resolve", "ord-1", *accept).json["status"] == "succeeded"
    assert payorch("resolve", "ord-2", *accept).json["code"] == "nothing_paid"
    assert payorch("resolve", "ord-2", *accept, "--paid-minor", "9000").json["status"] == "succeeded"
    clear = ("--clear", "overpaid", "--reason", "paid back in cash", "--evidence", "OPS-9", "--dry-run", "--json")
    assert payorch("resolve", "ord-1", *clear).json["result"] == "ready"
    assert payorch("resolve", "ord-1", *clear, "--clear", "stale").json["code"] == "unknown_review"


# Misused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ord-1", *WHY), "--as"),
        (("ord-1", "--as", "forget", *WHY), "forget"),
        (("--as", "executed", *WHY), "IDs or --filter"),
        (("ord-1", "--filter", "status=in_doubt", "--as", "executed", *WHY), "IDs or --filter"),
        (("ord-1", "ord-2", "--as", "executed", "--reference", "PSADT5CE", *WHY), "one payment"),
        (("--filter", "state=x", "--as", "executed", *WHY), "state=x"),
        (("--filter", "status", "--as", "executed", *WHY), "NAME=VALUE"),
        (("--filter", "flow=card", "--filter", "flow=payin", "--as", "executed", *WHY), "twice"),
        (("--filter", "review=nonsense", "--as", "executed", *WHY), "nonsense"),
        (("--filter", "older-than=long", "--as", "executed", *WHY), "90s"),
        (("ord-1", "--as", "executed", "--operation", "void", *WHY), "--operation"),
        (("ord-1", "--as", "clear", *WHY), "--clear"),
        (("ord-1", "--as", "executed", "--clear", "stale", *WHY), "--clear"),
        (("ord-1", "--as", "send_again", "--reference", "PSADT5CE", *WHY), "--reference"),
        (("ord-1", "--as", "executed", "--paid-minor", "5", *WHY), "--paid-minor"),
        (("ord-1", "--as", "accept_amount", "--operation", "create", *WHY), "--operation"),
        (("ord-1", "--as", "executed", "--reason", "no", "--evidence", "OPS-7"), "--reason"),
        (("ord-1", "--as", "executed", "--reason", "found it"), "--evidence"),
        (("ord-1", "--as", "accept_amount", "--reason", "the customer agreed"), "--evidence"),
        (("ord-1", "--clear", "overpaid", "--reason", "paid back in cash"), "--evidence"),
        (("ord-1", "--as", "executed", "--reason", "card 4111111111111111", "--evidence", "x"), "card number"),
        (("ord-1", "--as", "executed", *WHY, "--actor", "ada lovelace"), "--actor"),
        (("ord-1", "--as", "executed", *WHY, "--timeout", "soon"), "90s"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_looked_at(payorch, audit, arguments, words):
    said = payorch("resolve", *arguments, "--yes")
    assert (said.status, said.out) == (2, "")
    assert words in said.err
    assert "4111" not in said.err
    assert audit() == []


def test_where_nobody_can_be_asked_nothing_is_decided_without_yes(payorch, shelf, audit):
    shelf.put(intent(), **lost())
    said = payorch("resolve", "ord-1", "--as", "not_executed", *WHY)
    assert (said.status, "--yes" in said.err) == (2, True)
    assert audit() == []


@pytest.mark.parametrize("answer", [b"n\n", b"\n"])
def test_who_says_no_has_decided_nothing(environment, shelf, audit, answer):
    shelf.put(intent(), **lost())
    status, shown = answered(answer, "resolve", "ord-1", "--as", "not_executed", *WHY)
    assert status == 1
    assert "would be applied" in shown
    assert "Decide 1 of 1 as not_executed?" in shown
    assert audit() == []


def test_help_tells_each_decision(payorch):
    shown = payorch("resolve", "--help").out
    for word in ("executed", "not_executed", "send_again", "accept_amount", "clear", "payorch:audit"):
        assert word in shown


# Without a worker


def test_what_no_worker_applies_in_time_is_told_and_the_rest_is_not_sent(payorch, shelf, audit):
    for number in range(20):
        shelf.put(intent(f"ord-{number}"), **lost())
    arguments = ("--filter", "status=in_doubt", "--as", "not_executed", *WHY, "--yes", "--json", "--timeout", "2s")
    said = payorch("resolve", *arguments)
    assert said.status == 1
    assert "waiting until a worker has applied it" in said.err
    results = [view["result"] for view in said.json_lines]
    assert (results.count("timed_out"), results.count("not_sent")) == (16, 4)
    entries = audit()
    assert [entry["stage"] for entry in entries].count("asked") == 16
    assert {entry.get("result") for entry in entries if entry["stage"] == "answered"} == {"timed_out"}


def test_the_audit_says_who_what_why_and_on_what_evidence(payorch, shelf, audit):
    shelf.put(intent(), **lost())
    given = ("--as", "executed", "--reference", "PSADT5CE", "--reason", "found it", "--evidence", "OPS-7")
    payorch("resolve", "ord-1", *given, "--actor", "ada", "--yes", "--timeout", "1s")
    asked, answer = audit()
    assert asked["decision_id"] == answer["decision_id"]
    assert asked.pop("at") <= answer.pop("at")
    assert "@" in asked.pop("login")
    assert asked.pop("decision_id").startswith("d-")
    assert asked == {
        "action": "resolve",
        "stage": "asked",
        "actor": "ada",
        "merchant": "default",
        "intent_id": "ord-1",
        "version": "1",
        "outcome": "executed",
        "operation": "create",
        "attempt": "1",
        "reference": "PSADT5CE",
        "reason": "found it",
        "evidence": "OPS-7",
        "status": "in_doubt",
    }
    assert (answer["stage"], answer["result"]) == ("answered", "timed_out")


def test_what_cannot_be_written_down_is_not_sent(payorch, shelf, audit, environment):
    shelf.put(intent(), **lost())
    with redis.Redis.from_url(environment["PAYORCH_REDIS_URL"]) as client:
        client.config_set("maxmemory", 1)
        try:
            said = payorch("resolve", "ord-1", "--as", "not_executed", *WHY, "--yes", "--json")
        finally:
            client.config_set("maxmemory", 0)
    assert (said.status, said.json["result"]) == (1, "not_sent")
    assert "could not be written down" in said.json["message"]
    assert audit() == []
    assert payorch("resolve", "ord-1", "--as", "not_executed", *WHY, "--dry-run").status == 0


def test_a_poll_that_nobody_makes_ends_with_1(payorch, shelf):
    shelf.put(intent(), **lost())
    said = payorch("poll", "ord-1", "--timeout", "2s")
    assert said.status == 1
    assert "nobody asked within 2 s" in said.err
    assert "in_doubt" in said.out


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_where_nothing_can_be_asked_poll_says_why(payorch, shelf, form):
    shelf.put(intent())
    said = payorch("poll", "ord-1", *form)
    assert (said.status, "was not sent to the provider" in said.err) == (1, True)
    assert "accepted" in said.out
    assert payorch("poll", "ord-2", *form).status == 1


def answered(answer, *arguments):
    """How a command ends whose question on a terminal gets this answer, and what it showed."""
    main_end, its_end = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "COLUMNS": "200", "TERM": "xterm"}
    command = [sys.executable, "-m", "workers.cli", *arguments]
    process = subprocess.Popen(
        command, stdin=its_end, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    os.close(its_end)
    os.write(main_end, answer)
    shown, _ = process.communicate(timeout=30)
    os.close(main_end)
    return process.returncode, shown.decode()
