"""payorch-client as order services install it: built from the tree, without config, Celery or the engine."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import redis

ROOT = Path(__file__).parents[3]
SUBMIT = """
import sys
from orchestrator.client import AsyncIntentClient, IntentClient
with IntentClient(sys.argv[1]) as client:
    client.submit({"intent_id": "ord-1"})
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"celery", "config", "pydantic", "structlog", "workers"}, loaded
"""


def build(into):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", str(into), str(ROOT / "orchestrator/client")], check=True, capture_output=True)
    [wheel] = into.glob("payorch_client-*.whl")
    return wheel


def test_the_built_client_alone_submits_an_intent(tmp_path, redis_url):
    with zipfile.ZipFile(build(tmp_path)) as wheel:
        wheel.extractall(tmp_path / "installed")
    names = {path.name for path in (tmp_path / "installed/orchestrator").iterdir()}
    assert names == {"__init__.py", "client", "errors.py", "identity.py", "statuses.py"}
    # -P and a foreign directory: the tree's own packages are out of reach, the libraries are not.
    site = next(path for path in sys.path if path.endswith("site-packages"))
    program = f"import sys; sys.path[:0] = [{str(tmp_path / 'installed')!r}, {site!r}]\n{SUBMIT}"
    run = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program, redis_url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    connection: Any = redis.Redis.from_url(redis_url)
    [(_, fields)] = connection.xrange("payments.intents")
    assert json.loads(fields[b"intent"]) == {"intent_id": "ord-1"}
