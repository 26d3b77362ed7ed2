"""A subscriber of `payments.events` that writes down whatever comes."""

from __future__ import annotations

import threading
from typing import Any

from orchestrator.adapters.subscriber import subscribe

LIMIT_S = 20.0


class Subscriber:
    """Listens in a thread from its making until `stop`; nothing published meanwhile is missed."""

    def __init__(self, url: str, binding: str, *, namespace: str = "") -> None:
        self.events: list[dict[str, Any]] = []
        self._ending = threading.Event()
        self._bound = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(url, binding, namespace))
        self._thread.start()
        assert self._bound.wait(LIMIT_S)

    def stop(self) -> None:
        self._ending.set()
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()

    def first_deliveries(self, intent_id: str) -> list[int]:
        """The sequences of a payment in the order in which each came first."""
        sequences = [event["data"]["sequence"] for event in self.events if event.get("subject") == intent_id]
        return list(dict.fromkeys(sequences))

    def each_once(self) -> list[dict[str, Any]]:
        """Each event once, however often it was delivered."""
        return list({event["id"]: event for event in tuple(self.events)}.values())

    def _listen(self, url: str, binding: str, namespace: str) -> None:
        with subscribe(url, namespace=namespace, binding=binding) as subscription:
            self._bound.set()
            while not self._ending.is_set():
                self.events.extend(subscription.events(0.2))
