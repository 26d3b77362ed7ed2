"""A RabbitMQ node of a test's own, to be killed and put out of memory: the one that others use stays as it is."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import uuid
from pathlib import Path

from tests.support.process import wait_for
from tests.support.servers import free_port

START_WITHIN_S = 90.0
CONTROL_LIMIT_S = 60
# Debian's scripts on PATH change the user first; those behind them do not.
PLACES = (Path("/usr/lib/rabbitmq/bin"), Path("/opt/rabbitmq/sbin"))
GREETING = b"AMQP\x00\x00\x09\x01"


def script(name: str) -> str | None:
    """Where a script of RabbitMQ's is installed, or None."""
    found = next((str(place / name) for place in PLACES if (place / name).exists()), None)
    return found or shutil.which(name)


class RabbitServer:
    """One node without plugins; `kill` is SIGKILL, and `start` after it finds what was durable."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._name = f"payorch{uuid.uuid4().hex[:8]}@localhost"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Returns when the node greets; AssertionError with its log when it does not."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "plugins").write_text("[].")
        cookie = self.directory / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(uuid.uuid4().hex)
            cookie.chmod(0o400)
        program = script("rabbitmq-server")
        assert program, "rabbitmq-server is not installed"
        with (self.directory / "server.log").open("ab") as log:
            # A session of its own: the script, the node and their helpers end together.
            self._process = subprocess.Popen(
                [program], env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        wait_for(self.answers, within_s=START_WITHIN_S, what=lambda: self.log[-2000:])

    def kill(self) -> None:
        """The end that nobody prepares for."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)
            self._process = None

    def control(self, *words: str) -> None:
        """`rabbitmqctl`."""
        program = script("rabbitmqctl")
        assert program, "rabbitmqctl is not installed"
        done = subprocess.run(
            [program, "-q", "-n", self._name, *words],
            env=self._environment(),
            capture_output=True,
            timeout=CONTROL_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def answers(self) -> bool:
        """Whether a node greets; one that is not ready yet may accept a connection."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
                connection.settimeout(3)
                connection.sendall(GREETING)
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    @property
    def log(self) -> str:
        path = self.directory / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _environment(self) -> dict[str, str]:
        base = self.directory
        own = {
            "HOME": base,
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_DIST_PORT": free_port() if self._process is None else "",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": base / "none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": base / "plugins",
            "RABBITMQ_MNESIA_BASE": base / "mnesia",
            "RABBITMQ_SCHEMA_DIR": base / "schema",
            "RABBITMQ_GENERATED_CONFIG_DIR": base / "config",
            "RABBITMQ_LOG_BASE": base / "log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        return os.environ | {name: str(value) for name, value in own.items() if value}
