"""The task `payments.audit` inside a worker: one at a time, on the worker's loop, and it ends with the worker."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from orchestrator.errors import StoreUnavailableError
from tests.integration.cli.shelf import intent
from tests.support.process import wait_for
from workers.audit import Audit
from workers.audit_job import AuditJob, AuditRunningError
from workers.audit_request import AuditRequest
from workers.bootstrap import build_settings
from workers.loop import LoopThread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.audit_findings import Audited


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    loop.start()
    yield loop
    loop.stop()


@pytest.fixture
def job(environment, loop) -> AuditJob:
    return AuditJob(build_settings(), loop)


def said(logs):
    return [line["event"] for line in logs]


def metrics_of(job):
    registry = CollectorRegistry()
    registry.register(job)
    return generate_latest(registry).decode()


def test_one_audit_at_a_time_and_then_another(job, shelf, monkeypatch):
    shelf.put(intent())
    go_on, run = threading.Event(), Audit.run

    async def held(audit: Audit) -> Audited:
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        return await run(audit)

    monkeypatch.setattr(Audit, "run", held)
    with capture_logs() as logs:
        job.start(AuditRequest())
        with pytest.raises(AuditRunningError):
            job.start(AuditRequest())
        assert metrics_of(job) == ""
        go_on.set()
        wait_for(lambda: "audit.done" in said(logs), within_s=30)
        wait_for(lambda: is_begun(job), within_s=30)
        wait_for(lambda: said(logs).count("audit.done") == 2, within_s=30)
    done = next(line for line in logs if line["event"] == "audit.done")
    assert (done["payments"], done["events"], done["findings"]) == (1, 1, 0)
    assert 'payorch_audit_findings{invariant="I1"} 0.0' in metrics_of(job)


def is_begun(job):
    try:
        job.start(AuditRequest())
    except AuditRunningError:
        return False
    return True


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StoreUnavailableError("Redis did not answer"), "Redis did not answer"),
        (RuntimeError("http://secret"), "RuntimeError"),
    ],
)
def test_an_audit_that_cannot_go_on_says_so_and_shows_no_figures(job, monkeypatch, error, words):
    async def fails(_: Audit) -> Audited:
        raise error

    monkeypatch.setattr(Audit, "run", fails)
    with capture_logs() as logs:
        job.start(AuditRequest())
        wait_for(lambda: "audit.failed" in said(logs), within_s=30)
    assert [line["error"] for line in logs if line["event"] == "audit.failed"] == [words]
    assert metrics_of(job) == ""


def test_an_audit_does_not_outlive_its_worker(job, loop, monkeypatch):
    begun = threading.Event()

    async def endless(_: Audit) -> Audited:
        begun.set()
        return await asyncio.Future()

    monkeypatch.setattr(Audit, "run", endless)
    with capture_logs() as logs:
        job.start(AuditRequest())
        assert begun.wait(30)
        loop.stop()
    assert said(logs) == ["audit.started", "audit.abandoned"]


def test_what_makes_no_sense_is_refused_at_once(job):
    with pytest.raises(ValueError, match="how long ago"):
        job.start(AuditRequest(since="yesterday"))
