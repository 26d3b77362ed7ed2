"""The shared store of the simulated processes, and the line that each of them has to it."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.memory_store import MemoryStore
from orchestrator.errors import StoreUnavailableError
from orchestrator.ports import NotifyOutcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from orchestrator.adapters.memory_limiter import MemoryLimiter
    from orchestrator.adapters.memory_payment import StoredPayment
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Acceptance, Commit, Committed, Refusal
    from tests.simulator.loop import Life
    from tests.simulator.world import World

# What there may be to do after which write, for workers that would look later.
_STIRS: dict[str, tuple[str, ...]] = {
    "accept": ("claim", "relay"),
    "commit": ("claim", "relay"),
    "release": ("claim",),
    "rest": ("claim",),
    "notify": ("claim", "sweep"),
    "claim": ("claim", "try"),
    "claim_one": ("claim",),
    "claim_alone": ("claim",),
    "forget": ("sweep",),
}
_CLAIMS = frozenset({"accept", "claim", "claim_one", "claim_alone"})
_WEBHOOK = b'{"kind":"WebhookSeen"'
COPY_S = 0.1  # so long a copy is waited for
TIMEOUT_S = 5.0  # of a call that nobody answers


class VirtualClock:
    """The Clock port on the loop's time; `ahead_s` is how far this process's clock is off."""

    def __init__(self, world: World, *, ahead_s: float = 0.0) -> None:
        self._loop = world.loop
        self._ahead_s = ahead_s

    def now_ms(self) -> int:
        return int((self._loop.time() + self._ahead_s) * 1000)

    def monotonic_s(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class WatchedStore(MemoryStore):
    """The twin; each write is shown to the checks at once."""

    def __init__(self, world: World) -> None:
        super().__init__(clock=VirtualClock(world), shards=world.dice.pick((1, 1, 1, 2)))
        self._world = world

    def next_due_s(self) -> float:
        """When a claim can find something next."""
        return min(self._due.values(), default=math.inf) / 1000

    def next_sweep_s(self) -> float:
        """When a command whose payment did not come is refused next."""
        return min(self._unclaimed.values(), default=math.inf) / 1000 + 60

    def stored(self, key: PaymentKey) -> StoredPayment:
        """The payment as it lies in the store."""
        return self._payments[key]

    def rests(self, key: PaymentKey) -> int:
        """How often a payment was put aside since its last success; 0 of one that went with a lost tail."""
        stored = self._payments.get(key)
        return stored.rests if stored else 0

    def hang(self, rope: Any) -> None:
        """Ring there too."""
        self._listeners.append(rope)

    @property
    def waiting(self) -> int:
        """Observations that nobody has applied yet."""
        return sum(len(stored.observations) for stored in self._payments.values())

    @property
    def has_suspects(self) -> bool:
        return bool(self._suspects)

    async def accept(self, *args: Any, **kwargs: Any) -> Acceptance:
        answer = await super().accept(*args, **kwargs)
        self._world.checks.accepted(args[0])
        return answer

    async def commit(self, commit: Commit) -> Committed:
        stored = self._payments.get(commit.key)
        before = (stored.owner, list(stored.observations), stored.observed) if stored else (None, [], 0)
        is_repeat = stored is not None and stored.op == commit.op
        answer = await super().commit(commit)
        if is_repeat:
            self._world.checks.repeated(commit, answer)
        owner, waiting, observed = before
        self._world.checks.committed(commit, answer, owner=owner, waiting=waiting, observed=observed)
        self._world.unreadable.written(commit.key)
        return answer

    def _take(self, stored: StoredPayment, owner: str, lease_ms: int, *, alone: bool = False) -> None:
        if stored.owner not in {None, owner}:
            self._world.conduct.taken_over(stored.key, stored.owner)
        super()._take(stored, owner, lease_ms, alone=alone)

    async def release(self, key: PaymentKey, *, owner: str, due_at_ms: int | None) -> bool:
        stored = self._payments.get(key)
        holder = stored.owner if stored else None
        answer = await super().release(key, owner=owner, due_at_ms=due_at_ms)
        if answer and holder not in {None, owner}:
            self._world.violated("I1", f"{key} was handed back by {owner}, it is owned by {holder}")
        self._world.checks.kept(key)
        return answer

    async def notify(self, key: PaymentKey, observation: bytes, *, op: str, is_command: bool = False) -> NotifyOutcome:
        answer = await super().notify(key, observation, op=op, is_command=is_command)
        stored = self._payments.get(key)
        self._world.checks.kept(key)
        if answer is not NotifyOutcome.FULL:
            self._world.checks.said(key, observation, waiting=stored.observations if stored else self._orphans[key])
        if answer is not NotifyOutcome.FULL and observation.startswith(_WEBHOOK):
            self._world.truth.webhook_kept(json.loads(observation)["body"])
        return answer

    async def refuse(self, refusal: Refusal) -> bool:
        is_first = await super().refuse(refusal)
        if is_first and refusal.origin == "provider":
            self._world.shop.hear_refusal(refusal.body)
        return is_first


class Line:
    """The way between a process and the store: calls and answers take time, and may get lost.

    The legs are the network's, not the process's: what was sent arrives, whatever becomes of the sender.
    """

    def __init__(self, world: World, life: Life) -> None:
        self.world = world
        self.life = life
        self.is_cut = False

    async def ask(self, name: str, execute: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The answer to a call; raises StoreUnavailableError where it does not come."""
        world, weather, dice = self.world, self.world.weather, self.world.dice
        answer = world.loop.create_future()
        if self.life.is_dead or world.strikes(self.life, name):
            return await answer  # never
        if self.is_cut or world.store_is_away:
            world.loop.after(min(TIMEOUT_S, dice.skewed(0.001, TIMEOUT_S)), self._fail, answer, name, "away")
        elif weather.brings("store call lost"):
            world.loop.after(dice.skewed(0.001, TIMEOUT_S), self._fail, answer, name, "call lost")
        else:
            delay_s = dice.skewed(0.0002, 0.002)
            if weather.brings("store slow"):
                delay_s = dice.skewed(0.01, 4.0)
                self.life.troubled_s = world.loop.time() + 4.0
            world.loop.after(delay_s, self._arrive, name, execute, answer)
        return await answer

    def _arrive(self, name: str, execute: Callable[[], Coroutine[Any, Any, Any]], answer: Any) -> None:
        world = self.world
        if self.is_cut or world.store_is_away:
            world.loop.after(TIMEOUT_S, self._fail, answer, name, "away")
            return
        if name in _STIRS:
            world.tail.comes()
        value = done_at_once(execute())
        if name in _STIRS:
            world.stir(*_STIRS[name])
            if name in _CLAIMS:
                # When whoever claimed something knows it: a claim has to be renewed from then on.
                world.loop.after(0.01, world.stir, "renew")
        world.story.tell(f"{self.life.name}: {name} -> {_short(value)}")
        if name == "claim":
            for record in value:
                world.checks.claimed(record.key)
        if world.weather.brings("store answer lost"):
            world.loop.after(world.dice.skewed(0.001, TIMEOUT_S), self._fail, answer, name, "answer lost")
        elif world.weather.brings("store slow"):
            self.life.troubled_s = world.loop.time() + 4.0
            world.loop.after(world.dice.skewed(0.001, 4.0), _answer, answer, value)
        else:
            _answer(answer, value)

    def _fail(self, answer: Any, name: str, why: str) -> None:
        self.life.troubled_s = self.world.loop.time()
        if not answer.done():
            self.world.story.tell(f"{self.life.name}: {name} fails, {why}")
            answer.set_exception(StoreUnavailableError(why))
            answer.exception()  # who asked may be gone; asyncio need not tell of it


