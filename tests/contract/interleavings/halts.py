"""Places at which a worker can be stopped, and calls to the store whose answers can be lost."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator.codec import decode
from orchestrator.payment import OperationState
from orchestrator.ports import Commit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.contract.interleavings.grounds import Ground, Wire

PATIENCE_S = 20.0


@dataclass(slots=True)
class Halt:
    """One place at which whoever comes by next stands still until it is told to go on."""

    place: str
    _reached: asyncio.Event = field(default_factory=asyncio.Event)
    _going: asyncio.Event = field(default_factory=asyncio.Event)

    async def stand(self) -> None:
        """Say that somebody is here, and wait."""
        self._reached.set()
        await self._going.wait()

    async def reached(self) -> None:
        """Return when somebody stands here."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._reached.wait()
        except TimeoutError:
            raise AssertionError(f"nobody came to {self.place!r}") from None

    def go(self) -> None:
        """Let them go on."""
        self._going.set()


class Halts:
    """The halts of one worker, by place; each stops one passer-by."""

    def __init__(self) -> None:
        self.was_answered = False  # whether the provider's reply to a call is in hand, not committed yet
        self._waiting: dict[str, Halt] = {}

    def at(self, place: str) -> Halt:
        """Stop the next one who comes to this place: `before mark`, `after commit`, `on the wire` …"""
        halt = self._waiting[place] = Halt(place)
        return halt

    async def passing(self, place: str) -> None:
        halt = self._waiting.pop(place, None)
        if halt is not None:
            await halt.stand()


class Way:
    """One worker's way to its store: a PaymentStore that can be stopped, disturbed and made to lend short leases.

    The calls are named as in the port, but that the commit of a `sending` mark is called `mark` and the one of the
    provider's reply `reply`.
    """

    def __init__(self, wire: Wire, ground: Ground, halts: Halts, *, lends_ms: int | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self.faults: dict[str, list[str]] = {}
        self._wire = wire
        self._ground = ground
        self._halts = halts
        self._reply_op = ""
        self.lends_ms = lends_ms

    def disturb(self, call: str, *faults: str) -> None:
        """Lose the next calls of this name, or their answers."""
        self.faults[call] = list(faults)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._wire.store, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def called(*given: Any, **named: Any) -> Any:
            given = tuple(self._as_stored(value) if isinstance(value, Commit) else value for value in given)
            named = self._translated(named)
            return await self._pass(self._place(name, *given), lambda: found(*given, **named))

        return called

    async def _pass(self, place: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        await self._halts.passing(f"before {place}")
        self.calls[place] += 1
        faults = self.faults.get(place)
        answer = await (self._wire.disturbed(faults.pop(0), ask) if faults else ask())
        await self._halts.passing(f"after {place}")
        return answer

    def _place(self, name: str, *given: object) -> str:
        commit = next((value for value in given if isinstance(value, Commit)), None)
        if commit is None:
            return name
        if _is_mark(commit):
            return "mark"
        if self._halts.was_answered:
            self._halts.was_answered, self._reply_op = False, commit.op
        return "reply" if commit.op == self._reply_op else name

    def _as_stored(self, commit: Commit) -> Commit:
        named = {"due_at_ms": commit.due_at_ms, "lease_ms": commit.keep_lease_ms}
        translated = self._translated(named)
        return replace(commit, due_at_ms=translated["due_at_ms"], keep_lease_ms=translated["lease_ms"])

    def _translated(self, named: dict[str, Any]) -> dict[str, Any]:
        """Times as the store's clock has them, and the lease that is lent instead of the one that is asked for."""
        for name in ("due_at_ms", "before_ms", "rest_at_ms"):
            if named.get(name) is not None:
                named[name] -= self._ground.ahead_ms
        if named.get("lease_ms") and self.lends_ms is not None:
            named["lease_ms"] = self.lends_ms
        return named


def _is_mark(commit: Commit) -> bool:
    operations = decode(commit.body).operations.values()
    return commit.own_move and any(operation.state is OperationState.SENDING for operation in operations)
