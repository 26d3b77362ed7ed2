"""The real relay on the simulated event log and broker, one round at a time."""

from __future__ import annotations

import asyncio
import bisect
import json
import math
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.event_log import LoggedEvent, Source
from orchestrator.errors import StoreUnavailableError
from tests.simulator.loop import Idler
from workers.relay import LEASE_S, Relay

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from orchestrator.ports import PublishedEvent
    from tests.simulator.loop import Life
    from tests.simulator.world import World

ROUND_S = 0.25
AWAY_S = 20.0
RETRY_S = 600.0


class EventLog:
    """What `orchestrator.adapters.event_log` does on Redis, on the twin's event log."""

    def __init__(self, world: World) -> None:
        self.sources = tuple(
            Source(name=f"s{shard:02}", stream=f"e{shard}", cursor=f"c{shard}", lease=f"l{shard}")
            for shard in range(world.store.shards)
        )
        self.cursors_at: dict[str, int] = dict.fromkeys((source.name for source in self.sources), 0)
        self._world = world
        self._lost: set[tuple[str, int]] = set()  # by source and number
        self._leases: dict[str, tuple[str, float]] = {}
        self._alive: dict[str, float] = {}

    @property
    def is_relayed(self) -> bool:
        """Whether every event is behind its cursor."""
        return not any(self._has_more(source) for source in self.sources)

    def next_s(self, owner: str) -> float:
        """When this relay can have something to send: what another one holds is its own until the lease runs out."""
        return min((self._free_s(source, owner) for source in self.sources if self._has_more(source)), default=math.inf)

    def lose(self, shard: int, *, after: int) -> None:
        """The entries after this one are gone; their numbers are not given again."""
        source = self.sources[shard]
        self._lost.update((source.name, number) for number in range(after + 1, len(self._events(source)) + 1))

    def close(self) -> None:
        return None

    def beat(self, owner: str, *, alive_ms: int) -> int:
        now_s = self._reach()
        self._alive[owner] = now_s + alive_ms / 1000
        self._alive = {name: until_s for name, until_s in self._alive.items() if until_s > now_s}
        return len(self._alive)

    def leave(self, owner: str) -> None:
        self._reach()
        self._alive.pop(owner, None)

    def hold(self, sources: Iterable[Source], *, owner: str, lease_ms: int) -> frozenset[Source]:
        now_s, held = self._reach(), []
        for source in sources:
            holder, until_s = self._leases.get(source.name, (owner, 0.0))
            if holder == owner or until_s <= now_s:
                self._leases[source.name] = owner, now_s + lease_ms / 1000
                held.append(source)
        return frozenset(held)

    def hold_and_wait(self, *_: Any, **__: Any) -> tuple[frozenset[Source], int]:
        message = "there is no replica"
        raise AssertionError(message)

    def has_replica(self) -> bool:
        return False

    def release(self, sources: Iterable[Source], *, owner: str) -> None:
        self._reach()
        for source in list(sources):
            if self._leases.get(source.name, ("", 0.0))[0] == owner:
                del self._leases[source.name]

    def cursors(self, sources: Sequence[Source]) -> dict[Source, str]:
        self._reach()
        return {source: f"{self.cursors_at[source.name]}-0" for source in sources}

    def advance(self, cursors: Mapping[Source, str], *, owner: str) -> frozenset[Source]:
        now_s, refused = self._reach(), []
        for source, entry in cursors.items():
            holder, until_s = self._leases.get(source.name, ("", 0.0))
            if holder == owner and until_s > now_s:
                self.cursors_at[source.name] = int(entry.partition("-")[0])
            else:
                refused.append(source)
        return frozenset(refused)

    def read(self, after: Mapping[Source, str], *, count: int, block_ms: int) -> list[LoggedEvent]:
        del block_ms  # the rounds come as often as a blocking read would end
        self._reach()
        found: list[LoggedEvent] = []
        for source, entry in after.items():
            at = int(entry.partition("-")[0])
            found += (
                LoggedEvent(source=source, entry_id=f"{number}-0", body=body)
                for number, body in enumerate(self._events(source)[at : at + count], at + 1)
                if (source.name, number) not in self._lost
            )
        return found

    def trim(self, sources: Collection[Source], **_: Any) -> int:
        del sources
        return 0

    def _events(self, source: Source) -> Sequence[bytes]:
        return self._world.store._events[int(source.name[1:])]

    def _has_more(self, source: Source) -> bool:
        numbers = range(self.cursors_at[source.name] + 1, len(self._events(source)) + 1)
        return any((source.name, number) not in self._lost for number in numbers)

    def _free_s(self, source: Source, owner: str) -> float:
        holder, until_s = self._leases.get(source.name, (owner, 0.0))
        return -math.inf if holder == owner else until_s

    def _reach(self) -> float:
        if self._world.store_is_away or self._world.weather.brings("event log away"):
            raise StoreUnavailableError("away")
        return self._world.loop.time()


