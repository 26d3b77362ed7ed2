"""The payments that a process has claimed: each has one turn at a time, and all can be made to wait for one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Record


class InFlight:
    """Runs turns side by side; belongs to one event loop. `turn` must not raise but for its cancellation."""

    def __init__(self, turn: Callable[[Record], Awaitable[None]]) -> None:
        self._turn = turn
        self._tasks: dict[PaymentKey, asyncio.Task[None]] = {}
        self._again: dict[PaymentKey, Record] = {}
        self._held: dict[PaymentKey, Record] = {}
        self._is_holding = False

    def __len__(self) -> int:
        return len(self._tasks) + len(self._held)

    @property
    def keys(self) -> list[PaymentKey]:
        """Whose claims this process has to renew."""
        return [*self._tasks, *self._held]

    def take(self, record: Record) -> None:
        """Give a claimed payment its turn; one that is still at work here gets another turn after it.

        That happens where the claim's answer overtook the one of the commit that had released the payment.
        """
        if record.key in self._tasks:
            self._again[record.key] = record
        elif self._is_holding:
            self._held[record.key] = record
        else:
            self._begin(record)

    def hold(self) -> None:
        """Begin no turn until `let_go`: what is taken meanwhile waits, its claim renewed."""
        self._is_holding = True

    def let_go(self) -> None:
        """Begin what was held."""
        self._is_holding = False
        held, self._held = self._held, {}
        for record in held.values():
            self._begin(record)

    async def alone(self, record: Record, *, within_s: float) -> bool:
        """Run one payment while the others are held; False where its turn has not ended in time and goes on."""
        _, left = await asyncio.wait({self._begin(record)}, timeout=within_s)
        return not left

    async def idle(self, *, within_s: float) -> bool:
        """Wait until nothing is at work here; False where that takes longer."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + within_s
        while self._tasks and (left_s := until_s - loop.time()) > 0:
            await asyncio.wait(self._tasks.values(), timeout=left_s)
        return not self._tasks

    async def cut(self) -> list[PaymentKey]:
        """End all turns at once; returns whose claims are left to be handed back."""
        keys = self.keys
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._held.clear()
        return keys

    def _begin(self, record: Record) -> asyncio.Task[None]:
        task = self._tasks[record.key] = asyncio.create_task(self._turns(record))
        return task

    async def _turns(self, record: Record) -> None:
        try:
            turn: Record | None = record
            while turn is not None:
                await self._turn(turn)
                turn = self._again.pop(record.key, None)
        finally:
            del self._tasks[record.key]
