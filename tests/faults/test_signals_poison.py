"""One payment that cannot be advanced stops only itself: it is put aside with its reason, nothing spins (I9)."""

from __future__ import annotations

import json

import pytest
import redis

from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.identity import PaymentKey
from tests.faults.crash_lane import SETTINGS, CrashStack
from tests.support.intents import card, payin
from tests.support.process import wait_for

POISON = "poison"
LOST_LEASES = 5
# Three rests and tries, and the first looks at a schedule of a second or so: nothing that spins.
MOST_TURNS = 12


@pytest.fixture
def stack(own_stack):
    return own_stack(CrashStack, settings=SETTINGS)


def others(stack, word, makes=(payin, card)):
    """Intents of other payments, submitted."""
    return stack.submit(*(make(intent_id=f"{word}-{number}") for number, make in enumerate(makes * 3)))


def said(program, event):
    lines = [json.loads(line) for line in program.output.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def review(stack, intent_id):
    return stack.events.last(intent_id).get("review", [])


def test_a_payment_whose_turns_fail_is_put_aside_with_a_review_and_goes_on_when_the_defect_is_gone(stack):
    worker = stack.workers[0]
    stack.arm(worker.name, "before-mark", prefix=POISON, deed="FAIL")
    poison = stack.submit(card(intent_id=POISON))
    before = others(stack, "before")
    wait_for(lambda: "parked" in review(stack, POISON), within_s=40, what=stack.tails)
    stack.succeed(before + others(stack, "after"), within_s=40)

    assert stack.events.last(POISON)["status"] == "accepted"
    assert next(line["why"] for line in said(worker, "payment.parked")) == "3 turns failed"
    assert len(said(worker, "payment.advance_failed")) <= MOST_TURNS
    assert worker.is_running
    stack.plan_of(worker.name).unlink()
    stack.succeed(poison, within_s=40)
    assert review(stack, POISON) == []
    stack.judge([*poison, *before])


def test_a_payment_whose_stored_body_cannot_be_read_is_left_alone_and_the_others_go_on(stack):
    worker = stack.workers[0]
    [intent_id] = stack.submit(card(intent_id=POISON))
    stack.wait_status([intent_id], "requires_action")
    name = RedisKeys(namespace="").payment(PaymentKey(merchant="default", intent_id=intent_id))[0]
    raw = redis.Redis(port=stack.valkey.port)  # the stack's own client decodes
    whole = raw.hget(name, "body")
    raw.hset(name, "body", b"\x00 no payment")

    wait_for(lambda: said(worker, "payment.unreadable"), within_s=40, what=stack.tails)
    ids = others(stack, "after")
    stack.succeed(ids, within_s=40)

    assert len(said(worker, "payment.unreadable")) == 1
    assert worker.is_running
    raw.hset(name, "body", whole)
    raw.close()
    stack.command(
        {"command": "refund", "merchant": "default", "intent_id": intent_id, "command_id": "c-1", "refund_id": "r-1"}
    )
    wait_for(stack.dead_letters, within_s=40, what=stack.tails)  # read again: nothing was paid yet
    stack.succeed([intent_id], within_s=40)
    stack.judge([intent_id, *ids])


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_payment_that_kills_its_workers_is_found_out_and_parked_and_the_others_go_on(stack):
    names = [f"worker{number}" for number in range(1, LOST_LEASES + 3)]
    for name in names[:-1]:
        stack.arm(name, "before-mark", prefix=POISON)
    poison = stack.submit(card(intent_id=POISON))
    # No cards: one that was only marked at a death stays in doubt.
    ids = others(stack, "before", makes=(payin, payin))
    for _ in names[:-1]:
        wait_for(lambda: not stack.workers[-1].is_running, within_s=40, what=stack.tails)
        stack.start_worker(wait=False)

    wait_for(lambda: "parked" in review(stack, POISON), within_s=40, what=stack.tails)
    stack.succeed(ids, within_s=40)

    assert stack.workers[-1].is_running
    assert said(stack.workers[-1], "payment.parked")
    stack.succeed(poison, within_s=60)
    stack.judge([*poison, *ids])
