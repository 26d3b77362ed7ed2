"""How far each payment of the run is in its scenario. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.statuses import FINAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.cli.demo_model import Deed, Order

REFUSED_CODE = "otp_refused"


class Progress:
    """One payment's steps, each taken by the first event that says what it waits for."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self._left = list(order.scenario.steps)
        self._taken_at = 0
        self._last: Mapping[str, Any] = {}

    def take(self, data: Mapping[str, Any]) -> Deed | None:
        """What is to be done because of this event; None where nothing is."""
        self._last = data
        if not self._left or self._left[0].on not in words_of(data):
            return None
        self._taken_at = int(data["sequence"])
        return self._left.pop(0).deed

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to do, and what was heard since is an end, if not the expected one."""
        if self._left or not self._last or int(self._last["sequence"]) <= self._taken_at:
            return False
        expected = (self.order.scenario.status, self.order.scenario.reason)
        return self._last["status"] in FINAL or (self._last["status"], self._last["reason"]) == expected


def words_of(data: Mapping[str, Any]) -> frozenset[str]:
    """What a step may wait for: the status, its reason, the kind of action, and the reviews."""
    action = data["next_action"] or {}
    said = {data["status"], data["reason"], action.get("type"), *data["review"]}
    if action.get("refused"):
        said = {*said, REFUSED_CODE} - {"otp"}
    return frozenset(word for word in said if word)
