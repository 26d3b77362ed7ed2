"""Several workers on one Redis share the work and never do it twice (I1), whatever stops them in order."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.support.intents import card, payin
from tests.support.process import wait_for

PAYMENTS = 200


def test_two_workers_on_one_redis_create_and_capture_nothing_twice(own_stack):
    stack = own_stack(workers=2, sandbox={"latency_ms": "20"})
    intents = [card() if number % 2 else payin() for number in range(PAYMENTS)]

    ids = stack.submit(*intents, *intents)  # each twice, as a queue that redelivers does it

    stack.succeed(ids[:PAYMENTS], within_s=60)
    stack.judge(ids)
    assert len(stack.desk.ledger(kind="create")) == PAYMENTS
    assert len(stack.desk.ledger(kind="capture")) == PAYMENTS // 2
    assert all('"intent.accepted"' in worker.output for worker in stack.workers), "one worker did it all"
    assert stack.dead_letters() == []


def test_sigterm_lets_the_calls_on_the_wire_end_and_the_other_worker_goes_on(own_stack):
    stack = own_stack(workers=1, sandbox={"latency_ms": "1500"})
    ids = stack.submit(*(payin() for _ in range(10)))
    wait_for(lambda: len(stack.desk.requests(path="/api/v2/payins")) == 10, what=stack.tails)
    other = stack.start_worker()

    stack.workers[0].signal(signal.SIGTERM)
    ids += stack.submit(*(payin() for _ in range(5)))

    assert stack.workers[0].wait(20) == 0
    assert drained_completely(stack.workers[0])
    stack.succeed(ids)
    assert other.is_running
    assert not in_doubt(stack, ids)
    stack.judge(ids)


def test_a_second_sigterm_does_not_cut_the_drain_short(own_stack):
    stack = own_stack(sandbox={"latency_ms": "2000"})
    ids = stack.submit(payin(), card())
    wait_for(lambda: len(stack.desk.requests(method="POST")) == 2, what=stack.tails)

    stack.workers[0].signal(signal.SIGTERM)
    time.sleep(0.2)  # not to be merged with the first by the kernel
    stack.workers[0].signal(signal.SIGTERM)

    assert stack.workers[0].wait(20) == 0
    assert [stack.events.last(each)["status"] for each in ids] == ["requires_action"] * 2
    stack.judge(ids)


def test_a_drain_that_is_too_short_leaves_the_call_in_doubt_and_it_is_found_again(own_stack):
    stack = own_stack(settings={"drain_s": "1", "lease_s": "2"})
    stack.desk.fault("hang", path="/api/v2/payins")
    ids = stack.submit(payin())
    stack.wait_created(ids)

    stack.workers[0].signal(signal.SIGTERM)

    assert stack.workers[0].wait(20) == 0
    assert not drained_completely(stack.workers[0])
    stack.start_worker()
    stack.succeed(ids)
    stack.judge(ids)


@pytest.mark.parametrize("rounds", [3])
def test_a_rolling_restart_under_load_leaves_nothing_in_doubt_and_does_nothing_twice(own_stack, rounds):
    stack = own_stack(workers=2, sandbox={"latency_ms": "200"})
    ids = []
    for _ in range(rounds):
        ids += stack.submit(*(card() if number % 2 else payin() for number in range(20)))
        oldest = next(worker for worker in stack.workers if worker.is_running)
        oldest.signal(signal.SIGTERM)
        ids += stack.submit(*(payin() for _ in range(10)))
        stack.start_worker()
        assert oldest.wait(20) == 0
        assert drained_completely(oldest)

    stack.succeed(ids, within_s=60)
    assert not in_doubt(stack, ids)
    stack.judge(ids)


def in_doubt(stack, ids):
    return [each for each in ids if "in_doubt" in stack.events.statuses(each)]


def drained_completely(worker):
    lines = [json.loads(line) for line in worker.output.splitlines() if line.startswith("{")]
    return [line["complete"] for line in lines if line["event"] == "worker.drained"] == [True]
