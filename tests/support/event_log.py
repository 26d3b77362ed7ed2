"""The event log as its readers see it (interface 2), with the promises of I3 checked while it is read."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from orchestrator.adapters.redis_blocking import open_blocking

SHARDS = 64


class EventLogReader:
    """Follows the streams `payorch:{sNN}:events`; each payment's events in their order."""

    def __init__(self, url: str, *, namespace: str = "") -> None:
        self._client: Any = open_blocking(url, socket_timeout=5, decode_responses=True)
        self._streams = dict.fromkeys((f"{namespace}payorch:{{s{shard:02}}}:events" for shard in range(SHARDS)), "-")
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def close(self) -> None:
        self._client.close()

    def read(self) -> dict[str, list[dict[str, Any]]]:
        """The data of all events so far by intent id; AssertionError where a sequence is missing or twice."""
        pipeline = self._client.pipeline(transaction=False)
        names = list(self._streams)
        for name in names:
            pipeline.xrange(name, min=self._streams[name])
        for name, entries in zip(names, pipeline.execute(), strict=True):
            for entry_id, fields in entries:
                self._streams[name] = f"({entry_id}"
                self._append(json.loads(fields["event"]))
        return self.events

    def statuses(self, intent_id: str) -> list[str]:
        """The statuses that were published, in order, repetitions left out."""
        found: list[str] = []
        for event in self.read()[intent_id]:
            if not found or found[-1] != event["status"]:
                found.append(event["status"])
        return found

    def last(self, intent_id: str) -> dict[str, Any]:
        """The data of the last event; empty where there is none."""
        return self.lasts().get(intent_id, {})

    def lasts(self) -> dict[str, dict[str, Any]]:
        """The data of the last event of each payment that has one."""
        return {intent_id: events[-1] for intent_id, events in self.read().items() if events}

    def _append(self, event: dict[str, Any]) -> None:
        data = event["data"]
        known = self.events[data["intent_id"]]
        assert data["sequence"] == len(known) + 1, f"{event['id']} follows {len(known)} events"
        assert event["id"] == f"{data['merchant']}/{data['intent_id']}:{data['sequence']}"
        if known:
            assert data["previous_status"] == known[-1]["status"], event["id"]
        known.append(data)
