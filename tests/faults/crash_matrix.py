"""Kills at every point, of every flow, at the first and the second hit: `./dev crash-matrix`.

Two lanes run side by side. A line a case, then a table of the points, then the figures; the exit status is 1 where a
case failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from tests.faults.crash_cases import matrix
from tests.faults.crash_lane import Case, Lane

LANES = 2
REASON_LIMIT = 6000


@dataclass(frozen=True, kw_only=True)
class Result:
    """`reason` is empty where the case held; `took_s` is from the kill until all was finished."""

    case: Case
    took_s: float = 0.0
    reason: str = ""


def played(cases: list[Case], directory: Path, *, lanes: int) -> list[Result]:
    """Play the cases in so many lanes, a line each."""
    waiting: SimpleQueue[Case] = SimpleQueue()
    for case in cases:
        waiting.put(case)
    results: list[Result] = []
    threads = [Thread(target=_lane, args=(waiting, results, directory / f"lane{number}")) for number in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _lane(waiting: SimpleQueue[Case], results: list[Result], directory: Path) -> None:
    lane = Lane(directory)
    try:
        while True:
            try:
                case = waiting.get_nowait()
            except Empty:
                return
            results.append(_result(lane, case))
            _say(results[-1])
    finally:
        lane.close()


def _result(lane: Lane, case: Case) -> Result:
    try:
        return Result(case=case, took_s=lane.play(case))
    except Exception as error:  # noqa: BLE001 - a case that cannot be judged did not hold
        return Result(case=case, reason=f"{type(error).__name__}: {error}"[:REASON_LIMIT])


def _say(result: Result) -> None:
    verdict = f"FAILED {result.reason}" if result.reason else f"ok, finished after {result.took_s:.1f} s"
    sys.stdout.write(f"{result.case.name}: {verdict}\n")
    sys.stdout.flush()


def table(results: list[Result]) -> list[str]:
    """A row for each scene and point: kills, failures, the longest time until all was finished."""
    rows: defaultdict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        rows[result.case.scene, result.case.point].append(result)
    lines = ["| scene | killed at | flows | kills | failed | finished after, at most |", "|---|---|---|---|---|---|"]
    for (scene, point), of_point in rows.items():
        flows = ", ".join(sorted({result.case.flow for result in of_point}))
        failed = sum(1 for result in of_point if result.reason)
        slowest_s = max(result.took_s for result in of_point)
        lines.append(f"| {scene} | {point} | {flows} | {len(of_point)} | {failed} | {slowest_s:.1f} s |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[""], help="cases whose name begins so: SCENE-POINT-FLOW-HIT")
    parser.add_argument("--lanes", type=int, default=LANES)
    options = parser.parse_args()
    cases = [case for case in matrix() if case.name.startswith(tuple(options.only))]
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        results = played(cases, Path(directory), lanes=options.lanes)
    order = {case: number for number, case in enumerate(cases)}
    results.sort(key=lambda result: order[result.case])
    failed = [result for result in results if result.reason]
    slowest_s = max((result.took_s for result in results), default=0.0)
    sys.stdout.write("\n" + "\n".join(table(results)) + "\n\n")
    sys.stdout.write(
        f"{len(results)} kills in {time.monotonic() - began_s:.0f} s, finished after {slowest_s:.1f} s at most\n"
    )
    sys.stdout.write(f"{len(failed)} failed\n")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
