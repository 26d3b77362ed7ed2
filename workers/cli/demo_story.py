"""What a subscriber has heard so far, in the order in which it heard it. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RECENT_MAX = 8
EventData = dict[str, Any]


@dataclass(kw_only=True, slots=True)
class Story:
    """Events by payment and refusals by id; a redelivery (an id heard before) tells nothing new."""

    payments: dict[str, list[EventData]] = field(default_factory=dict)
    refusals: dict[str, EventData] = field(default_factory=dict)
    recent: list[EventData] = field(default_factory=list)
    redelivered: int = 0
    _heard: set[str] = field(default_factory=set)

    @property
    def heard(self) -> int:
        """How many different events came."""
        return len(self._heard)

    def hear(self, event: Mapping[str, Any]) -> EventData | None:
        """Take an event in; returns the data of a payment's new event, None for a refusal or a redelivery."""
        event_id, data = str(event["id"]), dict(event["data"])
        if event_id in self._heard:
            self.redelivered += 1
            return None
        self._heard.add(event_id)
        if str(event["type"]).endswith(".refused"):
            self.refusals[event_id] = data
            return None
        self.payments.setdefault(str(data["intent_id"]), []).append(data)
        self.recent = [*self.recent, data][-RECENT_MAX:]
        return data

    def last(self, intent_id: str) -> EventData | None:
        """The newest event of a payment; None as long as nothing was heard."""
        return max(self.payments.get(intent_id, ()), key=lambda data: int(data["sequence"]), default=None)

    def counts(self) -> Counter[tuple[str, str]]:
        """How many payments are in which status, by flow."""
        newest = (self.last(intent_id) for intent_id in self.payments)
        return Counter((data["flow"], data["status"]) for data in newest if data is not None)
