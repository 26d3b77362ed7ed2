"""`kill -9` at any moment: the payments move again by themselves, and the provider's ledger shows one create each."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from tests.support.intents import card, gateway_link, payid, payin
from tests.support.pace import slowness
from tests.support.process import wait_for

RECOVERY_S = 15.0
DEFAULT_LEASE_S = "10"  # the bar is about it
LATENCY_S = 0.3
CAPTURE = "/api/v2/cards/capture_payment"

# What becomes of the creates that are on the wire at the moment of the kill.
FATES = {
    "answered": None,
    "hang": {},
    "lose_reply": {},
    "done_then_status": {"status": 502},
    "garbage": {},
    "drop_before": {},
    "delay_before": {"delay_ms": 2000},
    "delay_after": {"delay_ms": 2000, "after": True},
}


@pytest.mark.parametrize(
    ("kill_after_s", "webhooks"), [(0.0, "off"), (LATENCY_S + 0.05, "on"), (2 * LATENCY_S + 0.1, "off")]
)
def test_payments_of_a_killed_worker_move_again_within_15_s_and_are_created_once(
    own_stack, kill_after_s, webhooks, record_property
):
    stack = own_stack(
        settings={"lease_s": DEFAULT_LEASE_S, "poll_schedule_s": "4,4,4"},
        sandbox={"webhooks": webhooks, "latency_ms": str(int(LATENCY_S * 1000))},
    )
    fates = {intent["intent_id"]: (fate, intent) for fate in FATES for intent in (payin(), card())}
    for intent_id, (fate, _) in fates.items():
        if FATES[fate] is not None:
            stack.desk.fault(fault_of(fate), external_id=intent_id, options=FATES[fate])
    survivor = stack.start_worker(roles="reconcile,relay")

    ids = stack.submit(*(intent for _, intent in fates.values()))
    wait_for(lambda: len(stack.desk.requests(method="POST")) == len(ids), what=stack.tails)
    time.sleep(kill_after_s)  # the moment of the kill is the parameter of this test
    stack.workers[0].kill()
    recovered_s = recovery(stack, ids)
    stack.start_worker(wait=False)

    record_property("recovered_s", round(recovered_s, 2))
    lost = [each for each, (fate, _) in fates.items() if fate == "drop_before"]
    found = [each for each in ids if each not in lost]
    stack.succeed(found, within_s=60)
    assert survivor.is_running
    stack.judge(found)
    # What was on the wire and did not arrive looks as what did: it stays in doubt and is not sent again.
    assert {stack.events.last(each)["status"] for each in lost} == {"in_doubt"}
    asked = [request["external_id"] for request in stack.desk.requests(method="POST") if request["external_id"]]
    assert sorted(asked) == sorted(ids)


def test_messages_that_a_killed_worker_had_read_are_stored_by_another_within_15_s(own_stack, record_property):
    stack = own_stack(settings={"lease_s": DEFAULT_LEASE_S})
    ids = stack.submit(*(payin() for _ in range(300)))
    wait_for(lambda: any(stack.events.read().values()), what=stack.tails)
    stack.workers[0].kill()
    killed_s = time.monotonic()
    accepted = stored(stack, ids)
    assert len(accepted) < len(ids), "all were stored before the kill"
    stack.start_worker(wait=False)

    wait_for(lambda: stored(stack, ids) == ids, within_s=RECOVERY_S * slowness(), what=stack.tails)
    recovered_s = time.monotonic() - killed_s
    record_property("recovered_s", round(recovered_s, 2))
    sys.stdout.write(f"{len(ids) - len(accepted)} messages were stored {recovered_s:.1f} s after the kill\n")

    stack.succeed_after_a_kill(ids)
    # One that was stored and not acknowledged any more waits to be rescued like the rest.
    wait_for(lambda: stack.redis.xlen("payments.intents") == 0, within_s=2 * RECOVERY_S, what=stack.tails)


def test_a_worker_that_stood_still_longer_than_its_lease_does_nothing_over_again(own_stack):
    stack = own_stack(settings={"lease_s": "2"}, sandbox={"latency_ms": "700", "webhooks": "off"})
    frozen = stack.workers[0]
    stack.start_worker(roles="reconcile,relay")
    ids = stack.submit(*(card() if number % 2 else payin() for number in range(60)))
    wait_for(lambda: len(stack.desk.requests(method="POST")) >= 30, what=stack.tails)
    frozen.signal(signal.SIGSTOP)
    last = stack.submit(payin())
    # Redis may hand it to the frozen worker, which still waits for messages: then it is rescued.
    stack.start_worker()
    stack.wait_status(last, "requires_action", within_s=30)
    stack.wait_status(stored(stack, ids), "requires_action", "in_doubt", within_s=60)

    frozen.signal(signal.SIGCONT)

    # It tells what it never sent, so that nothing stays in doubt.
    stack.succeed(ids + last, within_s=60)
    stack.judge(ids + last)
    assert frozen.is_running


@pytest.mark.parametrize("fate", ["hang", "drop_before"])
def test_a_gateway_link_and_a_payid_on_the_wire_at_the_kill_stay_in_doubt_and_are_never_sent_again(own_stack, fate):
    stack = own_stack(sandbox={"latency_ms": str(int(LATENCY_S * 1000))})
    intents = [make() for make in (gateway_link, payid) for _ in range(3)]
    for intent in intents:
        stack.desk.fault(fate, external_id=intent["intent_id"])
    ids = stack.submit(*intents)
    wait_for(lambda: len(stack.desk.requests(method="POST")) == len(ids), what=stack.tails)
    stack.workers[0].kill()
    stack.start_worker()

    stack.wait_status(ids, "in_doubt", within_s=RECOVERY_S * slowness())

    made = sorted(stack.desk.counts("create"))
    assert made == ([] if fate == "drop_before" else sorted(ids))
    # The customer of a link or a PayID that is there may still pay: the webhook ends the doubt.
    stack.desk.act_on_all(made, "pay")
    stack.wait_status(made, "succeeded")
    stack.judge(made)
    assert {stack.events.last(each)["status"] for each in set(ids) - set(made)} <= {"in_doubt"}
    assert len(stack.desk.requests(method="POST")) == len(ids)


def test_a_capture_by_command_on_the_wire_at_the_kill_is_made_once(own_stack):
    stack = own_stack(sandbox={"latency_ms": str(int(LATENCY_S * 1000)), "webhooks": "off"})
    method = {"token": "tok_canary3ds", "return_url": "https://shop.example/back", "capture": "manual"}
    ids = stack.submit(*(card(method=method) for _ in range(6)))
    stack.wait_status(ids, "requires_action")
    stack.desk.act_on_all(ids, "pay")
    stack.wait_status(ids, "requires_capture")
    commands = [
        {"command": "capture", "merchant": "default", "intent_id": each, "command_id": f"{each}-1"} for each in ids
    ]
    stack.command(*commands)
    # What is only marked at the kill would stay in doubt: nobody can tell it from what is on the wire.
    wait_for(lambda: len(stack.desk.requests(path=CAPTURE)) == len(ids), what=stack.tails)
    stack.workers[0].kill()
    stack.start_worker()
    stack.command(*commands)

    stack.wait_status(ids, "succeeded", within_s=60)

    stack.judge(ids)
    assert len(stack.desk.requests(path=CAPTURE)) == len(ids)


def stored(stack, ids):
    events = stack.events.read()
    return [each for each in ids if events[each]]


def fault_of(fate):
    return "delay_ms" if fate.startswith("delay") else fate


def recovery(stack, ids):
    """Seconds from the kill until each payment that was on its way has moved again; not more than the bar."""
    killed_s = time.monotonic()
    before = stack.events.lasts()
    stuck = [each for each in ids if before[each]["status"] in {"accepted", "in_doubt"}]
    assert stuck, "nothing was in flight"
    # Those known to be in doubt may move only if the provider has them.
    moving = [each for each in stuck if before[each]["status"] == "accepted"]

    def waiting():
        lasts = stack.events.lasts()
        return [each for each in moving if lasts[each]["sequence"] == before[each]["sequence"]]

    wait_for(
        lambda: not waiting(),
        within_s=RECOVERY_S * slowness(),
        what=lambda: f"{waiting()}\n{stack.tails()}",
    )
    recovered_s = time.monotonic() - killed_s
    sys.stdout.write(f"{len(moving)} of {len(stuck)} payments moved again {recovered_s:.1f} s after the kill\n")
    return recovered_s
