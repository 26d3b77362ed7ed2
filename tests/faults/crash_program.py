"""A worker or a web process that can be told to die, to stand still or to fail at a point of `crash_points`.

    CRASH_PLAN=FILE python -m tests.faults.crash_program worker|web [ARGUMENTS]

It is the real program with wrapped functions. Nothing happens as long as the file of the plan is absent; then the
hits of its point are counted, and at the n-th it does its deed: a signal to itself, or FAIL: an error then and at
each later hit. Beside the plan it leaves FILE.done with what was marked as sending at that moment.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import os
import runpy
import signal
import sys
import threading
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orchestrator.parking
import workers.reconcile
import workers.stream_intake
import workers.suspects
from orchestrator.adapters.redis_store import RedisStore
from orchestrator.ports import CommitOutcome
from tests.faults.crash_points import ANY, POINTS, Call, Point, When

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROGRAMS = {"worker": ("celery", ("-A", "workers.app", "worker")), "web": ("uvicorn", ("workers.web:app", "--factory"))}
SOON_S = 0.03  # by then what was written is out; the provider's stand-in answers later
# One run has hundreds of starts; how long recovery takes with the real numbers is measured by benchmarks/recovery.py.
SHORTER: tuple[tuple[Any, str, Any], ...] = (
    (workers.reconcile, "QUIET_S", 0.7),
    (workers.stream_intake, "RESCUE_EVERY_S", 0.5),
    (workers.suspects, "EVERY_S", 0.5),
    (orchestrator.parking, "RESTS_MS", (300, 600, 3_000)),
)
FAIL = "FAIL"


class PlannedError(Exception):
    """A defect of one payment, as it were."""


class Killer:
    """Counts the hits of the planned point and does the deed at the n-th."""

    def __init__(self, plan_file: Path) -> None:
        self._marked: set[str] = set()  # as sending
        self._marks = threading.Lock()  # the relay's thread may strike while a turn goes on in the loop's
        self._plan_file = plan_file
        self._hits: Counter[str] = Counter()  # by plan

    def is_due(self, name: str, concerns: str | None) -> bool:
        """Whether this was the hit; only those of the plan's payments count."""
        if concerns is None or not self._plan_file.exists():
            return False
        text = self._plan_file.read_text()
        plan = json.loads(text)
        if plan["point"] != name or not (concerns == ANY or plan["prefix"] in concerns):
            return False
        self._hits[text] += 1
        return bool(self._hits[text] == plan["hit"] or (plan["deed"] == FAIL and self._hits[text] > plan["hit"]))

    def mark(self, intent_id: str) -> None:
        """Say that this is about to be marked as sending; waits for ever where a death has been noted."""
        with self._marks:
            self._marked.add(intent_id)

    def unmark(self, intent_id: str) -> None:
        """Say that this is known not to be on the wire."""
        with self._marks:
            self._marked.discard(intent_id)

    def strike(self) -> None:
        """Leave the note, and do the deed; nothing is marked between them."""
        deed = json.loads(self._plan_file.read_text())["deed"]
        if deed == FAIL:
            raise PlannedError
        with self._marks:
            Path(f"{self._plan_file}.done").write_text(json.dumps({"marked": sorted(self._marked)}))
            # Sent to this thread, not to the process: another thread may take that, and this one runs on for a while.
            signal.raise_signal(signal.Signals[deed])

    def strike_soon(self) -> None:
        """The same when what was written is out."""
        asyncio.get_running_loop().call_later(SOON_S, self.strike)


def install(killer: Killer) -> None:
    """Wrap the targets of all points."""
    _watch_marks(killer)
    by_target: defaultdict[str, dict[str, Point]] = defaultdict(dict)
    for name, point in POINTS.items():
        by_target[point.target][name] = point
    for target, points in by_target.items():
        module, _, path = target.partition(":")
        *owners, attribute = path.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        function = getattr(owner, attribute)
        wrap = _around_coroutine if asyncio.iscoroutinefunction(function) else _around_function
        setattr(owner, attribute, functools.wraps(function)(wrap(function, points, killer)))


def _around_coroutine(function: Callable[..., Any], points: Mapping[str, Point], killer: Killer) -> Any:
    async def around(*of: Any, **named: Any) -> Any:
        _strike(points, killer, When.BEFORE, Call(of=(*of, *named.values())))
        result = await function(*of, **named)
        _strike(points, killer, When.AFTER, Call(of=(*of, *named.values()), result=result))
        return result

    return around


def _around_function(function: Callable[..., Any], points: Mapping[str, Point], killer: Killer) -> Any:
    def around(*of: Any, **named: Any) -> Any:
        before = Call(of=(*of, *named.values()))
        _strike(points, killer, When.BEFORE, before)
        if _meets(points, killer, When.HALF_ON_WIRE, before):
            killer.strike_soon()
            writer, (*heads, body) = of
            return function(writer, (*heads, body[: len(body) // 2]))
        result = function(*of, **named)
        _strike(points, killer, When.AFTER, Call(of=before.of, result=result))
        if _meets(points, killer, When.ON_WIRE, before):
            killer.strike_soon()
        return result

    return around


def _strike(points: Mapping[str, Point], killer: Killer, when: When, call: Call) -> None:
    if _meets(points, killer, when, call):
        killer.strike()


def _meets(points: Mapping[str, Point], killer: Killer, when: When, call: Call) -> bool:
    return any(killer.is_due(name, point.concerns(call)) for name, point in points.items() if point.when is when)


def _watch_marks(killer: Killer) -> None:
    """Keep what may be on the wire: from before the mark's commit until that of the outcome."""
    commit = RedisStore.commit

    async def watched(store: RedisStore, wanted: Any) -> Any:
        is_mark = wanted.own_move and wanted.keep_lease_ms is not None
        if is_mark:
            killer.mark(wanted.key.intent_id)
        answer = await commit(store, wanted)
        if is_mark is not (answer.outcome is CommitOutcome.COMMITTED):
            killer.unmark(wanted.key.intent_id)
        return answer

    RedisStore.commit = watched  # type: ignore[assignment, method-assign]


def main(kind: str, *arguments: str) -> None:
    module, own_arguments = PROGRAMS[kind]
    for where, name, value in SHORTER:
        setattr(where, name, value)
    install(Killer(Path(os.environ["CRASH_PLAN"])))
    sys.argv = [module, *own_arguments, *arguments]
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
