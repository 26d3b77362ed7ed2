"""A worker stands still at an instruction for longer than its lease: it is fenced, and sends nothing late (I1)."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

from tests.faults.crash_lane import SETTINGS, CrashStack
from tests.support.intents import card, payid
from tests.support.process import wait_for

MAKES = {"card": (card, "/api/v2/cards/create_payment"), "payid": (payid, "/api/v1/merchants/create_payment")}
TRIES = 10
pytestmark = pytest.mark.xdist_group("frozen")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The first worker takes the messages; the other one takes what the first has lost."""
    directory = tmp_path_factory.mktemp("frozen")
    with CrashStack(directory, settings=SETTINGS, sandbox={"latency_ms": "300", "settle_s": "0.2"}) as stack:
        stack.start_worker(roles="reconcile,relay")
        yield stack


def stands_still(program):
    """Whether the kernel has stopped it."""
    return Path(f"/proc/{program.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def sent_when_frozen(stack, frozen, point, make):
    """The payment at whose create the worker stands still; on a busy machine the other one may have been quicker."""
    for number in range(TRIES):
        intent_id = f"frozen-{point}-{number}"
        stack.arm(frozen.name, point, prefix=intent_id, deed="SIGSTOP")
        stack.submit(make(intent_id=intent_id))
        wait_for(partial(is_decided, stack, frozen, intent_id), what=stack.tails)
        if stands_still(frozen):
            return intent_id
    raise AssertionError(stack.tails())


def is_decided(stack, frozen, intent_id):
    """Whether the one stands still, or the other one has made it."""
    return stands_still(frozen) or stack.events.last(intent_id).get("status") == "requires_action"


def is_fenced(program, intent_id):
    """Whether it says that somebody else has the payment now."""
    return any("payment.fenced" in line and intent_id in line for line in program.output.splitlines())


# Neither a card nor a PayID is ever created twice by the program: a second request would be seen.
@pytest.mark.parametrize(
    ("point", "flow"),
    [("marked", "card"), ("before-post", "payid"), ("let-out", "card"), ("mid-post", "payid"), ("replied", "card")],
)
def test_a_create_is_sent_once_although_its_worker_stood_still_longer_than_its_lease_at(stack, point, flow):
    frozen, other = stack.workers
    make, path = MAKES[flow]
    intent_id = sent_when_frozen(stack, frozen, point, make)
    stack.wait_status([intent_id], "in_doubt", "requires_action", within_s=40)

    frozen.signal(signal.SIGCONT)

    # What was not sent is known as such once the frozen worker says so, and is then sent by the other one.
    stack.succeed([intent_id], within_s=40)
    wait_for(lambda: is_fenced(frozen, intent_id), what=stack.tails)
    assert other.is_running
    assert frozen.is_running
    assert len(stack.desk.requests(method="POST", path=path, external_id=intent_id)) == 1
    stack.judge([intent_id])
