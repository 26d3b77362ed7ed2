"""Who waits in this process for a call of one account: asked for together, handed out by class and order."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from orchestrator.adapters.permits import BLOCK_MS, Ask, Grant, Standing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from orchestrator.adapters.permits import Numbers

BLOCK_S = BLOCK_MS / 1000
PATIENCE_S = 1.0  # a permit that comes within it is waited for; a longer wait puts the payment off
REMEMBERED_S = 1.0  # a refusal is known so long without asking again
PUT_OFF_MAX_S = 60.0
PAUSED_PUT_OFF_S = 15.0  # a pause may be ended early
RATIONED_S = 3.0  # after a refusal


@dataclass(slots=True)
class _Waiter:
    since_s: float
    answer: asyncio.Future[int]


@dataclass(slots=True)
class _Queue:
    """One class: who waits, what is left of the block, and from when on there is more."""

    waiters: deque[_Waiter] = field(default_factory=deque)
    left: int = 0
    short_until_s: float = 0.0
    open_s: float = 0.0  # by the last refusal
    turn_s: float = 0.0  # of whoever is put off next
    asked_for: int = 0  # in this block
    asked_for_before: int = 0


class PermitLine:
    """Belongs to one event loop. A permit is used within the block it was given for, or is void.

    `ask` goes to the shared limit and may raise StoreUnavailableError, which all who wait get.
    """

    def __init__(
        self,
        account: str,
        *,
        holder: str,
        ask: Callable[[Ask], Awaitable[Grant]],
        interval_s: Callable[[], float],
        now_s: Callable[[], float],
    ) -> None:
        self.standing = Standing.OPEN
        self.failures = 0
        self.rationed_until_s = 0.0
        self.asks = 0
        self._account = account
        self._holder = holder
        self._ask = ask
        self._interval_s = interval_s
        self._now_s = now_s
        self._queues = (_Queue(), _Queue(), _Queue())
        self._left_until_s = 0.0
        self._block_until_s = 0.0
        self._on_wire = 0
        self._told_on_wire = 0  # what the shared limit reckons with
        self._wake = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    async def permit(self, position: int) -> int:
        """0, or milliseconds until the turn of whoever asked; comes within about a second."""
        now_s, queue = self._now_s(), self._queues[position]
        self._count(queue, now_s)
        if queue.left and now_s < self._left_until_s:
            queue.left -= 1
            self._on_wire += 1
            return 0
        is_short = now_s < queue.short_until_s
        if is_short and self._wait_s(queue, len(queue.waiters), now_s) > PATIENCE_S:
            return self._put_off(queue, now_s)
        waiter = _Waiter(since_s=now_s, answer=asyncio.get_running_loop().create_future())
        queue.waiters.append(waiter)
        if not is_short:
            self._wake.set()
        self._see_to_it()
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            if waiter.answer.done() and not waiter.answer.cancelled() and waiter.answer.result() == 0:
                self.ended()
            raise

    def ended(self) -> None:
        """A call that had a permit is over, or was not made."""
        self._on_wire -= 1
        self._see_to_it()

    def void(self) -> None:
        """What is left of the block must not be used any more."""
        self._left_until_s = 0.0

    async def close(self) -> None:
        """Stop asking; whoever waits is cancelled."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
        for waiter in self._all_waiting():
            waiter.answer.cancel()

    def _see_to_it(self) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._keep_asking())

    async def _keep_asking(self) -> None:
        """Until nobody waits and the shared limit knows how little is on the wire."""
        while True:
            self._drop_the_gone()
            now_s = self._now_s()
            if any(queue.waiters and now_s >= queue.short_until_s for queue in self._queues):
                await self._ask_once()
                continue
            if any(queue.waiters for queue in self._queues):
                pause_s = min(queue.short_until_s for queue in self._queues if queue.waiters) - now_s
            elif self._told_on_wire > self._on_wire:
                pause_s = BLOCK_S
            else:
                return
            self._wake.clear()
            try:
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            except TimeoutError:
                if not any(queue.waiters for queue in self._queues):
                    await self._ask_once()

    async def _ask_once(self) -> None:
        asked_s = self._now_s()
        asked = [list(queue.waiters) for queue in self._queues]
        for queue in self._queues:
            queue.left = 0
        ask = Ask(
            account=self._account,
            holder=self._holder,
            wanted=_numbers(len(waiters) for waiters in asked),
            ahead=_numbers(max(0, queue.asked_for_before - queue.asked_for) for queue in self._queues),
            on_wire=self._on_wire,
        )
        self.asks += 1
        try:
            self._take(await self._ask(ask), ask, asked, asked_s)
        except Exception as error:  # noqa: BLE001 - it is theirs who wait, not ours
            self._told_on_wire = self._on_wire  # nobody knows; the next ask tells
            for waiter in (waiter for waiters in asked for waiter in waiters):
                if not waiter.answer.done():
                    waiter.answer.set_exception(error)

    def _take(self, grant: Grant, ask: Ask, asked: list[list[_Waiter]], asked_s: float) -> None:
        self.standing, self.failures = grant.standing, grant.failures
        self._told_on_wire = ask.on_wire + sum(grant.given)
        self._left_until_s = asked_s + BLOCK_S
        for queue, waiters, given, wait_ms in zip(self._queues, asked, grant.given, grant.wait_ms, strict=True):
            self._hand_out(queue, given)
            if given < len(waiters):
                self._refuse(queue, wait_ms / 1000)

    def _hand_out(self, queue: _Queue, given: int) -> None:
        """First come, first served; what is over is for who comes within the block."""
        while given and queue.waiters:
            waiter = queue.waiters.popleft()
            if not waiter.answer.done():
                waiter.answer.set_result(0)
                self._on_wire += 1
                given -= 1
        queue.left = given

    def _refuse(self, queue: _Queue, wait_s: float) -> None:
        now_s = self._now_s()
        if self.standing is Standing.PAUSED:
            wait_s = min(wait_s, PAUSED_PUT_OFF_S)
        queue.open_s = now_s + wait_s
        queue.short_until_s = now_s + min(max(wait_s, BLOCK_S), REMEMBERED_S)
        stay: deque[_Waiter] = deque()
        for waiter in queue.waiters:
            left_s = waiter.since_s + PATIENCE_S - now_s
            if not waiter.answer.done() and self._wait_s(queue, len(stay), now_s) <= left_s:
                stay.append(waiter)
            elif not waiter.answer.done():
                waiter.answer.set_result(self._put_off(queue, now_s))
        queue.waiters = stay

    def _wait_s(self, queue: _Queue, before: int, now_s: float) -> float:
        return max(0.0, queue.open_s - now_s) + before * self._interval_s()

    def _put_off(self, queue: _Queue, now_s: float) -> int:
        """One after the other, as far apart as the limit wants them: those put off do not all come back at once."""
        latest_s = now_s + PUT_OFF_MAX_S
        turn_s = min(max(queue.turn_s, queue.open_s, now_s), latest_s)
        queue.turn_s = turn_s + self._interval_s()
        self.rationed_until_s = now_s + RATIONED_S
        return max(1, ceil((turn_s - now_s) * 1000))

    def _count(self, queue: _Queue, now_s: float) -> None:
        """How many were asked for in this block and the one before: as many are asked ahead as may still come."""
        if now_s >= self._block_until_s:
            is_next = now_s < self._block_until_s + BLOCK_S
            for each in self._queues:
                each.asked_for_before = each.asked_for if is_next else 0
                each.asked_for = 0
            self._block_until_s = now_s + BLOCK_S
        queue.asked_for += 1

    def _drop_the_gone(self) -> None:
        for queue in self._queues:
            queue.waiters = deque(waiter for waiter in queue.waiters if not waiter.answer.done())

    def _all_waiting(self) -> list[_Waiter]:
        return [waiter for queue in self._queues for waiter in queue.waiters]


def _numbers(values: Iterable[int]) -> Numbers:
    first, second, third = values
    return first, second, third
