"""Workers that are told to stop, under load: nothing is in doubt that need not be, nothing is done twice (I1, I2)."""

from __future__ import annotations

import json
import signal
import threading
import time

import pytest

from tests.support.intents import card, payin
from tests.support.process import wait_for

CREATES = "/api/v2/payins"
AWAY_S = 15.0
RESTARTS = 3  # each of them once
DRAINED_WITHIN_S = 60.0


class Load:
    """Submits a few intents again and again until it is stopped; `ids` are theirs."""

    def __init__(self, stack):
        self.ids = []
        self._stack = stack
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._submit)
        self._thread.start()

    def stop(self):
        self._ending.set()
        self._thread.join()

    def _submit(self):
        while not self._ending.wait(0.1):
            self.ids += self._stack.submit(card(), payin())


def wait_until_asked(stack, calls):
    wait_for(lambda: len(stack.desk.requests(method="POST")) >= calls, what=stack.tails)


def ends(worker):
    """How each of its stops ended: whether all calls were over in time."""
    lines = [json.loads(line) for line in worker.output.splitlines() if line.startswith("{")]
    return [line["complete"] for line in lines if line["event"] == "worker.drained"]


def in_doubt(stack, ids):
    return [each for each in ids if "in_doubt" in stack.events.statuses(each)]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_three_workers_restarted_one_after_the_other_under_load_leave_nothing_in_doubt(own_stack):
    # Without polls: the slower the machine, the more payments come, and each would be polled all the while.
    settings = {"lease_s": "10", "drain_s": "50", "poll_schedule_s": "60"}
    stack = own_stack(workers=3, settings=settings, sandbox={"latency_ms": "300"})
    load = Load(stack)
    try:
        for number in range(RESTARTS):
            leaving = stack.workers[number]
            asked = len(stack.desk.requests(method="POST"))
            wait_until_asked(stack, asked + 5)
            leaving.signal(signal.SIGTERM)
            stack.start_worker(wait=False)
            assert leaving.wait(DRAINED_WITHIN_S) == 0
            assert ends(leaving) == [True], stack.tails()
            stack.wait_until_ready(stack.workers[-1])
    finally:
        load.stop()

    stack.succeed(load.ids, within_s=60)
    assert in_doubt(stack, load.ids) == []
    stack.judge(load.ids)


# What is to be cut off must not end by itself while a busy machine is slow to stop.
@pytest.mark.parametrize(("number", "latency_ms"), [(signal.SIGINT, "1500"), (signal.SIGQUIT, "6000")])
def test_the_other_signals_that_stop_a_worker_lose_nothing_and_do_nothing_twice(own_stack, number, latency_ms):
    stack = own_stack(settings={"lease_s": "2"}, sandbox={"latency_ms": latency_ms})
    stopped = stack.workers[0]
    ids = stack.submit(*(payin() for _ in range(5)))
    wait_for(lambda: len(stack.desk.requests(path=CREATES)) == 5, what=stack.tails)

    stopped.signal(number)

    stopped.wait(DRAINED_WITHIN_S)  # the exit status is Celery's: 1 after a SIGINT
    stack.desk.change(latency_ms=50)
    stack.start_worker()
    stack.succeed(ids, within_s=60)
    stack.judge(ids)
    # SIGINT lets the calls on the wire end; SIGQUIT is for who cannot wait: what it cuts off is looked up.
    is_patient = number is signal.SIGINT
    assert ends(stopped) == [is_patient]
    assert bool(in_doubt(stack, ids)) is not is_patient


def test_a_second_sigint_cuts_the_drain_short_and_hands_everything_over(own_stack):
    stack = own_stack(settings={"lease_s": "10", "drain_s": "50"})
    for _ in range(3):
        stack.desk.fault("hang", path=CREATES)
    stopped = stack.workers[0]
    ids = stack.submit(*(payin() for _ in range(3)))
    stack.wait_created(ids)
    stopped.signal(signal.SIGINT)
    wait_for(lambda: "Warm shutdown" in stopped.output, what=stack.tails)

    stopped.signal(signal.SIGINT)

    stopped.wait(DRAINED_WITHIN_S)
    assert ends(stopped) == [False]
    stack.start_worker()
    # Handed over, not left to run out: another worker looks them up at once.
    stack.succeed(ids, within_s=60)
    stack.judge(ids)


@pytest.mark.slow
def test_redis_away_for_15_s_with_calls_on_the_wire_leaves_nothing_in_doubt(own_stack):
    stack = own_stack(workers=2, settings={"lease_s": "10"}, sandbox={"latency_ms": "3000"})
    ids = stack.submit(*(card() if number % 2 else payin() for number in range(20)))
    wait_until_asked(stack, len(ids))
    answered = [request for request in stack.desk.requests(method="POST") if request["status"] is not None]
    assert len(answered) < len(ids), "no call was on the wire any more"

    stack.valkey.kill()
    time.sleep(AWAY_S)  # the length of the outage is what is tested: longer than a lease, and than every call
    stack.valkey.start()

    stack.succeed(ids, within_s=60)
    assert in_doubt(stack, ids) == []
    assert all(program.is_running for program in (*stack.workers, stack.web))
    stack.judge(ids)
