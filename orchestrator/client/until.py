"""What a caller waits for, as a question that is put to each event's data."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.identity import PaymentKey
from orchestrator.statuses import FINAL, Status

EventData = Mapping[str, Any]
Met = Callable[[EventData], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One wait: which payment, until what, until when."""

    key: PaymentKey
    until: str
    timeout_s: float
    met: Met
    deadline_s: float = field(compare=False)  # monotonic

    def left_s(self) -> float:
        """Seconds until the deadline; raises TimeoutError after it."""
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"{self.key}: no event met {self.until!r} within {self.timeout_s:g} s")
        return left_s

    def data_of(self, body: bytes) -> dict[str, Any] | None:
        """The data of an event of this payment; None for anything else."""
        if self.key.intent_id.encode() not in body:
            return None
        data = event_data(body)
        return data if data is not None and key_of(data) == self.key else None


def wanted(key: PaymentKey, until: str, timeout_s: float) -> Wanted:
    """A wait that begins now; raises ValueError for an `until` that no event can meet."""
    deadline_s = time.monotonic() + timeout_s
    return Wanted(key=key, until=until, timeout_s=timeout_s, met=_met(until), deadline_s=deadline_s)


def event_data(body: bytes) -> dict[str, Any] | None:
    """The data of a CloudEvent; None where the body is no such event."""
    try:
        data = json.loads(body)["data"]
    except (ValueError, TypeError, KeyError):
        return None
    return data if isinstance(data, dict) else None


def key_of(data: EventData) -> PaymentKey:
    """The payment an event is about."""
    return PaymentKey(merchant=str(data.get("merchant")), intent_id=str(data.get("intent_id")))


def _met(until: str) -> Met:
    words: dict[str, Met] = {
        "next_action": lambda data: data.get("next_action") is not None or data.get("status") in FINAL,
        "final": lambda data: data.get("status") in FINAL,
        **{status: _status_is(status) for status in Status},
    }
    if until not in words:
        raise ValueError(f"until must be one of {', '.join(words)}")
    return words[until]


def _status_is(status: Status) -> Met:
    return lambda data: data.get("status") == status
