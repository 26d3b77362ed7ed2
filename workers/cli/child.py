"""A program of the local stack: started, watched and ended by us, its output kept in a file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

LEASH = Path(__file__).with_name("leash.py")
TAIL_LINES = 15
TAIL_BYTES = 64 * 1024


class Interrupts:
    """A signal handler that raises KeyboardInterrupt, but not where one would do harm: there afterwards."""

    def __init__(self) -> None:
        self._is_held = self._has_come = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, or remember to."""
        if not self._is_held:
            raise KeyboardInterrupt
        self._has_come = True

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is raised meanwhile."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._has_come:
            self._has_come = False
            raise KeyboardInterrupt


INTERRUPTS = Interrupts()


class Child:
    """One program in a session of its own, so that Ctrl-C reaches only us and we end it in order."""

    def __init__(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], directory: Path) -> None:
        """Start it at once in `directory`, where its output goes to `<name>.log`."""
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  # our own programs, no shell
                [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=directory,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """How it ended; None while it runs."""
        # An interrupt in there would leave a lock taken for which `stop` would wait for ever.
        with INTERRUPTS.held():
            return self._process.poll()

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end, kill it and what it started after `timeout_s`; True where it ended by itself."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
            return False
        return True

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines of its output."""
        with self.log.open("rb") as output:
            output.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            return "\n".join(output.read().decode("utf-8", "replace").splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
