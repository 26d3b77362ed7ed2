"""The store's twin in memory: the same protocol on the clock's time, deterministic, in one process.

Three uses: fake in unit tests, store of the simulator, model of the state machine. The contract tests run
on it and on a real server, so that it stays true.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from orchestrator.adapters.memory_payment import StoredPayment
from orchestrator.identity import PaymentKey, shard_of
from orchestrator.ports import (
    ALONE_AT_CLAIMS,
    Acceptance,
    AcceptOutcome,
    CommitOutcome,
    Committed,
    NotifyOutcome,
    Record,
    Refusal,
    Unclaimed,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from orchestrator.ports import Clock, Commit

MOST_WAITING_OBSERVATIONS = 1000
_Due = tuple[int, str, PaymentKey]  # since when, in milliseconds; its intent_id; itself


class MemoryStore:
    """PaymentStore without Redis; never raises StoreUnavailableError. Calls never suspend."""

    def __init__(self, *, clock: Clock, shards: int = 64) -> None:
        self.shards = shards
        self.dead_letters: list[Refusal] = []
        self.replica_is_behind = False
        self._clock = clock
        self._payments: dict[PaymentKey, StoredPayment] = {}
        self._due: dict[PaymentKey, int] = {}
        self._suspects: dict[PaymentKey, None] = {}
        self._events: defaultdict[int, list[bytes]] = defaultdict(list)
        self._orphans: defaultdict[PaymentKey, list[bytes]] = defaultdict(list)
        self._unclaimed: dict[PaymentKey, int] = {}
        self._tombstones: dict[PaymentKey, str] = {}
        self._lost_at_ms: dict[int, int] = {}
        self._listeners: list[asyncio.Queue[int]] = []

    # Inspection

    def events(self, shard: int) -> tuple[bytes, ...]:
        """The event log of a shard, oldest first."""
        return tuple(self._events[shard])

    def due(self, key: PaymentKey) -> int | None:
        """When the payment wants attention next, in milliseconds; None: not in the due index."""
        return self._due.get(key)

    def bury(self, key: PaymentKey, fingerprint: str) -> None:
        """Leave only a tombstone of the payment."""
        self._payments.pop(key, None)
        self._due.pop(key, None)
        self._tombstones[key] = fingerprint

    def lose_tail(self, shard: int) -> None:
        """Let it be found now that writes of a shard were lost; which, whoever calls this has seen to."""
        self._lost_at_ms[shard] = self._clock.now_ms()

    # The protocol

    async def close(self) -> None:
        """Nothing is held open."""

    async def ensure_shards(self) -> None:
        """A new store has the number of shards it was made with."""

    async def find_fingerprint(self, key: PaymentKey) -> str | None:
        """The fingerprint under which the id is remembered (payment or tombstone), or None."""
        stored = self._payments.get(key)
        return stored.fingerprint if stored else self._tombstones.get(key)

    async def accept(
        self,
        key: PaymentKey,
        *,
        op: str,
        fingerprint: str,
        body: bytes,
        event: bytes,
        due_at_ms: int,
        owner: str | None = None,
        lease_ms: int = 0,
    ) -> Acceptance:
        """Store a new payment with its first event, due; with `owner` also claimed in the same step."""
        stored = self._payments.get(key)
        if stored and stored.op == op:
            ours = owner is not None and stored.owner == owner
            return Acceptance(outcome=AcceptOutcome.ACCEPTED, record=self._record(stored) if ours else None)
        remembered = await self.find_fingerprint(key)
        if remembered is not None:
            known = remembered == fingerprint
            return Acceptance(outcome=AcceptOutcome.KNOWN if known else AcceptOutcome.CONFLICT)
        stored = StoredPayment(key=key, op=op, fingerprint=fingerprint, body=body)
        self._unclaimed.pop(key, None)
        stored.observations = self._orphans.pop(key, [])
        stored.observed = len(stored.observations)
        self._payments[key] = stored
        self._events[self._shard(key)].append(event)
        if owner is not None:
            self._lease(stored, owner, lease_ms)
            return Acceptance(outcome=AcceptOutcome.ACCEPTED, record=self._record(stored))
        now = self._clock.now_ms()
        stored.heard_ms = now if stored.observations else None
        self._set_due(key, min(due_at_ms, now) if stored.observations else due_at_ms)
        return Acceptance(outcome=AcceptOutcome.ACCEPTED)

    async def load(self, key: PaymentKey) -> Record | None:
        """The payment as stored now, or None."""
        stored = self._payments.get(key)
        return self._record(stored) if stored else None

    async def due_at(self, key: PaymentKey) -> int | None:
        """When it wants attention next, in milliseconds; the end of the lease where it is claimed; None: never."""
        return self.due(key)

    async def claim(
        self, shard: int, *, owner: str, lease_ms: int, limit: int, rations: Mapping[str, int] | None = None
    ) -> list[Record]:
        """Claim due payments without a live owner: merchants take turns, each its longest due first; no suspects."""
        now = self._clock.now_ms()
        batch: list[StoredPayment] = []
        for stored in self._in_turn(shard, limit, rations or {}):
            stored.heard_ms = None
            if stored.leases_lost(now) >= ALONE_AT_CLAIMS:
                self._suspects[stored.key] = None
                self._due[stored.key] = now + lease_ms
                continue
            batch.append(stored)
            if len(batch) == limit:
                break
        for stored in batch:
            self._take(stored, owner, lease_ms)
        return [self._record(stored) for stored in batch]

    async def suspects(self) -> Sequence[int]:
        """The shards in which a claim met suspects that nobody has taken since."""
        return sorted({self._shard(key) for key in self._suspects})

    async def claim_alone(self, shard: int, *, owner: str, lease_ms: int) -> Record | None:
        """Claim one suspect of a shard, the longest known first, for an owner that has nothing else in hand."""
        now = self._clock.now_ms()
        for key in [key for key in self._suspects if self._shard(key) == shard]:
            del self._suspects[key]
            stored = self._payments.get(key)
            is_free = stored is not None and not stored.lives_with_an_owner(now) and stored.rest_until_ms <= now
            if stored is not None and is_free and stored.leases_lost(now) >= ALONE_AT_CLAIMS:
                self._take(stored, owner, lease_ms, alone=True)
                return self._record(stored)
        return None

    async def claim_one(self, key: PaymentKey, *, owner: str, lease_ms: int) -> Record | None:
        """Claim this payment, due or not; None where it is absent or somebody else holds a live claim."""
        stored = self._payments.get(key)
        if stored is None:
            return None
        if stored.owner != owner and stored.lives_with_an_owner(self._clock.now_ms()):
            return None
        self._take(stored, owner, lease_ms)
        return self._record(stored)

    async def renew(
        self, keys: Sequence[PaymentKey], *, owner: str, lease_ms: int, alone: bool = False
    ) -> frozenset[PaymentKey]:
        """Extend these claims; returns those that were lost."""
        lost = set()
        for key in keys:
            stored = self._payments.get(key)
            if stored is None or stored.owner != owner:
                lost.add(key)
            else:
                self._lease(stored, owner, lease_ms)
                stored.alone = alone
        return frozenset(lost)

    async def release(self, key: PaymentKey, *, owner: str, due_at_ms: int | None) -> bool:
        """Hand a claim back unchanged, due then (now if observations wait); False if it was not ours."""
        stored = self._payments.get(key)
        if stored is None or stored.owner != owner:
            return False
        self._let_go(stored, due_at_ms)
        return True

    async def rest(self, key: PaymentKey, *, owner: str, rests: int, for_ms: int) -> bool:
        """Put a claimed payment aside unchanged, due then or at a command; False if it was not ours, or a repeat."""
        stored = self._payments.get(key)
        if stored is None or stored.owner != owner or stored.rests != rests:
            return False
        self._put_aside(stored, for_ms)
        return True

    async def commit(self, commit: Commit) -> Committed:
        """Write state, event and due time at once, or say why not."""
        stored = self._payments.get(commit.key)
        if stored is None:
            return Committed(outcome=CommitOutcome.ABSENT)
        if stored.op == commit.op:
            return stored.committed()
        if stored.owner is None or stored.owner != commit.owner:
            return Committed(outcome=CommitOutcome.FENCED)
        refused = stored.why_not(commit, lost_at_ms=self._lost_at_ms.get(self._shard(commit.key), 0))
        if refused is not None:
            return Committed(outcome=refused, record=self._record(stored))
        self._write(stored, commit)
        return stored.committed()

    async def is_copied(self, key: PaymentKey) -> bool:
        """As the replica says that a test made up."""
        del key  # there is one for all
        return not self.replica_is_behind

    async def notify(self, key: PaymentKey, observation: bytes, *, op: str, is_command: bool = False) -> NotifyOutcome:
        """Append an observation; due now, and the bell rung, if nobody owns the payment."""
        stored = self._payments.get(key)
        if stored and stored.notify_op == op:
            return NotifyOutcome.STORED
        waiting = stored.observations if stored else self._orphans[key]
        if not stored and observation in waiting:
            return NotifyOutcome.ORPHANED
        if len(waiting) >= MOST_WAITING_OBSERVATIONS:
            return NotifyOutcome.FULL
        waiting.append(observation)
        now = self._clock.now_ms()
        if stored is None:
            if is_command:
                self._unclaimed.setdefault(key, now)
            return NotifyOutcome.ORPHANED
        stored.observed += 1
        stored.notify_op = op
        if is_command:
            stored.rest_until_ms = 0
        if not stored.lives_with_an_owner(now) and stored.rest_until_ms <= now:
            stored.heard_ms = stored.heard_ms or now
            self._set_due(key, min(self._due.get(key, now), now))
        return NotifyOutcome.STORED

    async def unclaimed(self, shard: int, *, before_ms: int) -> list[Unclaimed]:
        """Ids whose first command came before then and whose payment is not stored, with what waits for them."""
        old = [key for key, at_ms in self._unclaimed.items() if at_ms <= before_ms and self._shard(key) == shard]
        return [Unclaimed(key=key, observations=tuple(self._orphans[key])) for key in old]

    async def forget(self, key: PaymentKey, observations: Sequence[bytes], *, rest_at_ms: int | None) -> bool:
        """Drop what waited for a payment that never came; False where it came after all."""
        if key in self._payments:
            return False
        for observation in observations:
            if observation in self._orphans[key]:
                self._orphans[key].remove(observation)
        self._unclaimed.pop(key, None)
        if rest_at_ms is not None:
            self._unclaimed[key] = rest_at_ms
        return True

    async def refuse(self, refusal: Refusal) -> bool:
        """Keep one dead letter for it, however often it is called; its event is the dead letter's."""
        if any(kept.refusal_id == refusal.refusal_id for kept in self.dead_letters):
            return False
        self.dead_letters.append(refusal)
        return True

    def bells(self) -> AsyncIterator[int]:
        """Shards in which something became due at once, as they are rung, from this call on."""
        queue: asyncio.Queue[int] = asyncio.Queue()
        self._listeners.append(queue)
        return self._rung(queue)

    async def scan(self) -> AsyncIterator[Record]:
        """Every stored payment once."""
        for stored in list(self._payments.values()):
            yield self._record(stored)

    # Steps of the protocol

    def _record(self, stored: StoredPayment) -> Record:
        return stored.record(lost_at_ms=self._lost_at_ms.get(self._shard(stored.key), 0))

    async def _rung(self, queue: asyncio.Queue[int]) -> AsyncIterator[int]:
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    def _shard(self, key: PaymentKey) -> int:
        return shard_of(key, shards=self.shards) if self.shards > 1 else 0

    def _set_due(self, key: PaymentKey, at_ms: int) -> None:
        self._due[key] = at_ms
        if at_ms <= self._clock.now_ms():
            for queue in self._listeners:
                queue.put_nowait(self._shard(key))

    def _in_turn(self, shard: int, limit: int, rations: Mapping[str, int]) -> list[StoredPayment]:
        """The due payments of a shard without a live owner, merchants taking turns; `limit` of each at most.

        On a ration: those that something was heard of, then as many as it allows.
        """
        now = self._clock.now_ms()
        queues: defaultdict[str, list[_Due]] = defaultdict(list)
        for key, at_ms in self._due.items():
            if at_ms <= now and self._shard(key) == shard:
                queues[key.merchant].append((at_ms, key.intent_id, key))
        for merchant, queue in queues.items():
            queue.sort()
            if merchant in rations:
                heard = self._heard(queue)[:limit]
                named = {key for *_, key in heard}
                queue[:] = [*heard, *(each for each in queue[: min(limit, rations[merchant])] if each[2] not in named)]
        filled = {merchant: queue for merchant, queue in queues.items() if queue}
        order = sorted(filled, key=lambda merchant: (min(filled[merchant])[0], merchant))
        turns = sorted(
            (turn, order.index(merchant), key)
            for merchant, queue in filled.items()
            for turn, (*_, key) in enumerate(queue[: 2 * limit if merchant in rations else limit])
        )
        return [self._payments[key] for _, _, key in turns]

    def _heard(self, queue: Sequence[_Due]) -> list[_Due]:
        """Those of a queue that something was heard of, the longest waiting first."""
        payments = self._payments
        heard = ((at_ms, name, key) for _, name, key in queue if (at_ms := payments[key].heard_ms) is not None)
        return sorted(heard)

    def _take(self, stored: StoredPayment, owner: str, lease_ms: int, *, alone: bool = False) -> None:
        stored.claims = stored.leases_lost(self._clock.now_ms())
        stored.alone = alone
        stored.rest_until_ms = 0
        stored.heard_ms = None
        self._lease(stored, owner, lease_ms)

    def _lease(self, stored: StoredPayment, owner: str, lease_ms: int) -> None:
        stored.owner = owner
        stored.owned_until_ms = self._clock.now_ms() + lease_ms
        self._due[stored.key] = stored.owned_until_ms

    def _let_go(self, stored: StoredPayment, due_at_ms: int | None) -> None:
        stored.owner = None
        stored.owned_until_ms = 0
        if stored.observations:
            due_at_ms = stored.heard_ms = self._clock.now_ms()
        if due_at_ms is None:
            self._due.pop(stored.key, None)
        else:
            self._set_due(stored.key, due_at_ms)

    def _put_aside(self, stored: StoredPayment, for_ms: int) -> None:
        stored.owner = None
        stored.owned_until_ms = 0
        stored.claims = min(stored.claims, ALONE_AT_CLAIMS)
        stored.rests += 1
        stored.rest_until_ms = self._clock.now_ms() + for_ms
        self._due[stored.key] = stored.rest_until_ms

    def _write(self, stored: StoredPayment, commit: Commit) -> None:
        removed_before = stored.observed - len(stored.observations)
        del stored.observations[: max(0, commit.observed_seen - removed_before)]
        stored.version += 1
        stored.op = commit.op
        stored.body = commit.body
        if commit.event is not None:
            stored.sequence += 1
            self._events[self._shard(commit.key)].append(commit.event)
        if commit.rest_ms is not None:
            self._put_aside(stored, commit.rest_ms)
            return
        if commit.forgives:
            stored.claims = stored.rests = 0
        if commit.keep_lease_ms is not None:
            self._lease(stored, commit.owner, commit.keep_lease_ms)
        else:
            self._let_go(stored, commit.due_at_ms)
