"""The entry points for those who speak Celery: light, synchronous, stored before they are acknowledged."""

from __future__ import annotations

import json
from typing import Any

from celery import Task, shared_task
from celery.exceptions import Reject

from orchestrator.errors import StoreUnavailableError
from workers.audit_request import AuditRequest
from workers.replay_request import ReplayRequest

STORE_WITHIN_S = 30.0


@shared_task(name="payments.submit", bind=True, acks_late=True, ignore_result=True)
def submit(self: Task, intent: Any) -> None:
    """Accept a payment intent. On a Redis broker this inherits Celery's loss window; the stream has none."""
    _store(self, intent, is_command=False)


@shared_task(name="payments.command", bind=True, acks_late=True, ignore_result=True)
def command(self: Task, command: Any) -> None:
    """Accept a command for a payment."""
    _store(self, command, is_command=True)


@shared_task(name="payments.replay", bind=True, acks_late=True, ignore_result=True)
def replay(self: Task, **request: str | None) -> None:
    """Begin `payorch events replay` in this worker; the arguments are its options: since, until, intent, merchant,
    queue, binding. How it ended is in the worker's log; a worker that ends leaves it unfinished.
    """
    self.app.payorch.replay(ReplayRequest(**{name: value for name, value in request.items() if value is not None}))


@shared_task(name="payments.audit", bind=True, acks_late=True, ignore_result=True)
def audit(self: Task, **request: str | bool | None) -> None:
    """Begin `payorch audit` in this worker; the arguments are its options: intent, merchant, since, provider.

    What it finds is in the worker's log and metrics; a worker that ends leaves it unfinished.
    """
    self.app.payorch.audit(AuditRequest(**{name: value for name, value in request.items() if value is not None}))  # type: ignore[arg-type]


@shared_task(name="payments.retention", bind=True, acks_late=True, ignore_result=True)
def retention(self: Task) -> None:
    """Begin to delete payments that ended PAYORCH_RETENTION_DAYS ago; to be called daily. What came of it is in the
    worker's log; a worker that ends leaves the rest to the next time.
    """
    self.app.payorch.retain()


def _store(task: Task, message: Any, *, is_command: bool) -> None:
    """Wait until the message is stored; where that is not certain it goes back to its queue."""
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        task.app.payorch.accept(body, is_command=is_command).result(STORE_WITHIN_S)
    except (StoreUnavailableError, TimeoutError) as error:
        raise Reject(type(error).__name__, requeue=True) from error
