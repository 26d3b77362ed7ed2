"""A worker that cannot do its work says why in a sentence and does not start; one that may wait, waits."""

from __future__ import annotations

import pytest

from tests.support.process import wait_for
from tests.support.servers import ValkeyServer, free_port

REQUIRED = ("redis_url", "provider_app_id", "provider_secret_key", "webhook_base_url", "webhook_secrets")


@pytest.mark.parametrize("name", ["worker", "web"])
@pytest.mark.parametrize("field", REQUIRED)
def test_a_missing_setting_stops_the_start_by_its_name(make_program, name, field):
    program = make_program(name, **{field: None})

    program.start()

    assert program.wait(30) != 0
    assert f"PAYORCH_{field.upper()} is not set" in program.output
    assert "Traceback" not in program.output
    others = {f"PAYORCH_{other.upper()}" for other in REQUIRED} - {f"PAYORCH_{field.upper()}"}
    assert not any(other in program.output for other in others)


@pytest.mark.parametrize("name", ["worker", "web"])
def test_all_settings_at_fault_are_named_at_once_and_no_value_is_shown(make_program, name):
    program = make_program(name, provider_secret_key=None, webhook_secrets="canary-a,canary-a", lease_s="canary-lease")

    program.start()

    assert program.wait(30) != 0
    for variable in ("PAYORCH_PROVIDER_SECRET_KEY", "PAYORCH_WEBHOOK_SECRETS", "PAYORCH_LEASE_S"):
        assert variable in program.output
    assert "canary" not in program.output
    assert "Traceback" not in program.output


def test_a_pool_that_cannot_hold_the_engine_is_refused_with_a_sentence(make_program, redis_url):
    worker = make_program("worker", arguments=["-P", "threads"], redis_url=redis_url)

    worker.start()

    assert worker.wait(30) not in {0, None}
    assert "payorch runs with the pool solo" in worker.output
    assert "Traceback" not in worker.output


def test_prefork_on_the_command_line_is_taken_by_celery_for_the_default_and_so_runs_solo(make_program, redis_url):
    worker = make_program("worker", arguments=["-P", "prefork"], redis_url=redis_url)

    worker.start()
    wait_for(lambda: " ready." in worker.output, what=lambda: worker.output)

    assert "concurrency: 1 (solo)" in worker.output
    assert worker.stop() == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--maxmemory-policy", "allkeys-lru"), "maxmemory-policy allkeys-lru"),
        (("--replicaof", "127.0.0.1 1"), "leads to a replica"),
    ],
)
def test_a_redis_that_would_lose_payments_is_refused_with_a_sentence(make_program, tmp_path, options, sentence):
    server = ValkeyServer(tmp_path / "valkey")
    server.start(*options)
    try:
        worker = make_program("worker", redis_url=server.url)
        worker.start()

        assert worker.wait(30) not in {0, None}
        assert sentence in worker.output
        assert "Traceback" not in worker.output
    finally:
        server.kill()


def test_another_number_of_shards_than_was_used_before_is_refused(make_program, redis_url):
    first = make_program("worker", redis_url=redis_url, worker_port=(port := str(free_port())))
    first.start()
    first.wait_until_it_serves(f"http://127.0.0.1:{port}/readyz")
    assert first.stop() == 0

    second = make_program("worker", redis_url=redis_url, shards="32")
    second.start()

    assert second.wait(30) not in {0, None}
    assert "64 shards, but 32 are configured" in second.output
    assert "Traceback" not in second.output.replace(first.output, "")


def test_a_worker_that_starts_before_its_redis_waits_and_starts_when_it_comes(make_program, tmp_path):
    server = ValkeyServer(tmp_path / "valkey")
    worker = make_program("worker", redis_url=server.url, worker_port=(port := str(free_port())))
    worker.start()
    wait_for(lambda: worker.output.count("worker.waits_for_redis") >= 2, what=lambda: worker.output)

    server.start()
    try:
        worker.wait_until_it_serves(f"http://127.0.0.1:{port}/readyz")

        assert worker.stop() == 0
    finally:
        server.kill()


def test_a_worker_that_waits_for_redis_ends_on_sigterm(make_program):
    worker = make_program("worker", redis_url=f"redis://127.0.0.1:{free_port()}/0")
    worker.start()
    wait_for(lambda: "worker.waits_for_redis" in worker.output, what=lambda: worker.output)

    worker.stop(within_s=10)

    assert not worker.is_running