class StoreLine:
    """PaymentStore as one process sees it."""

    def __init__(self, store: WatchedStore, line: Line) -> None:
        self.shards = store.shards
        self._store = store
        self._line = line

    def __getattr__(self, name: str) -> Any:
        """Any method of the protocol that is a call and an answer."""
        line, store = self._line, self._store

        async def asked(*args: Any, **kwargs: Any) -> Any:
            return await line.ask(name, lambda: getattr(store, name)(*args, **kwargs))

        self.__dict__[name] = asked
        return asked

    async def is_copied(self, key: PaymentKey) -> bool:
        """Whether the replica has what was written: it is behind at times, as long as the weather lasts."""
        del key  # there is one for all
        line = self._line
        if not line.world.weather.brings("replica behind"):
            return True
        await asyncio.sleep(COPY_S)
        return False

    async def bells(self) -> AsyncIterator[int]:
        """Bells as they are rung and not lost."""
        rope = Rope(self._line.world, self._line.life)
        self._store.hang(rope)
        while True:
            yield await rope.rung.get()


class Rope:
    """One process's subscription to the bells."""

    def __init__(self, world: World, life: Life) -> None:
        self.rung: asyncio.Queue[int] = asyncio.Queue()
        self._world = world
        self._life = life

    def put_nowait(self, shard: int) -> None:
        """A bell is rung."""
        if not self._life.is_dead and not self._world.weather.brings("bell lost"):
            self._world.loop.after(self._world.dice.skewed(0.0002, 0.02), self.rung.put_nowait, shard)


class LimiterLine:
    """Limiter as one process sees it: beside the store, over the same line; permits are counted against calls."""

    def __init__(self, limiter: MemoryLimiter, line: Line, world: World, life: Life) -> None:
        self.on_wire: Counter[str] = Counter()
        self._limiter = limiter
        self._line = line
        self._world = world
        self._life = life

    def __getattr__(self, name: str) -> Any:
        """What is asked of the shared limit is a call and an answer; the rest a process knows by itself."""
        method = getattr(self._limiter, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def asked(*args: Any, **kwargs: Any) -> Any:
            return await self._line.ask(name, lambda: method(*args, **kwargs))

        return asked

    async def permit(self, account: str, call_class: Any) -> int:
        wait_ms: int = await self._line.ask("permit", lambda: self._limiter.permit(account, call_class))
        if not wait_ms:
            self.on_wire[account] += 1
            self._world.conduct.permitted(self._life, account)
        return wait_ms

    async def pause(self, account: str, *, for_ms: int, reason: str) -> None:
        self._world.conduct.pauses(account)
        await self._line.ask("pause", lambda: self._limiter.pause(account, for_ms=for_ms, reason=reason))

    def ended(self, account: str) -> None:
        if not self._life.is_dead:
            self.on_wire[account] -= 1
            self._limiter.ended(account)

    def forget(self) -> None:
        """The process is dead: what it had on the wire counts no more."""
        on_wire, self.on_wire = self.on_wire, Counter()
        for account in on_wire.elements():
            self._limiter.ended(account)


def done_at_once(coro: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine of the twin's: none of them ever waits."""
    try:
        coro.send(None)
    except StopIteration as done:
        return done.value
    message = "the store's twin waited"
    raise RuntimeError(message)


def _answer(answer: Any, value: Any) -> None:
    if not answer.done():
        answer.set_result(value)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(getattr(each, "key", each)) for each in value) or "none"
    outcome = getattr(value, "outcome", None)
    if outcome is not None:
        return str(outcome)
    key = getattr(value, "key", None)
    return str(key) if key is not None else type(value).__name__ if not isinstance(value, int | str) else str(value)
