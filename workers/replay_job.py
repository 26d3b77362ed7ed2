"""The operator's task `payments.replay`: a replay in a thread of its own, as it would hold up remote control."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from orchestrator.errors import PayorchError
from workers.replay import ReplayStoppedError
from workers.replay_request import opened_replay, target_of

if TYPE_CHECKING:
    from workers.bootstrap import Settings
    from workers.replay import Replayed
    from workers.replay_request import ReplayRequest

log = structlog.get_logger(__name__)


class ReplayRunningError(PayorchError):
    """The worker replays already; wait for its end, `replay.done` in the log."""


class ReplayJob:
    """At most one replay of a worker at a time; how it ended is said in the log."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, request: ReplayRequest) -> None:
        """Begin and return; raises ReplayRunningError, and ValueError where the request makes no sense."""
        request.selection(now_ms=time.time_ns() // 1_000_000)
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                raise ReplayRunningError("a replay runs in this worker already")
            self._thread = threading.Thread(target=self._run, args=(request,), name="replay", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the window that is out; what was not published is left."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, request: ReplayRequest) -> None:
        target = target_of(request, self._settings)
        log.info("replay.started", target=target)
        try:
            with opened_replay(
                self._settings,
                request,
                on_progress=self._stop_if_asked,
                on_rejected=lambda: None,
                on_skipped=lambda queue, length: log.error("replay.queue_skipped", queue=queue, length=length),
            ) as replay:
                result = replay.run()
        except (PayorchError, ValueError) as error:
            log.error("replay.failed", target=target, error=str(error))  # noqa: TRY400  # a sentence, no traceback
        else:
            log.info(
                "replay.done",
                target=target,
                published=result.published,
                payments=result.payments,
                not_relayed=result.not_relayed,
                unreadable=result.unreadable,
                trimmed_before_ms=result.trimmed_before_ms,
            )

    def _stop_if_asked(self, _result: Replayed) -> None:
        if self._stopping.is_set():
            raise ReplayStoppedError("the worker ends")
