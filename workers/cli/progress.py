"""A bar on a terminal for what takes longer than a second."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

QUIET_S = 1.0


class Progress:
    """Shows itself on standard error, and only where that is a terminal."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._shown_from_s = time.monotonic() + QUIET_S
        self._bar: Any = None
        self._task: Any = None

    def reached(self, count: int) -> None:
        """So many are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=count)
        elif time.monotonic() > self._shown_from_s and sys.stderr.isatty():
            self._start(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start(self, count: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._bar.start()
        self._task = self._bar.add_task("", total=self._total, completed=count)
