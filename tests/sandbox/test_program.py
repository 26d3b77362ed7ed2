from __future__ import annotations

import ast
import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.sandbox.builders import payin_body
from tests.support.servers import free_port

PACKAGE = Path(__file__).parents[2] / "sandbox"


async def test_the_program_serves_with_options_over_the_environment_and_stops_on_sigterm():
    port = free_port()
    environment = {
        **os.environ,
        "SANDBOX_APP_ID": "app",
        "SANDBOX_SECRET_KEY": "secret",
        "SANDBOX_PAYIN_SETTLE_S": "60",
    }
    arguments = [sys.executable, "-m", "sandbox", "--port", str(port), "--payin-settle-s", "0"]
    process = subprocess.Popen(arguments, env=environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await _answers(client)
            headers = {"app-id": "app", "secret-key": "secret"}
            reply = await client.post("/api/v2/payins", json=payin_body(), headers=headers)
            paid = await client.post(f"/_sandbox/payments/{reply.json()['uuid']}/pay")
            assert paid.json()["status"] == "received"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in {0, -signal.SIGTERM}
    finally:
        process.kill()
        process.wait()


def test_the_sandbox_shares_no_code_with_what_it_stands_in_for():
    imported = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    assert not imported & {"orchestrator", "workers", "config"}


async def _answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await client.get("/_sandbox/health")
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
            else:
                return
