"""What a person on call does with payments in doubt, by the real command, a real worker and the provider's ledger."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections import Counter

import pytest

from tests.support.intents import card, gateway_link
from tests.support.process import wait_for

CARDS = "/api/v2/cards/create_payment"
CARD_LIST = "/api/v2/cards/payments"
WHY = ("--reason", "the dashboard shows it", "--evidence", "OPS-7")
SHORT_DOUBT = {
    "call_timeout_read_s": "1",
    "call_timeout_total_s": "1",
    "call_timeout_connect_s": "1",
    "in_doubt_grace_s": "1",
}


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(settings=SHORT_DOUBT)


@pytest.fixture(autouse=True)
def _no_faults_left(stack):
    yield
    stack.desk.clear_faults()


def payorch(stack, *arguments):
    """The exit status and the lines of a command's JSON."""
    worker = stack.workers[0]
    done = subprocess.run(
        [sys.executable, "-m", "workers.cli", *arguments, "--json"],
        cwd=worker.directory,
        env=worker.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def resolve(stack, *arguments):
    return payorch(stack, "resolve", *arguments, *WHY, "--yes")


def audit(stack, *intent_ids):
    entries = [fields for _, fields in stack.redis.xrange("payorch:audit")]
    return [entry for entry in entries if entry["intent_id"] in intent_ids]


def in_doubt(stack, *intents):
    """Payments whose create the provider never carried out, so long ago that anybody can know it."""
    stack.desk.fault("status", times=len(intents), method="POST", path=CARDS)
    ids = stack.submit(*intents)
    stack.wait_status(ids, "in_doubt")
    wait_until_anybody_can_know(stack, ids[-1])
    return ids


def wait_until_anybody_can_know(stack, intent_id):
    def is_over():
        _, views = payorch(stack, "resolve", intent_id, "--as", "not_executed", *WHY, "--dry-run")
        return views[0]["code"] != "too_early"

    wait_for(is_over, within_s=20, what=stack.tails)


def test_a_card_that_the_provider_never_made_is_sent_again_by_a_person_and_charged_once(stack):
    [intent_id] = in_doubt(stack, card())

    status, [view] = resolve(stack, intent_id, "--as", "send_again", "--actor", "ada")

    assert (status, view["result"], view["status"]) == (0, "applied", "requires_action")
    stack.succeed([intent_id])
    stack.judge([intent_id])
    asked, answered = audit(stack, intent_id)
    assert (asked["stage"], asked["outcome"], asked["actor"], asked["reason"], asked["evidence"]) == (
        "asked",
        "send_again",
        "ada",
        *WHY[1::2],
    )
    assert (answered["stage"], answered["result"], answered["status"]) == ("answered", "applied", "requires_action")
    assert int(answered["version"]) > int(asked["version"])
    assert resolve(stack, intent_id, "--as", "send_again")[1][0]["code"] == "not_in_doubt"
    assert stack.desk.counts("create")[intent_id] == 1


def test_a_card_that_nobody_can_find_goes_on_under_the_reference_that_a_person_found(stack):
    stack.desk.fault("lose_reply", method="POST", path=CARDS)
    stack.desk.fault("drop_webhook", times=100)
    stack.desk.fault("status", times=100_000, path=CARD_LIST)
    [intent_id] = stack.submit(card())
    stack.wait_status([intent_id], "in_doubt")
    uuid = stack.desk.uuids()[intent_id]
    assert payorch(stack, "poll", intent_id)[1][0]["answer"] == "unusable"

    status, [view] = resolve(stack, intent_id, "--as", "executed", "--reference", uuid)

    assert (status, view["result"]) == (0, "applied")
    stack.wait_status([intent_id], "requires_action")
    stack.desk.clear_faults()
    stack.succeed([intent_id])
    stack.judge([intent_id])


def test_a_poll_finds_a_lost_card_in_the_list_at_once(stack):
    stack.desk.fault("drop_webhook", times=100)
    stack.desk.fault("lose_reply", method="POST", path=CARDS)
    stack.desk.fault("status", times=2, path=CARD_LIST)
    [intent_id] = stack.submit(card())
    stack.wait_status([intent_id], "in_doubt")
    stack.desk.clear_faults()

    def is_found():
        status, [view] = payorch(stack, "poll", intent_id)
        return status == 0 and view["status"] == "requires_action"

    # A scan that was made shortly before answers for this one too.
    wait_for(is_found, within_s=30, what=stack.tails)
    stack.judge([intent_id])


def test_a_poll_shows_at_once_what_no_webhook_told(stack):
    [intent_id] = stack.submit(card())
    stack.wait_status([intent_id], "requires_action")
    stack.desk.fault("drop_webhook", times=100)
    stack.desk.act(intent_id, "pay")
    status, [view] = payorch(stack, "poll", intent_id)
    assert (status, view["status"] in {"processing", "succeeded"}) == (0, True)
    stack.wait_status([intent_id], "succeeded")


def test_a_link_has_nothing_to_ask(stack):
    [intent_id] = stack.submit(gateway_link())
    stack.wait_status([intent_id], "requires_action")
    status, [view] = payorch(stack, "poll", intent_id)
    assert (status, view["status"], view["answer"]) == (1, "requires_action", None)


def test_twenty_payments_that_were_never_made_are_failed_by_one_filter(stack):
    ids = in_doubt(stack, *(card(metadata={"batch": "lost"}) for _ in range(20)))
    [other] = stack.submit(card())
    stack.wait_status([other], "requires_action")

    status, views = resolve(stack, "--filter", "status=in_doubt", "--filter", "flow=card", "--as", "not_executed")

    assert status == 0
    assert {view["intent_id"] for view in views} == set(ids)
    assert Counter((view["result"], view["status"]) for view in views) == {("applied", "failed"): 20}
    stack.wait_status(ids, "failed")
    assert Counter(entry["stage"] for entry in audit(stack, *ids)) == {"asked": 20, "answered": 20}
    assert [stack.desk.counts("create")[each] for each in ids] == [0] * 20
    stack.succeed([other])
    last = stack.events.last(ids[0])
    assert (last["failure"]["code"], last["observed_by"]) == ("not_executed", "person")


def test_a_payment_that_goes_on_while_a_person_thinks_is_not_decided(stack):
    [intent_id] = in_doubt(stack, card())
    worker = stack.workers[0]
    ours, theirs = pty.openpty()
    deciding = subprocess.Popen(
        [sys.executable, "-m", "workers.cli", "resolve", intent_id, "--as", "send_again", *WHY, "--json"],
        cwd=worker.directory,
        env=worker.environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    assert deciding.stderr is not None
    assert "would be applied" in deciding.stderr.readline()
    told = {"uuid": "LATE1234", "status": "pending", "external_id": intent_id, "currency": "AUD"}
    assert stack.post_webhook(intent_id, told) == 200
    stack.wait_status([intent_id], "processing", "requires_action")

    os.write(ours, b"y\n")

    output, _ = deciding.communicate(timeout=60)
    os.close(ours)
    view = json.loads(output)
    assert (deciding.returncode, view["result"], view["code"]) == (1, "refused", "not_in_doubt")
    assert [entry.get("result") for entry in audit(stack, intent_id)] == [None, "refused"]
    assert stack.desk.counts("create")[intent_id] == 0
