"""The event log as a replay reads it: ranges of the past, and how far back it goes. It writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.event_log import BEGINNING, LoggedEvent, Source, open_client, sources_of, unavailable_if_lost
from orchestrator.identity import shard_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import redis

    from orchestrator.identity import PaymentKey


NUMBER_MAX = 2**64 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """What is known of a source at one moment."""

    cursor: tuple[int, int]  # the last entry that is relayed
    first_ms: int | None  # of the first entry that is kept
    is_trimmed: bool  # there were others before it


class EventHistory:
    """Reads the log without a lease; blocking. Every method raises StoreUnavailableError where Redis is away."""

    def __init__(self, client: redis.Redis, *, namespace: str = "", shards: int = 64) -> None:
        self.sources = sources_of(namespace=namespace, shards=shards)
        self._shards = shards
        self._client: Any = client

    @classmethod
    def connect(cls, url: str, *, namespace: str = "", shards: int = 64) -> EventHistory:
        """Connect at the first call."""
        return cls(open_client(url), namespace=namespace, shards=shards)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def source_of(self, payment: PaymentKey) -> Source:
        """Where the payment's events are."""
        return self.sources[shard_of(payment, shards=self._shards)]

    def now_ms(self) -> int:
        """The time by the clock that stamps the entries."""
        with unavailable_if_lost():
            seconds, micros = self._client.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def extents(self, sources: Sequence[Source]) -> dict[Source, Extent]:
        """How far each source is relayed and how far back it goes."""
        with unavailable_if_lost(), self._client.pipeline(transaction=False) as pipeline:
            for source in sources:
                pipeline.get(source.cursor)
                pipeline.exists(source.stream)
            answers = pipeline.execute()
        cursors = dict(zip(sources, answers[::2], strict=True))
        there = [source for source, is_there in zip(sources, answers[1::2], strict=True) if is_there]
        with unavailable_if_lost(), self._client.pipeline(transaction=False) as pipeline:
            for source in there:
                pipeline.xinfo_stream(source.stream)
            told = dict(zip(there, pipeline.execute(), strict=True))
        return {source: _extent(cursors[source], told.get(source)) for source in sources}

    def pages(self, after: Mapping[Source, str], *, until_ms: int, count: int) -> dict[Source, list[LoggedEvent]]:
        """The next entries behind these ids, at most `count` of each source; an empty list is the end."""
        with unavailable_if_lost(), self._client.pipeline(transaction=False) as pipeline:
            for source, entry in after.items():
                pipeline.xrange(source.stream, f"({entry}", until_ms, count)
            found = pipeline.execute()
        return {
            source: [
                LoggedEvent(source=source, entry_id=entry_id.decode(), body=fields.get(b"event", b""))
                for entry_id, fields in entries
            ]
            for source, entries in zip(after, found, strict=True)
        }


def before(moment_ms: int) -> str:
    """The id behind which everything from this millisecond on stands."""
    return f"{moment_ms - 1}-{NUMBER_MAX}" if moment_ms > 0 else BEGINNING


def position(entry_id: str) -> tuple[int, int]:
    """An entry's place in its stream, to be compared."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def _extent(cursor: bytes | None, told: Mapping[str, Any] | None) -> Extent:
    relayed = position(cursor.decode() if cursor else BEGINNING)
    first = told["first-entry"] if told else None
    if told is None or first is None:
        return Extent(cursor=relayed, first_ms=None, is_trimmed=False)
    # Before Redis 7 nobody counts what was added; then one cannot know.
    is_trimmed = int(told.get("entries-added", told["length"])) > int(told["length"])
    return Extent(cursor=relayed, first_ms=position(first[0].decode())[0], is_trimmed=is_trimmed)
