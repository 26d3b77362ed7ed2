"""Jobs that fall due on the sandbox clock."""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sandbox.clock import Clock

Job = Callable[[], Coroutine[Any, Any, None]]
log = logging.getLogger("sandbox.schedule")


class Schedule:
    """Starts each job once when it falls due, in order of due time; `run` must be running."""

    def __init__(self, *, clock: Clock) -> None:
        """Start with nothing due."""
        self._clock = clock
        self._due: list[tuple[float, int, Job]] = []
        self._order = itertools.count()
        self._bell = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def after(self, delay_s: float, job: Job) -> None:
        """Let `job` fall due in `delay_s` sandbox seconds."""
        heapq.heappush(self._due, (self._clock.elapsed_s() + delay_s, next(self._order), job))
        self.ring()

    def ring(self) -> None:
        """Look at the clock again: something was added or the speed changed."""
        self._bell.set()

    async def run(self) -> None:
        """Start due jobs for ever."""
        while True:
            self._bell.clear()
            self._start_due()
            await self._until_next()

    async def advance(self, seconds: float) -> None:
        """Push the clock on step by step; on return all that fell due in between is done."""
        target_s = self._clock.elapsed_s() + seconds
        await self._finish_running()
        while self._due and self._due[0][0] <= target_s:
            self._clock.push_to(self._due[0][0])
            self._start_due()
            await self._finish_running()
        self._clock.push_to(target_s)
        self.ring()

    async def close(self) -> None:
        """Cancel what still runs."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _start_due(self) -> None:
        while self._due and self._due[0][0] <= self._clock.elapsed_s():
            task = asyncio.ensure_future(heapq.heappop(self._due)[2]())
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("sandbox.job_failed", exc_info=error)

    async def _until_next(self) -> None:
        delay_s = self._clock.wall_delay_s(self._due[0][0]) if self._due else None
        try:
            await asyncio.wait_for(self._bell.wait(), delay_s)
        except TimeoutError:
            return

    async def _finish_running(self) -> None:
        while self._running:
            await asyncio.wait(set(self._running))