class Broker:
    """`payments.events`, with one subscriber that hears everything at once."""

    def __init__(self, world: World) -> None:
        self.first: dict[str, list[int]] = {}  # sequences of each payment as they came first
        self.away_until_s = 0.0
        self._world = world

    def deliver(self, event: PublishedEvent) -> None:
        """An event reaches the subscriber, the first time or again."""
        told = json.loads(event.body)
        sequence = told["data"]["sequence"]
        payment = f"{told['data']['merchant']}/{told['data']['intent_id']}"
        heard = self.first.setdefault(payment, [])
        place = bisect.bisect_left(heard, sequence)
        if place < len(heard) and heard[place] == sequence:
            return
        if place < len(heard) or sequence != len(heard) + 1:
            self._world.violated("I3", f"{payment}: event {sequence} came after {heard[-1:]}")
        heard.insert(place, sequence)
        self._world.shop.hear(told)


class Publisher:
    """A process's connection to the broker."""

    def __init__(self, world: World) -> None:
        self.answered = True
        self.error = ""
        self._world = world

    def publish(self, events: Sequence[PublishedEvent]) -> list[bool]:
        world = self._world
        broker, weather, now_s = world.broker, world.weather, world.loop.time()
        if weather.brings("broker away"):
            broker.away_until_s = now_s + world.dice.skewed(0.5, AWAY_S)
        self.answered = broker.away_until_s <= now_s
        answers = []
        for event in events:
            is_there = self.answered and not weather.brings("event rejected")
            is_confirmed = is_there and not weather.brings("confirm lost")
            # An outage in the middle of a window: some arrive all the same.
            if is_there or (not self.answered and world.dice.chance(0.3)):
                broker.deliver(event)
            answers.append(is_confirmed)
        return answers

    def figures(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        return None


class _NoWait:
    """Stands for the event on which the relay's thread would wait."""

    def is_set(self) -> bool:
        return False

    def wait(self, _: float) -> bool:
        return False

    def set(self) -> None:
        return None


class Relaying:
    """The relay of one worker: rounds while there is something to send, and looks after its leases."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life
        self._failures = 0
        self._relay = relay = Relay(
            world.event_log,  # type: ignore[arg-type]  # the same methods
            Publisher(world),  # type: ignore[arg-type]  # likewise
            owner=life.name,
            retry_s=RETRY_S,
            events_days=7,
            on_alarm=world.journal.alarm,
            lease_s=LEASE_S,
            monotonic_s=world.loop.time,
            wall_s=world.loop.time,
        )
        stopping: Any = _NoWait()
        relay._stopping = stopping

    def start(self) -> None:
        """Begin the rounds."""
        loop = self._world.loop
        task = loop.start(self._life, self._rounds())
        self.idler = Idler(period_s=ROUND_S, next_s=self._next_s)
        loop.idlers[task] = self.idler

    def leave(self) -> None:
        """Give the leases back."""
        self._relay._leave()

    async def _rounds(self) -> None:
        while True:
            if self._world.strikes(self._life, "relay"):
                await self._world.loop.create_future()
            try:
                self._relay._round()
            except StoreUnavailableError:
                self._relay._redis_failures += 1
            await asyncio.sleep(ROUND_S * self._world.dice.fraction())

    def _next_s(self) -> float:
        """When there is something to send; while there is nothing, leases may run out and be taken again."""
        return self._world.event_log.next_s(self._life.name)
