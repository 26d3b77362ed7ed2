"""A program of ours as a real process, with everything it says kept in a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    FoundT = TypeVar("FoundT")

ROOT = Path(__file__).parents[2]
POLL_S = 0.03


def wait_for(found: Callable[[], FoundT], *, within_s: float = 20.0, what: object = "") -> FoundT:
    """The first true value that `found` returns; AssertionError with the last one where none comes in time.

    `what` is shown then; a callable is asked only then.
    """
    deadline_s = time.monotonic() + within_s
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > deadline_s:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {within_s} s (last: {value!r}): {said}")
        time.sleep(POLL_S)


class Program:
    """One program; `start` may be called again after its end, the output goes on in the same file."""

    def __init__(self, name: str, arguments: list[str], *, environment: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self._arguments = arguments
        # Nothing of the caller's environment or directory (`.env`) reaches the program.
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": str(ROOT)}
        self.environment |= environment
        self.directory = directory
        self.output_file = directory / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """All it said, on both streams."""
        return self.output_file.read_text("utf-8", "replace") if self.output_file.exists() else ""

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.output_file.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self._arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self.environment,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to a program that runs."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone; a paused program is killed as well."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def wait(self, within_s: float = 20.0) -> int:
        """The exit status; subprocess.TimeoutExpired where it does not end in time."""
        assert self.process is not None
        return self.process.wait(within_s)

    def stop(self, within_s: float = 20.0) -> int:
        """SIGTERM and the exit status; what does not end by it is killed and raised."""
        if self.process is None:
            return 0
        if self.is_running:
            self.signal(signal.SIGTERM)
        try:
            return self.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def wait_until_it_serves(self, url: str, *, within_s: float = 40.0) -> None:
        """Return when the URL answers 200; AssertionError with what it said when it ends or is late."""

        def serves() -> bool:
            assert self.is_running, f"{self.name} ended:\n{self.output[-3000:]}"
            try:
                return httpx.get(url, timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        wait_for(serves, within_s=within_s, what=lambda: f"{self.name} does not serve:\n{self.output[-3000:]}")
