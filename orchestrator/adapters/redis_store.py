"""The store on Redis: one script a call, all state of a payment in one slot."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.adapters import redis_scripts as scripts
from orchestrator.adapters.redis_bells import listen
from orchestrator.adapters.redis_calls import RedisCalls
from orchestrator.adapters.redis_copies import RedisCopies
from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.adapters.redis_tail import RedisTail
from orchestrator.adapters.redis_time import RedisTime
from orchestrator.errors import PayorchError, StoreCorruptError
from orchestrator.identity import PaymentKey
from orchestrator.ports import (
    ALONE_AT_CLAIMS,
    Acceptance,
    AcceptOutcome,
    CommitOutcome,
    Committed,
    NotifyOutcome,
    Record,
    Unclaimed,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from redis.asyncio import Redis

    from orchestrator.adapters.redis_scripts import Script
    from orchestrator.ports import Commit, Refusal

CLAIM_VALID_MS = 2_000  # after this whoever asked has given up, or will soon
MOST_WAITING_OBSERVATIONS = 1000
REFUSAL_REMEMBERED_MS = 30 * 24 * 3600 * 1000
SCAN_COUNT = 500
UNCLAIMED_AT_ONCE = 100


class ShardCountError(PayorchError):
    """The stored payments were spread over another number of shards; they would not be found."""


def tell_nobody(_: str, /, **__: object) -> None:
    """For whoever has nobody to tell."""


class RedisStore:
    """PaymentStore on one Redis (architecture, *The store's protocol*); belongs to one event loop.

    Every call raises StoreUnavailableError where Redis does not answer or cannot write; it may then be made
    again with the same `op`. It raises StoreCorruptError where a name holds what none of ours put there. `tell`
    hears of what somebody on call must know.
    """

    def __init__(
        self,
        client: Redis,
        *,
        namespace: str = "",
        shards: int = 64,
        tell: Callable[..., None] = tell_nobody,
    ) -> None:
        self.shards = shards
        self._client = client
        self._calls = RedisCalls(client)
        self._keys = RedisKeys(namespace=namespace, shards=shards)
        self._time = [RedisTime() for _ in range(shards)]  # the masters of a cluster have a clock each
        self._tail = RedisTail(shards)
        self._copies = RedisCopies(client, probe_of=self._keys.probe)
        self._tell = tell

    async def close(self) -> None:
        """Let the calls under way end, then close the connections."""
        await self._calls.close()

    async def ensure_shards(self) -> None:
        """Write down the number of shards at the first start; raises ShardCountError where it was another."""
        await self._ask_the_time()
        await self._calls.command("SET", self._keys.shard_count, self.shards, "NX")
        stored = int(await self._calls.command("GET", self._keys.shard_count))
        if stored != self.shards:
            message = f"this Redis holds payments in {stored} shards, but {self.shards} are configured"
            raise ShardCountError(message)

    async def find_fingerprint(self, key: PaymentKey) -> str | None:
        """The fingerprint under which the id is remembered (payment or tombstone), or None."""
        names = self._keys.payment(key)
        stored, buried = await asyncio.gather(
            self._calls.command("HGET", names[0], "fingerprint"), self._calls.command("GET", names[6])
        )
        fingerprint = stored if stored is not None else buried
        return None if fingerprint is None else fingerprint.decode()

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
        """Store a new payment with its first event, due; with `owner` also claimed in the same script.

        Observations that came before it are kept for it, and it is then due now.
        """
        shard = self._keys.shard(key)
        arguments = (op, fingerprint, body, event, due_at_ms, owner or "", lease_ms, self._tail.seen(shard))
        outcome, commits, lost_at_ms, *rest = await self._run(scripts.ACCEPT, key, *arguments)
        self._learn(shard, commits, lost_at_ms)
        return Acceptance(outcome=AcceptOutcome(outcome.decode()), record=_record(key, rest[0]) if rest else None)

    async def load(self, key: PaymentKey) -> Record | None:
        """The payment as stored now, or None."""
        return _record_or_none(key, await self._run(scripts.LOAD, key))

    async def due_at(self, key: PaymentKey) -> int | None:
        """When it wants attention next, in milliseconds; the end of the lease where it is claimed; None: never."""
        score = await self._calls.command("ZSCORE", self._keys.payment(key)[2], key.intent_id)
        return None if score is None else int(score)

    async def claim(
        self, shard: int, *, owner: str, lease_ms: int, limit: int, rations: Mapping[str, int] | None = None
    ) -> list[Record]:
        """Claim due payments without a live owner: merchants take turns, each its longest due first.

        A suspect is passed over and remembered for `claim_alone`. A claim that reaches Redis, or is executed by
        it, later than two seconds after this call began takes nothing: its caller may be gone.
        """
        names = (self._keys.merchants(shard), self._keys.suspects(shard), *self._keys.tail(shard))
        pairs = [word for pair in (rations or {}).items() for word in pair]
        arguments = (lease_ms, ALONE_AT_CLAIMS, limit, self._tail.seen(shard), *pairs)
        claimed, commits, lost_at_ms, unreadable = await self._claimed(scripts.CLAIM, names, shard, owner, *arguments)
        self._learn(shard, commits, lost_at_ms)
        for name in unreadable:
            self._tell("store.payment_unreadable", payment=name.decode())
        return [_claimed_record(fields) for fields in claimed]

    async def suspects(self) -> Sequence[int]:
        """The shards in which a claim met suspects that nobody has taken since."""
        shards = range(self.shards)
        counts = await asyncio.gather(*(self._calls.command("ZCARD", self._keys.suspects(shard)) for shard in shards))
        return [shard for shard, count in zip(shards, counts, strict=True) if count]

    async def claim_alone(self, shard: int, *, owner: str, lease_ms: int) -> Record | None:
        """Claim one suspect of a shard, the longest known first, for an owner that has nothing else in hand."""
        names = (self._keys.suspects(shard),)
        claimed = await self._claimed(scripts.CLAIM_ALONE, names, shard, owner, lease_ms, ALONE_AT_CLAIMS)
        return _claimed_record(claimed[0]) if claimed else None

    async def claim_one(self, key: PaymentKey, *, owner: str, lease_ms: int) -> Record | None:
        """Claim this payment, due or not; None where it is absent or somebody else holds a live claim.

        A claim of the caller's own is renewed and returned: who runs several tasks under one owner knows
        itself what it has in hand.
        """
        return _record_or_none(key, await self._run(scripts.CLAIM_ONE, key, owner, lease_ms, ALONE_AT_CLAIMS))

    async def renew(
        self, keys: Sequence[PaymentKey], *, owner: str, lease_ms: int, alone: bool = False
    ) -> frozenset[PaymentKey]:
        """Extend these claims in one pipeline; returns those that were lost."""
        calls = (self._run(scripts.RENEW, key, owner, lease_ms, int(alone)) for key in keys)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        # One that cannot be read any more is lost, and costs no other its claim.
        held = [0 if isinstance(answer, StoreCorruptError) else answer for answer in answers]
        for answer in held:
            if isinstance(answer, BaseException):
                raise answer
        return frozenset(key for key, is_held in zip(keys, held, strict=True) if not is_held)

    async def release(self, key: PaymentKey, *, owner: str, due_at_ms: int | None) -> bool:
        """Hand a claim back unchanged, due then (now if observations wait); False if it was not ours."""
        return bool(await self._run(scripts.RELEASE, key, owner, _optional(due_at_ms)))

    async def rest(self, key: PaymentKey, *, owner: str, rests: int, for_ms: int) -> bool:
        """Put a claimed payment aside unchanged, due then or at a command; False if it was not ours, or a repeat."""
        return bool(await self._run(scripts.REST, key, owner, for_ms, ALONE_AT_CLAIMS, rests))

    async def commit(self, commit: Commit) -> Committed:
        """Write state, event and due time atomically, or say why not."""
        shard = self._keys.shard(commit.key)
        outcome, commits, lost_at_ms, *rest = await self._run(
            scripts.COMMIT,
            commit.key,
            commit.op,
            commit.owner,
            commit.expected_version,
            commit.observed_seen,
            commit.body,
            commit.event or b"",
            _optional(commit.event_sequence),
            _optional(commit.due_at_ms),
            _optional(commit.keep_lease_ms),
            int(commit.own_move),
            _optional(commit.rest_ms),
            int(commit.forgives),
            ALONE_AT_CLAIMS,
            commit.lost_at_ms,
            self._tail.seen(shard),
        )
        self._learn(shard, commits, lost_at_ms)
        return _committed(commit.key, CommitOutcome(outcome.decode()), rest)

    async def is_copied(self, key: PaymentKey) -> bool:
        """Whether a replica has what was written before, where one follows; waits for a tenth of a second at most."""
        return await self._copies.confirmed(self._keys.shard(key))

    def follow(self, followed: Collection[str]) -> None:
        """From now on these servers, by name, are followed by replicas; a Redis that is no cluster has no name."""
        self._copies.followed = frozenset(followed)

    async def notify(self, key: PaymentKey, observation: bytes, *, op: str, is_command: bool = False) -> NotifyOutcome:
        """Append an observation; due now, and the bell rung, if nobody owns the payment."""
        answer = await self._run(scripts.NOTIFY, key, op, observation, MOST_WAITING_OBSERVATIONS, int(is_command))
        return NotifyOutcome(answer.decode())

    async def unclaimed(self, shard: int, *, before_ms: int) -> list[Unclaimed]:
        """Ids whose first command came before then and whose payment is not stored, with what waits for them."""
        words = ("ZRANGE", self._keys.unclaimed(shard), "-inf", before_ms, "BYSCORE", "LIMIT", 0, UNCLAIMED_AT_ONCE)
        keys = [PaymentKey.parse(name.decode()) for name in await self._calls.command(*words)]
        waiting = await asyncio.gather(
            *(self._calls.command("LRANGE", self._keys.payment(key)[1], 0, -1) for key in keys)
        )
        return [Unclaimed(key=key, observations=tuple(each)) for key, each in zip(keys, waiting, strict=True)]

    async def forget(self, key: PaymentKey, observations: Sequence[bytes], *, rest_at_ms: int | None) -> bool:
        """Drop what waited for a payment that never came; False where it came after all."""
        return bool(await self._run(scripts.FORGET, key, _optional(rest_at_ms), *observations))

    async def erase(self, record: Record, *, remember_ms: int) -> bool:
        """Leave only the id and its fingerprint of a payment, for so long; False where it is not as in the record."""
        return bool(await self._run(scripts.ERASE, record.key, record.version, remember_ms))

    async def refuse(self, refusal: Refusal) -> bool:
        """Keep one dead letter and one event for it, however often it is called within 30 days."""
        names = (self._keys.dead_letters, self._keys.refusals_seen, self._keys.refusal_events)
        arguments = (refusal.refusal_id, refusal.event, REFUSAL_REMEMBERED_MS, *_dead_letter(refusal))
        return bool(await self._calls.script(scripts.REFUSE, names, arguments))

    def bells(self) -> AsyncIterator[int]:
        """Shards in which something became due at once, as they are rung; a lost bell is allowed."""
        return listen(self._client, self._keys.bell)

    async def scan(self) -> AsyncIterator[Record]:
        """Every stored payment once or more, in no order, without stopping the world."""
        async for names in self._calls.names(self._keys.any_payment, count=SCAN_COUNT, kind="hash"):
            keys = [RedisKeys.key_of(name.decode()) for name in names]
            for record in await asyncio.gather(*(self.load(key) for key in keys)):
                if record is not None:
                    yield record

    async def _claimed(
        self, script: Script, names: Sequence[str], shard: int, owner: str, *arguments: str | int
    ) -> Sequence[Any]:
        """What a claim told, unless Redis executes it so late that nobody waits for the answer any more."""
        asked_ms = self._time[shard].now_ms()
        valid_until_ms = None if asked_ms is None else asked_ms + CLAIM_VALID_MS
        words = (self._keys.prefix(shard), _optional(valid_until_ms), owner, *arguments)
        told: list[Any] = await self._calls.script(script, names, words)
        self._time[shard].learn(told[0])
        return told[1:]

    async def _ask_the_time(self) -> None:
        told = await self._calls.of_each("TIME")
        for shard, time in enumerate(self._time):
            if server := told.get(self._calls.server_of(self._keys.prefix(shard))):
                seconds, microseconds = server
                time.learn(int(seconds) * 1000 + int(microseconds) // 1000)

    def _learn(self, shard: int, commits: int, lost_at_ms: int) -> None:
        lost = self._tail.learn(shard, commits, lost_at_ms)
        if lost is not None:
            self._tell("store.tail_lost", shard=lost.shard, known_since_ms=lost.at_ms)

    async def _run(self, script: Script, key: PaymentKey, *arguments: str | bytes | int) -> Any:
        common = (key.merchant, key.intent_id, self._keys.bell, self._keys.shard(key))
        return await self._calls.script(script, self._keys.payment(key), (*common, *arguments))


def _optional(value: int | None) -> str | int:
    return "" if value is None else value


def _record(key: PaymentKey, fields: Any) -> Record:
    """Read what `answer` in shared.lua wrote."""
    version, sequence, observed, claims, fingerprint, owner, owned_until_ms, body, observations, rests, lost_at = fields
    return Record(
        key=key,
        version=version,
        sequence=sequence,
        observed=observed,
        observations=tuple(observations),
        claims=claims,
        fingerprint=fingerprint.decode(),
        body=body,
        owner=owner.decode() or None,
        owned_until_ms=owned_until_ms or None,
        rests=rests,
        lost_at_ms=lost_at,
    )


def _claimed_record(answer: Any) -> Record:
    merchant, intent_id, fields = answer
    return _record(PaymentKey(merchant=merchant.decode(), intent_id=intent_id.decode()), fields)


def _record_or_none(key: PaymentKey, fields: Any) -> Record | None:
    return None if fields is None else _record(key, fields)


def _committed(key: PaymentKey, outcome: CommitOutcome, rest: Sequence[Any]) -> Committed:
    if outcome is not CommitOutcome.COMMITTED:
        return Committed(outcome=outcome, record=_record(key, rest[0]) if rest else None)
    version, sequence, observed, observations = rest
    return Committed(
        outcome=outcome,
        version=version,
        sequence=sequence,
        observed=observed,
        observations=tuple(observations),
    )


def _dead_letter(refusal: Refusal) -> list[str | bytes]:
    at = datetime.fromtimestamp(refusal.at_ms // 1000, tz=UTC).replace(microsecond=refusal.at_ms % 1000 * 1000)
    fields: dict[str, str | bytes] = {
        **refusal.attributes,
        "code": refusal.code,
        "message": refusal.message,
        "field": refusal.field or "",
        "origin": refusal.origin,
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "body": refusal.body,
        "redrivable": "true" if refusal.redrivable else "false",
        "refusal_id": refusal.refusal_id,
    }
    return [word for pair in fields.items() for word in pair]
