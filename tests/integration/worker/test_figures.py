"""What a running worker says of itself."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.intents import payin
from tests.support.process import wait_for
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        ids = stack.submit(payin(), payin())
        stack.wait_status(ids, "requires_action")
        stack.submit_raw("{bad")
        wait_for(lambda: '"intent.refused"' in stack.output(), what=stack.tails)
        yield stack


def test_inspect_stats_shows_the_figures_under_payorch(stack):
    arguments = ["-m", "celery", "-A", "workers.app", "inspect", "stats", "--json", "--timeout", "10"]
    said = subprocess.run(
        [sys.executable, *arguments],
        env=stack.workers[0].environment,
        cwd=stack.directory,
        capture_output=True,
        timeout=40,
        check=False,
    )
    assert said.returncode == 0, said.stderr.decode()
    (stats,) = json.loads(said.stdout.decode().strip().splitlines()[0]).values()

    figures = stats["payorch"]
    assert figures["stream_intake"]["taken"] == 3
    assert figures["reconcile"]["advanced"] >= 2
    assert figures["roles"] == ["intake", "reconcile", "relay"]
    assert figures["durability"].startswith("AOF always")
    assert set(figures) >= {"owner", "relay"}


def test_a_worker_serves_health_readiness_and_valid_metrics(stack):
    url = stack.url_of(stack.workers[0])

    assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
    ready = httpx.get(f"{url}/readyz").json()
    assert (ready["status"], ready["missing"]) == ("ready", [])
    assert ready["durability"].startswith("AOF always")
    samples = metrics(f"{url}/metrics")
    assert samples["payorch_intents_accepted_total", (("flow", "payin"),)] == 2
    assert samples["payorch_intents_refused_total", (("refusal_code", "invalid_json"),)] == 1
    assert samples["payorch_stream_intake_taken", ()] == 3
    assert not any("payin-" in str(labels) for _, labels in samples), "an id is a label"


def test_the_web_process_serves_health_readiness_and_valid_metrics(stack):
    assert httpx.get(f"{stack.web_url}/healthz").status_code == 200
    assert httpx.get(f"{stack.web_url}/readyz").json()["missing"] == []
    assert metrics(f"{stack.web_url}/metrics")


def metrics(url):
    """Every sample by name and labels, read by Prometheus' own parser."""
    reply = httpx.get(url)
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }
