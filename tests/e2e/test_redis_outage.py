"""Redis goes away under load: no process ends, nothing is lost, nothing that we know becomes doubtful (I1, I2)."""

from __future__ import annotations

import json
import sys
import time

import pytest
import redis

from tests.support.intents import card, payin
from tests.support.pace import slowness
from tests.support.process import wait_for

BACK_WITHIN_S = 5.0
EACH = 20


def loaded(own_stack, **sandbox):
    """A stack with calls on the wire, answers just arrived and customers on their way; ids by what they wait for."""
    stack = own_stack(workers=2, settings={"lease_s": "10"}, sandbox={"latency_ms": "400"} | sandbox)
    waiting = stack.submit(*(card() if number % 2 else payin() for number in range(EACH)))
    stack.wait_status(waiting, "requires_action")
    fresh = stack.submit(*(card() if number % 2 else payin() for number in range(EACH)))
    wait_until_asked(stack, EACH + EACH // 2)
    return stack, waiting, fresh


@pytest.mark.parametrize("down_s", [4.0])
def test_redis_killed_with_calls_on_the_wire_costs_only_its_absence(own_stack, down_s, record_property):
    stack, waiting, fresh = loaded(own_stack)

    stack.valkey.kill()
    stack.desk.act_on_all(waiting, "pay")  # their webhooks meet a web process without a store
    time.sleep(down_s)  # the length of the outage is the parameter of this test
    stack.valkey.start()
    back_s = works_again(stack)

    record_property("back_s", round(back_s, 2))
    stack.wait_status(waiting, "succeeded", within_s=30)
    stack.succeed(fresh, within_s=30)
    assert all(program.is_running for program in (*stack.workers, stack.web))
    assert not in_doubt(stack, waiting + fresh), in_doubt(stack, waiting + fresh)
    stack.judge(waiting + fresh)


def test_redis_that_stands_still_for_8_s_costs_only_its_absence(own_stack, record_property):
    stack, waiting, fresh = loaded(own_stack)

    stack.valkey.pause()
    stack.desk.act_on_all(waiting, "pay")
    time.sleep(8)  # longer than a socket waits, shorter than a lease
    stack.valkey.resume()
    back_s = works_again(stack)

    record_property("back_s", round(back_s, 2))
    stack.wait_status(waiting, "succeeded", within_s=30)
    stack.succeed(fresh, within_s=30)
    assert all(program.is_running for program in (*stack.workers, stack.web))
    assert not in_doubt(stack, waiting + fresh), in_doubt(stack, waiting + fresh)
    stack.judge(waiting + fresh)


def test_redis_killed_three_times_in_a_row_while_messages_come_loses_none(own_stack):
    stack = own_stack(sandbox={"latency_ms": "100"})
    ids = []
    for _ in range(3):
        ids += stack.submit(*(payin() for _ in range(30)))
        wait_until_asked(stack, len(ids) - 20)
        stack.valkey.restart()
        submit_when_back(stack, last := card())
        ids.append(last["intent_id"])

    stack.succeed(ids, within_s=60)
    assert stack.workers[0].is_running
    stack.judge(ids)


def test_a_worker_without_its_redis_ends_on_sigterm_and_another_finishes_its_work(own_stack):
    stack = own_stack(settings={"drain_s": "3", "lease_s": "3"}, sandbox={"latency_ms": "300"})
    ids = stack.submit(payin(), card())
    wait_until_asked(stack, 2)
    stack.valkey.kill()

    stack.workers[0].stop(within_s=20)

    stack.valkey.start()
    stack.start_worker()
    stack.succeed(ids)
    stack.judge(ids)


def wait_until_asked(stack, calls):
    wait_for(lambda: len(stack.desk.requests(method="POST")) >= calls, what=stack.tails)


def works_again(stack):
    """Seconds from Redis' first answer until a new intent has become a payment at the provider."""
    began_s = time.monotonic()
    intent = payin()
    submit_when_back(stack, intent)
    stack.wait_status([intent["intent_id"]], "requires_action", within_s=BACK_WITHIN_S * slowness())
    back_s = time.monotonic() - began_s
    sys.stdout.write(f"works again {back_s:.1f} s after Redis answered\n")
    return back_s


def submit_when_back(stack, intent):
    """As a producer does it whose connection was lost: once more until it is taken; the same intent is harmless."""

    def submitted():
        try:
            stack.redis.xadd("payments.intents", {"intent": json.dumps(intent)})
        except redis.RedisError:
            return False
        return True

    wait_for(submitted, what=stack.tails)


def in_doubt(stack, ids):
    return [each for each in ids if "in_doubt" in stack.events.statuses(each)]
