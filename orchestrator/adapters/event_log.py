"""The relay's side of the event log: sources, leases, cursors, reading and trimming on Redis."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from orchestrator.adapters import event_log_scripts as scripts
from orchestrator.adapters.redis_blocking import info_of_each, open_blocking, read_streams
from orchestrator.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

BEGINNING = "0-0"
SOCKET_TIMEOUT_S = 5.0
REPLICA_WAIT_MS = 1000

_REPLICA = re.compile(r"slave\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One stream of events with what the relay keeps beside it, all in one slot."""

    name: str  # s00 …, or refusals
    stream: str
    cursor: str
    lease: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedEvent:
    """An entry of the log: `body` is the CloudEvent's JSON as it was committed."""

    source: Source
    entry_id: str
    body: bytes


class EventLog:
    """Reads the event log for one relay; blocking, for the relay's own thread only.

    Every method raises StoreUnavailableError where Redis does not answer; all of them may be repeated.
    """

    def __init__(self, client: redis.Redis, *, namespace: str = "", shards: int = 64) -> None:
        self.sources = sources_of(namespace=namespace, shards=shards)
        self._client: Any = client
        self._relays = f"{namespace}payorch:relays"

    @classmethod
    def connect(cls, url: str, *, namespace: str = "", shards: int = 64) -> EventLog:
        """Connect at the first call."""
        return cls(open_client(url), namespace=namespace, shards=shards)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def beat(self, owner: str, *, alive_ms: int) -> int:
        """Say that this relay lives; returns how many do, itself included."""
        return int(self._run([(scripts.BEAT, [self._relays], [owner, alive_ms])])[0])

    def leave(self, owner: str) -> None:
        """Take this relay off the list of the living."""
        self._run([(scripts.LEAVE, [self._relays], [owner])])

    def hold(self, sources: Iterable[Source], *, owner: str, lease_ms: int) -> frozenset[Source]:
        """Take or renew the leases of these sources; returns those which the owner holds now."""
        asked = list(sources)
        answers = self._run([(scripts.HOLD, [source.lease], [owner, lease_ms]) for source in asked])
        return frozenset(source for source, held in zip(asked, answers, strict=True) if held)

    def hold_and_wait(self, sources: Iterable[Source], *, owner: str, lease_ms: int) -> tuple[frozenset[Source], int]:
        """Renew leases and wait until a replica has this and all before it, at most REPLICA_WAIT_MS.

        Returns the sources held and how many replicas have it, 0 where none was quick enough.
        """
        asked = list(sources)
        # WAIT counts from the connection's own last write, so there must be one, on the same connection.
        with unavailable_if_lost(), self._client.pipeline(transaction=False) as pipeline:
            for source in asked:
                pipeline.eval(scripts.HOLD, 1, source.lease, owner, lease_ms)
            pipeline.wait(1, REPLICA_WAIT_MS)
            *held, copies = pipeline.execute()
        return frozenset(source for source, is_held in zip(asked, held, strict=True) if is_held), int(copies)

    def has_replica(self) -> bool:
        """Whether a replica follows this Redis, or each master of the cluster; False where it does not tell."""
        try:
            with unavailable_if_lost():
                masters = info_of_each(self._client, "replication")
        except StoreUnavailableError as error:
            if isinstance(error.__cause__, NoPermissionError):
                return False
            raise
        return all(any(_is_online_replica(*told) for told in master.items()) for master in masters)

    def release(self, sources: Iterable[Source], *, owner: str) -> None:
        """Give leases back; one that somebody else holds by now is left alone."""
        self._run([(scripts.RELEASE, [source.lease], [owner]) for source in sources])

    def cursors(self, sources: Sequence[Source]) -> dict[Source, str]:
        """The entry up to which each source is relayed, inclusive; `0-0` before the first."""
        with unavailable_if_lost(), self._client.pipeline(transaction=False) as pipeline:
            for source in sources:
                pipeline.get(source.cursor)
            stored = pipeline.execute()
        return {source: value.decode() if value else BEGINNING for source, value in zip(sources, stored, strict=True)}

    def advance(self, cursors: Mapping[Source, str], *, owner: str) -> frozenset[Source]:
        """Move cursors; returns those that were refused because the lease is not the owner's any more."""
        moves = list(cursors.items())
        answers = self._run(
            [(scripts.ADVANCE, [source.lease, source.cursor], [owner, entry]) for source, entry in moves]
        )
        return frozenset(source for (source, _), moved in zip(moves, answers, strict=True) if not moved)

    def read(self, after: Mapping[Source, str], *, count: int, block_ms: int) -> list[LoggedEvent]:
        """Entries behind the given ids, at most `count` of each source, in each source's order.

        Waits up to `block_ms` for the first where there is none; 0 does not wait at all.
        """
        if not after:
            return []
        by_stream = {source.stream.encode(): source for source in after}
        streams = {source.stream: entry for source, entry in after.items()}
        with unavailable_if_lost():
            found = read_streams(self._client, streams, count=count, block_ms=block_ms)
        return [
            LoggedEvent(source=by_stream[stream], entry_id=entry_id.decode(), body=fields.get(b"event", b""))
            for stream, entries in _pairs(found)
            for entry_id, fields in entries
        ]

    def trim(self, sources: Collection[Source], *, owner: str, older_than_ms: int) -> int:
        """Remove entries that are older and relayed, of sources the owner holds; returns how many."""
        removed = self._run(
            [(scripts.TRIM, [source.lease, source.cursor, source.stream], [owner, older_than_ms]) for source in sources]
        )
        return sum(int(count) for count in removed)

    def _run(self, calls: list[tuple[str, list[str], list[Any]]]) -> list[Any]:
        if not calls:
            return []
        with unavailable_if_lost(), self._client.pipeline(transaction=False) as pipeline:
            for script, keys, arguments in calls:
                pipeline.eval(script, len(keys), *keys, *arguments)
            return list(pipeline.execute())


def sources_of(*, namespace: str, shards: int) -> tuple[Source, ...]:
    """All sources: one per shard, and the refusals beside the dead letters."""
    prefix = f"{namespace}payorch:"
    digits = 3 if shards > 100 else 2
    slots = [(f"s{shard:0{digits}}", f"{prefix}{{s{shard:0{digits}}}}:") for shard in range(shards)]
    slots.append(("refusals", f"{prefix}{{{prefix}deadletters}}:"))
    return tuple(
        Source(name=name, stream=f"{slot}events", cursor=f"{slot}cursor", lease=f"{slot}relay") for name, slot in slots
    )


def open_client(url: str) -> redis.Redis:
    """A blocking client without retries of its own, because the caller decides when to try again."""
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "socket_keepalive": True,
    }
    return open_blocking(url, **options)


@contextmanager
def unavailable_if_lost() -> Iterator[None]:
    """Turn what redis-py raises into StoreUnavailableError."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise StoreUnavailableError(f"Redis did not answer: {type(error).__name__}") from error


def _is_online_replica(name: str, told: Any) -> bool:
    return _REPLICA.fullmatch(name) is not None and isinstance(told, dict) and told.get("state") == "online"


def _pairs(found: Any) -> Iterator[tuple[bytes, Any]]:
    # XREAD answers a list of pairs, or with RESP3 a mapping of lists of entries.
    if isinstance(found, dict):
        return ((stream, [entry for chunk in chunks for entry in chunk]) for stream, chunks in found.items())
    return iter(found or [])
