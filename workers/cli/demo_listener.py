"""A real subscriber of `payments.events`, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.subscriber import LOST, subscribe
from workers.cli.stack import StackError

if TYPE_CHECKING:
    from workers.cli.stack_settings import StackSettings

EVERYTHING = "#"
START_S = 15.0
SLICE_S = 0.2


class Listener:
    """Puts each event where the run takes it from; started once."""

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._bound, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._error = ""

    def start(self, settings: StackSettings) -> None:
        """Return when the queue is bound: no event after that is missed. Raises StackError."""
        self._thread = threading.Thread(target=self._listen, args=(settings,), name="listener", daemon=True)
        self._thread.start()
        if not self._bound.wait(START_S) or self._error:
            raise StackError(f"the events could not be subscribed to: {self._error or 'no answer'}")

    def next(self, timeout_s: float) -> dict[str, Any] | None:
        """The next event; None where none came in time."""
        try:
            return self._arrived.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def stop(self) -> None:
        """Give the queue up; may be called twice, or without a start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(START_S)

    def _listen(self, settings: StackSettings) -> None:
        try:
            with subscribe(settings.broker_url, namespace=settings.namespace, binding=EVERYTHING) as subscription:
                self._bound.set()
                while not self._stopping.is_set():
                    for event in subscription.events(SLICE_S):
                        self._arrived.put(event)
        except LOST as error:
            self._error = type(error).__name__
            self._bound.set()
