"""One run of the simulator: from a seed to what it found."""

from __future__ import annotations

import contextlib
import gc
import sys
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import structlog

from orchestrator import codec
from orchestrator.errors import StoreUnavailableError
from tests.simulator.ending import broken_at_the_ledger, unsettled
from tests.simulator.planted.table import BUGS
from tests.simulator.poison import DefectError
from tests.simulator.world import BEGINS_S, World

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

STORM_MIN_S = 60.0
STORM_MAX_S = 3 * 3600.0
CALM_MAX_S = 9 * 86_400.0  # within so long everything must have ended
LOOKS_S = (60.0, 600.0, 3600.0)  # how long between two looks whether it has: short at first


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """A broken promise: which, in words, and when."""

    invariant: str  # I1 .. I10
    sentence: str
    at_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a run found."""

    seed: int
    violations: tuple[Violation, ...]
    steps: int
    virtual_ms: int
    faults: Counter[str] = field(default_factory=Counter)
    trace_hash: str = ""
    story: tuple[str, ...] = ()


def run_seed(seed: int, *, planted: str | None = None, with_story: bool = False) -> Outcome:
    """Run the simulated world of this seed; with `planted` the engine has that bug while it runs."""
    with (
        BUGS[planted].plant() if planted else contextlib.nullcontext(),
        mock.patch.object(codec, "zlib", _Uncompressed),
    ):
        return _run(seed, with_story=with_story)


def _run(seed: int, *, with_story: bool) -> Outcome:
    world = World(seed)
    with _listening(world):
        storm_s = world.dice.skewed(STORM_MIN_S, STORM_MAX_S)
        world.loop.run(until_s=BEGINS_S + storm_s, is_over=lambda: bool(world.violations))
        world.clear_up()
        _calm_down(world)
    for invariant, sentence in broken_at_the_ledger(world):
        world.violated(invariant, sentence)
    for failure in world.loop.failures:
        world.violated("I9", f"an error that nobody took: {failure.get('exception')!r}")
    outcome = Outcome(
        seed=seed,
        violations=tuple(
            Violation(invariant=invariant, sentence=sentence, at_ms=at_ms)
            for invariant, sentence, at_ms in world.violations
        ),
        steps=world.loop.steps,
        virtual_ms=int((world.loop.time() - BEGINS_S) * 1000),
        faults=world.weather.met,
        trace_hash=world.story.trace_hash,
        story=tuple(world.story.told()) if with_story else (),
    )
    world.end()
    return outcome


def _calm_down(world: World) -> None:
    """Nothing goes wrong any more: everything comes to its end, or stays so and is a violation."""
    began_s = world.loop.time()
    while not world.violations:
        left = unsettled(world)
        if not left:
            return
        passed_s = world.loop.time() - began_s
        if passed_s > CALM_MAX_S:
            for invariant, sentence in left:
                world.violated(invariant, sentence)
            return
        next_s = next((look_s for look_s in LOOKS_S if passed_s < 10 * look_s), LOOKS_S[-1])
        world.loop.run(until_s=world.loop.time() + next_s, is_over=lambda: bool(world.violations))


class _Uncompressed:
    """Stands for zlib in the codec: the simulator's store has room."""

    error = zlib.error

    @staticmethod
    def compress(body: bytes, _: int) -> bytes:
        return body

    @staticmethod
    def decompress(body: bytes) -> bytes:
        return body


@contextlib.contextmanager
def _listening(world: World) -> Iterator[None]:
    """What the workers log as an error is a defect of theirs; the rest is not written at all."""

    def hear(_: Any, __: str, said: MutableMapping[str, Any]) -> Any:
        error = sys.exc_info()[1]
        if isinstance(error, StoreUnavailableError):
            world.violated("I2", f"{said.get('event')}: what was in hand was given up, since the store was away")
        elif not isinstance(error, DefectError) and not world.unreadable.explains(error):
            world.violated("I9", f"logged as an error: {said.get('event')} {error!r}"[:300])
        raise structlog.DropEvent

    old = structlog.get_config()
    structlog.configure(processors=[hear], wrapper_class=structlog.make_filtering_bound_logger(40))
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        structlog.configure(**old)
        if enabled:
            gc.enable()
