"""The operator's task `payments.audit`: an audit on the worker's loop, told in its log and its metrics."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from orchestrator.errors import PayorchError
from workers.audit_findings import INVARIANTS
from workers.audit_run import opened_audit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from prometheus_client.core import Metric

    from workers.audit_findings import Audited, Finding
    from workers.audit_request import AuditRequest
    from workers.bootstrap import Settings
    from workers.loop import LoopThread

log = structlog.get_logger(__name__)


class AuditRunningError(PayorchError):
    """The worker audits already; wait for its end, `audit.done` in the log."""


class AuditJob(Collector):
    """At most one audit of a worker at a time; the figures are those of the last one that ended."""

    def __init__(self, settings: Settings, loop: LoopThread) -> None:
        self._settings = settings
        self._loop = loop
        self._starting = threading.Lock()
        self._running: Future[None] | None = None
        self._last: Audited | None = None
        self._ended_s = 0.0

    def start(self, request: AuditRequest) -> None:
        """Begin and return; raises AuditRunningError, and ValueError where the request makes no sense."""
        request.chosen(now_ms=time.time_ns() // 1_000_000)
        with self._starting:
            if self._running is not None and not self._running.done():
                raise AuditRunningError("an audit runs in this worker already")
            self._running = self._loop.submit(self._run(request))

    def collect(self) -> Iterator[Metric]:
        """`payorch_audit_findings{invariant}` and when that was; nothing before the first audit has ended."""
        if self._last is None:
            return
        findings = GaugeMetricFamily("payorch_audit_findings", "What the last audit found.", labels=["invariant"])
        for invariant in INVARIANTS:
            findings.add_metric([invariant], self._last.findings[invariant])
        yield findings
        ended = "payorch_audit_last_run_timestamp_seconds"
        yield GaugeMetricFamily(ended, "When the last audit ended.", value=self._ended_s)

    async def _run(self, request: AuditRequest) -> None:
        log.info("audit.started", provider=request.provider)
        try:
            async with opened_audit(self._settings, request, on_finding=_tell) as audit:
                audited = await audit.run()
        except asyncio.CancelledError:
            log.warning("audit.abandoned")
            raise
        except (PayorchError, ValueError) as error:
            log.error("audit.failed", error=str(error))  # noqa: TRY400  # a sentence, no traceback
            return
        except Exception as error:
            # Nobody waits for this job, so that nobody else would tell of it.
            log.error("audit.failed", error=type(error).__name__)  # noqa: TRY400  # its words may hold addresses
            raise
        self._last, self._ended_s = audited, time.time()
        log.info(
            "audit.done",
            payments=audited.payments,
            events=audited.events,
            at_the_provider=audited.at_the_provider,
            not_asked=audited.not_asked,
            unsettled=audited.unsettled,
            findings=audited.findings.total(),
        )


def _tell(finding: Finding) -> None:
    log.error("audit.finding", payment=finding.payment, invariant=finding.invariant, sentence=finding.sentence)
