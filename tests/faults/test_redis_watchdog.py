"""A worker is never alive and deaf: it ends with a reason, and whoever comes after it does its work."""

from __future__ import annotations

import pytest

from tests.support.intents import payin
from tests.support.stack import Stack
from workers.watchdog import EXIT_STATUS

PATIENCE_S = 10  # the least that may be set
DEFECTS = {
    "loop-stands-still": "loop",
    "claims-nothing": "reconcile",
    "reads-nothing": "stream_intake",
    "relays-nothing": "relay",
}


class FailingStack(Stack):
    worker_program = ("-m", "celery", "-A", "tests.faults.failing_app", "worker")


@pytest.mark.timeout(180)
def test_a_worker_that_stands_still_or_hears_nothing_ends_with_the_reason_and_another_does_its_work(own_stack):
    """Each defect in a worker of its own, all at the same time: it is their patience that takes long."""
    stack = own_stack(FailingStack, workers=0, settings={"watchdog_s": str(PATIENCE_S)})
    workers = {defect: stack.start_worker(wait=False) for defect in DEFECTS}
    for worker in workers.values():
        stack.wait_until_ready(worker)

    for defect, worker in workers.items():
        (stack.directory / f"{worker.environment['PAYORCH_WORKER_PORT']}-{defect}").touch()

    for defect, worker in workers.items():
        assert worker.wait(60) == EXIT_STATUS, worker.output[-3000:]
        (said,) = [line for line in worker.output.splitlines() if '"watchdog.silent"' in line]
        assert f'"{DEFECTS[defect]}"' in said
    assert "failing_app.py" in workers["loop-stands-still"].output
    ids = stack.submit(payin(), payin())
    stack.start_worker()
    stack.succeed(ids)
    stack.judge(ids)
