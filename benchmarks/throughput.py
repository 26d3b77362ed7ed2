"""How many intents one worker process takes from its queue to `requires_action`, and what of the CPU each costs.

    python -m benchmarks.throughput --intents 5000

The stream is filled first, then one worker with all roles starts; Valkey is one of its own with `appendfsync always`,
the provider a stub that answers after 200 ms. CPU is the worker's, user and system, between a tenth and nine tenths
of the intents.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from tests.support.intents import payin
from tests.support.process import Program, wait_for
from tests.support.servers import free_port
from tests.support.stack import Stack

TICKS_S = os.sysconf("SC_CLK_TCK")


def cpu_s(process_id: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


def measure(intents: int, latency_s: float) -> dict[str, float]:
    """Run it once."""
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        stub = Program(
            "stub",
            ["-m", "benchmarks.stub_provider", "--port", str(port), "--latency-s", str(latency_s)],
            environment={},
            directory=Path(directory),
        )
        settings = {
            "provider_base_url": f"http://127.0.0.1:{port}",
            "rate_rps": "100000",
            "rate_burst": "100000",
            "rate_max_concurrency": "100000",
            "lease_s": "10",
            "log_level": "warning",
            "poll_schedule_s": "600",
            "poll_tail_s": "600",
        }
        stack = Stack(Path(directory), workers=0, settings=settings)
        try:
            stub.start()
            stack.valkey.start()
            stack.submit(*(payin() for _ in range(intents)))
            worker = stack.start_worker(wait=False)
            marks = [_mark(stack, worker, at_least=intents * part // 10) for part in (1, 9)]
            wait_for(lambda: done(stack) >= intents, within_s=60, what=stack.tails)
            (from_count, from_s, from_cpu), (to_count, to_s, to_cpu) = marks
            count = to_count - from_count
            return {"per_s": count / (to_s - from_s), "cpu_ms": 1000 * (to_cpu - from_cpu) / count}
        finally:
            stub.kill()
            stack.end()


def _mark(stack: Stack, worker: Program, *, at_least: int) -> tuple[int, float, float]:
    """How many are done, the time and the worker's CPU, once so many are."""
    wait_for(lambda: done(stack) >= at_least, within_s=300, what=stack.tails)
    assert worker.process is not None
    return done(stack), time.monotonic(), cpu_s(worker.process.pid)


def done(stack: Stack) -> int:
    """How many payments got their second event: the one that passes the customer's action on."""
    return sum(int(stack.redis.xlen(f"payorch:{{s{shard:02d}}}:events")) for shard in range(64)) - accepted(stack)


def accepted(stack: Stack) -> int:
    """How many payments are stored."""
    return sum(int(stack.redis.zcard(f"payorch:{{s{shard:02d}}}:due:default")) for shard in range(64))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--intents", type=int, default=5000)
    parser.add_argument("--latency-s", type=float, default=0.2)
    parser.add_argument("--runs", type=int, default=1)
    chosen = parser.parse_args()
    for _ in range(chosen.runs):
        figures = measure(chosen.intents, chosen.latency_s)
        print(f"{figures['per_s']:.0f} intents/s, {figures['cpu_ms']:.2f} ms of CPU each")
