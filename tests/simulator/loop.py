"""An asyncio event loop on virtual time: no selector, no threads, no wall clock; the same calls, the same order."""

from __future__ import annotations

import asyncio
import heapq
import math
from asyncio import events
from collections import deque
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.simulator.dice import Dice

ResultT = TypeVar("ResultT")


class Life:
    """One start of a process, until it is killed: what runs in its name runs only while it lives and is not frozen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.is_frozen = False
        self.tasks: list[asyncio.Task[Any]] = []
        self.parked: list[Handle] = []  # what became ready while it was frozen
        self.troubled_s = -math.inf  # when it was last kept from the store
        self.stopping_s: float | None = None  # since when it is told to end


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class Idler:
    """A task that looks again and again for something to do, and when there can be something next.

    Looks before that would find nothing: they are left out, so that an idle hour costs nothing.
    """

    def __init__(self, *, period_s: float, next_s: Callable[[], float]) -> None:
        self.period_s = period_s
        self.next_s = next_s
        self.left_out: Handle | None = None  # its timer, while that was put off


class Handle:
    """A call to be made: what asyncio keeps of it."""

    __slots__ = ("args", "callback", "context", "idler", "is_cancelled", "when_s")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], context: Context) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.is_cancelled = False
        self.idler: Idler | None = None
        self.when_s = 0.0

    def cancel(self) -> None:
        """Make it not happen."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Whether it will not happen."""
        return self.is_cancelled

    def when(self) -> float:
        """The virtual time of a timer."""
        return self.when_s


class VirtualLoop:
    """As much of an event loop as tasks, futures and time-outs ask for.

    Runs what is ready in order; when nothing is, the time jumps to the next timer. Equal times go by the dice."""

    def __init__(self, dice: Dice, *, begins_s: float) -> None:
        self.steps = 0
        self.failures: list[dict[str, Any]] = []  # what asyncio would have told of: errors that nobody took
        self.idlers: dict[asyncio.Task[Any], Idler] = {}
        self._itself: Any = self
        self._fraction = dice.fraction
        self._now_s = begins_s
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, float, int, Handle]] = []
        self._count = 0
        self._outside = copy_context()  # of no process

    # What asyncio asks for

    def time(self) -> float:
        return self._now_s

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failures.append(context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._itself)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: Any
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self._itself, name=name or "", context=context)
        life = LIFE.get() if context is None else context.get(LIFE)
        if life is not None:
            life.tasks.append(task)
        return task

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        handle = Handle(callback, args, context if context is not None else copy_context())
        self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        handle = Handle(callback, args, context if context is not None else copy_context())
        if self.idlers:
            task = asyncio.current_task(self._itself)
            handle.idler = self.idlers.get(task) if task is not None else None
        self._push(handle, when)
        return handle

    # What the world asks for

    def after(self, delay_s: float, callback: Callable[..., Any], *args: Any) -> Handle:
        """Call something of no process's, so that no crash and no freeze of one touches it."""
        handle = Handle(callback, args, self._outside)
        self._push(handle, self._now_s + delay_s)
        return handle

    def start(self, life: Life, coro: Coroutine[Any, Any, ResultT]) -> asyncio.Task[ResultT]:
        """Start a task in the name of a process."""
        context = self._outside.copy()
        context.run(LIFE.set, life)
        return self.create_task(coro, context=context)

    def kill(self, life: Life) -> None:
        """Drop everything that runs in its name; what its coroutines do at their end must change nothing."""
        life.is_dead = True
        life.is_frozen = False
        life.parked.clear()
        tasks, life.tasks = life.tasks, []
        for task in tasks:
            self.idlers.pop(task, None)
            if task.done():
                _take_error(task)
            else:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                _take_error(task._fut_waiter)  # type: ignore[attr-defined]
                self._close(task.get_coro())

    def freeze(self, life: Life) -> None:
        """Run nothing in its name; time goes on, timers and answers wait for it."""
        life.is_frozen = True

    def thaw(self, life: Life) -> None:
        """Run what waited, in the order in which it became ready."""
        life.is_frozen = False
        life.troubled_s = self._now_s
        self._ready.extend(life.parked)
        life.parked.clear()

    def pull_in(self, idler: Idler) -> None:
        """There is something to do earlier than was thought."""
        handle = idler.left_out
        if handle is not None and handle.when_s > self._now_s + idler.period_s and not handle.is_cancelled:
            when_s = max(idler.next_s(), self._now_s)
            if when_s + idler.period_s < handle.when_s:
                # The entry of the later time stays in the heap and finds that its handle has gone.
                self._push(handle, when_s + idler.period_s * self._fraction())

    def run(self, *, until_s: float, is_over: Callable[[], bool]) -> bool:
        """Run until then, or until it is over, asked between two moments; whether it is over."""
        running = events._get_running_loop()
        events._set_running_loop(None)
        events._set_running_loop(self._itself)
        try:
            while not is_over():
                if not self._step(until_s):
                    return is_over()
            return True
        finally:
            events._set_running_loop(running)

    def close(self) -> None:
        """Drop all that is left."""
        self._ready.clear()
        self._timers.clear()
        self.idlers.clear()

    def _push(self, handle: Handle, when_s: float) -> None:
        handle.when_s = when_s
        self._count += 1
        heapq.heappush(self._timers, (when_s, self._fraction(), self._count, handle))

    def _step(self, until_s: float) -> bool:
        """Everything of one moment; False where nothing happens any more before `until_s`."""
        ready, timers = self._ready, self._timers
        while not ready:
            if not timers or timers[0][0] > until_s:
                self._now_s = max(self._now_s, until_s)
                return False
            when_s, _, _, handle = heapq.heappop(timers)
            if handle.is_cancelled or handle.when_s != when_s:
                continue
            self._now_s = max(self._now_s, when_s)
            if handle.idler is None or not self._is_left_out(handle, handle.idler):
                ready.append(handle)
        while ready:
            self._run(ready.popleft())
        return True

    def _is_left_out(self, handle: Handle, idler: Idler) -> bool:
        next_s = idler.next_s()
        if next_s <= self._now_s:
            idler.left_out = None
            return False
        idler.left_out = handle
        self._push(handle, next_s + idler.period_s * self._fraction())
        return True

    def _run(self, handle: Handle) -> None:
        if handle.is_cancelled:
            return
        life = handle.context.get(LIFE)
        if life is not None:
            if life.is_dead:
                return
            if life.is_frozen:
                life.parked.append(handle)
                return
        self.steps += 1
        handle.context.run(handle.callback, *handle.args)

    def _close(self, coro: Any) -> None:
        try:
            coro.close()
        except RuntimeError:
            # It waits for something in its `finally`: a dead process does not come to that.
            return
        except ValueError:
            # It is the one that runs now: it ends at its next step, which never comes.
            return


def _take_error(future: asyncio.Future[Any] | None) -> None:
    """Whoever would have taken its error is gone, and asyncio need not tell of it."""
    if future is not None and future.done() and not future.cancelled():
        future.exception()
