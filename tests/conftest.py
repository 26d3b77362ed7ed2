"""Fixtures that any test may ask for, and the rule that nothing is skipped where all must run."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.cluster import ValkeyCluster
from tests.support.servers import ValkeyServer, bundled_binary, free_port, server_binary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AMQP_VARIABLE = "PAYORCH_TEST_AMQP_URL"
NO_SKIP_VARIABLE = "PAYORCH_TEST_NO_SKIP"

# A slow machine is no failure; a failing example is found again from the database.
settings.register_profile("payorch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("payorch")


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside() -> Iterator[None]:
    """A test sets what it needs; what the caller's shell has set for payorch does not reach it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in tuple(os.environ):
            if name.startswith("PAYORCH_") and not name.startswith("PAYORCH_TEST_"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One server for the whole run, one for each xdist worker; ask for `redis_url` unless you stop it."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(valkey_server: ValkeyServer) -> str:
    """The address of an empty database that no other test uses meanwhile."""
    if not valkey_server.answers():
        valkey_server.restart()
    valkey_server.flush()
    return valkey_server.url


@pytest.fixture(scope="session")
def valkey_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyCluster]:
    """Three masters for the whole run; ask for `cluster_url`."""
    cluster = ValkeyCluster(tmp_path_factory.mktemp("cluster"))
    cluster.start()
    yield cluster
    cluster.end()


@pytest.fixture
def cluster_url(valkey_cluster: ValkeyCluster) -> str:
    """The address of an empty cluster that no other test uses meanwhile."""
    valkey_cluster.flush()
    return valkey_cluster.url


@pytest.fixture
def own_valkey(tmp_path) -> Iterator[ValkeyServer]:
    """A running server of this test alone, to be killed, paused and restarted."""
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def master(tmp_path) -> Iterator[ValkeyServer]:
    """A running server of this test alone that `replica` follows."""
    server = ValkeyServer(tmp_path / "master", binary=bundled_binary())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def replica(tmp_path, master) -> Iterator[ValkeyServer]:
    """A server that copies `master`."""
    server = ValkeyServer(tmp_path / "replica", binary=bundled_binary())
    server.start("--replicaof", "127.0.0.1", str(master.port))
    yield server
    server.kill()


@pytest.fixture
def amqp_url() -> str:
    """RabbitMQ's address; the test's queues and exchanges carry `namespace`, as others use the broker too."""
    url = os.environ.get(AMQP_VARIABLE)
    if not url:
        pytest.skip(f"NO RABBITMQ: set {AMQP_VARIABLE}=amqp://guest:guest@127.0.0.1:5672// to run this test")
    return url


@pytest.fixture
def namespace() -> str:
    """A prefix (`PAYORCH_NAMESPACE`) that no other test has."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
def unused_port() -> Callable[[], int]:
    """A function that returns a free port at each call."""
    return free_port


def pytest_report_header() -> list[str]:
    broker = "set" if os.environ.get(AMQP_VARIABLE) else f"NOT SET ({AMQP_VARIABLE}), its tests are skipped"
    return [f"redis server: {server_binary()}", f"rabbitmq: {broker}"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What uses RabbitMQ is marked so; each test has a namespace of its own there."""
    for item in items:
        if "amqp_url" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.amqp)
        group = item.get_closest_marker("xdist_group")
        if group is not None and getattr(config.option, "loadgroup", False):
            # pytest-xdist 3.8 writes the group where pytest 9.2 does not look for it: no group would hold together.
            item._id = type(item._id).parse(f"{item.nodeid}@{group.args[0]}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With PAYORCH_TEST_NO_SKIP=1 a skipped test is a failed run."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(NO_SKIP_VARIABLE) != "1" or reporter is None or hasattr(session.config, "workerinput"):
        return
    skipped = reporter.stats.get("skipped", [])
    if skipped and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and os.environ.get(NO_SKIP_VARIABLE) == "1":
        terminalreporter.write_line(f"{len(skipped)} skipped, and {NO_SKIP_VARIABLE}=1 allows none", red=True)
