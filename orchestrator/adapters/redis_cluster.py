"""A Redis Cluster as one client: each command goes to the master of its key, and nothing is ever sent again.

redis-py's own cluster client repeats commands whose answer was lost, and its pipelines stay with a master that is
gone; a script whose answer was lost may have run, and is for the store's callers to repeat under the same `op`.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from orchestrator.adapters.cluster_map import ClusterMap, read_map, slot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from redis.asyncio.client import PubSub

    from orchestrator.adapters.cluster_map import ClusterAddress, Words
    from orchestrator.adapters.redis_hosts import Address

    Command = tuple[Words, Mapping[str, Any]]

REDIRECTIONS_MAX = 3
ASK_WITHIN_S = 1.0  # a node that does not answer who serves what is passed over
MAP_EVERY_S = 0.2  # a cluster in the middle of a failover is not asked more often
_TELLS_OF_CHANGE = (MovedError, ClusterDownError, TryAgainError, RedisConnectionError, RedisTimeoutError, OSError)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Target:
    address: Address
    is_asking: bool = False  # the slot is on its way there


class ClusterClient(Redis):
    """Belongs to one event loop; connects at its first call. `options` are those of each connection.

    A command that a node sends elsewhere was not executed there, and follows. What a node did with commands whose
    answer is lost is unknown: they end with the error.
    """

    def __init__(self, address: ClusterAddress, *, pool_size: int, pool_wait_s: float, **options: Any) -> None:
        self._options = {**options, **address.login}
        self._pool: dict[str, Any] = {"max_connections": pool_size, "timeout": pool_wait_s}
        self._seeds = address.seeds
        self._nodes: dict[Address, Redis] = {}
        self._map = ClusterMap(by_slot={})
        self._map_is_due_s = 0.0  # infinity while it is believed
        self._asking = asyncio.Lock()
        host, port = address.seeds[0]
        super().__init__(connection_pool=ConnectionPool(host=host, port=port, **self._options))

    async def execute_command(self, *words: Any, **options: Any) -> Any:
        """Its answer, from the master of its key."""
        (answer,) = await self.send([(words, options)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> ClusterPipeline:  # noqa: FBT001, FBT002  # redis-py's own signature
        """Commands that are sent together, to each master its own; a transaction over several is not possible."""
        refuse_transaction(transaction=transaction)
        return ClusterPipeline(self, self.connection_pool, self.response_callbacks, transaction, shard_hint)

    def pubsub(self, **options: Any) -> PubSub:
        """A subscription at any node: what is published at one is heard at all."""
        return self._node(random.choice(self._map.masters or self._seeds)).pubsub(**options)  # noqa: S311  # no secret

    async def masters(self) -> Mapping[str, Redis]:
        """A client of each that is a master now, by its name; raises ConnectionError where no node answers."""
        self._map_is_due_s = 0.0  # what these clients meet is not seen here
        await self._look_up()
        return {_name(address): self._node(address) for address in self._map.masters}

    def lane_of(self, words: Words) -> str:
        """The name of the master that the command goes to, as far as is known; empty before anything is."""
        address = self._map.by_slot.get(slot_of(words))
        return "" if address is None else _name(address)

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """For each command its answer or its error; those of one key in their order."""
        answers: list[Any] = [None] * len(commands)
        elsewhere: dict[int, _Target] = {}
        left: Sequence[int] = range(len(commands))
        for _ in range(1 + REDIRECTIONS_MAX):
            try:
                await self._look_up()
                parts = self._parts(commands, left, elsewhere)
            except RedisError as error:
                parts = {}
                answers = [error if position in left else answer for position, answer in enumerate(answers)]
            told = await asyncio.gather(
                *(self._ask(target, [commands[position] for position in part]) for target, part in parts.items())
            )
            _put(answers, parts.values(), told)
            elsewhere = {position: target for position in left if (target := _redirection(answers[position]))}
            if not elsewhere:
                break
            left = list(elsewhere)
            _spoil_waits(commands, answers)
        return answers

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001  # redis-py's own signature
        """Close the connections to all nodes."""
        del close_connection_pool
        await asyncio.gather(*(node.aclose() for node in self._nodes.values()))
        await self.connection_pool.disconnect()

    def _parts(
        self, commands: Sequence[Command], left: Iterable[int], elsewhere: Mapping[int, _Target]
    ) -> dict[_Target, list[int]]:
        """Where which of these go. WAIT is for each master that this writes to."""
        parts: dict[_Target, list[int]] = {}
        for position in left:
            words, _ = commands[position]
            if words[0] == "WAIT":
                for part in parts.values():
                    part.append(position)
                continue
            target = elsewhere.get(position) or _Target(address=self._master_of(slot_of(words)))
            parts.setdefault(target, []).append(position)
        return parts

    def _master_of(self, slot: int) -> Address:
        address = self._map.by_slot.get(slot)
        if address is None:
            self._doubt_map()
            message = f"no node of the cluster serves slot {slot}"
            raise ClusterDownError(message)
        return address

    async def _ask(self, target: _Target, commands: Sequence[Command]) -> list[Any]:
        pipeline = self._node(target.address).pipeline(transaction=False)
        for words, options in commands:
            if target.is_asking:
                pipeline.execute_command("ASKING")
            pipeline.execute_command(*words, **options)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            answers = [error] * len(commands)
        else:
            answers = answers[1::2] if target.is_asking else answers
        if any(isinstance(answer, _TELLS_OF_CHANGE) for answer in answers):
            self._doubt_map()
        for answer in answers:
            if isinstance(answer, AskError):  # a node that knows no host of the other one means its own
                answer.host = answer.host or target.address[0]
        return answers

    def _doubt_map(self) -> None:
        self._map_is_due_s = min(self._map_is_due_s, time.monotonic() + MAP_EVERY_S)

    async def _look_up(self) -> None:
        """Ask who serves what where that is not known or in doubt; what was known stays where nobody answers.

        While one caller asks, the others go by what was known.
        """
        is_asked_already = self._asking.locked() and self._map.by_slot
        if time.monotonic() >= self._map_is_due_s and not is_asked_already:
            async with self._asking:
                if time.monotonic() >= self._map_is_due_s:
                    await self._ask_for_map()
        if not self._map.by_slot:
            message = "no node of the cluster answers"
            raise RedisConnectionError(message)

    async def _ask_for_map(self) -> None:
        known = list(dict.fromkeys((*self._map.masters, *self._seeds)))
        for host, port in random.sample(known, len(known)):
            try:
                slots = await self._slots(host, port)
            except (RedisError, OSError):
                continue
            if slots:  # a node that belongs to no cluster any more knows none
                self._map, self._map_is_due_s = read_map(slots, asked=host), math.inf
                return
        self._map_is_due_s = time.monotonic() + MAP_EVERY_S

    async def _slots(self, host: str, port: int) -> Sequence[Any]:
        quick = {"socket_timeout": ASK_WITHIN_S, "socket_connect_timeout": ASK_WITHIN_S, "decode_responses": False}
        options = {**self._options, **quick}
        client: Any = Redis.from_pool(ConnectionPool(host=host, port=port, **options))
        async with client as node:
            slots: Sequence[Any] = await node.execute_command("CLUSTER SLOTS")
            return slots

    def _node(self, address: Address) -> Redis:
        node = self._nodes.get(address)
        if node is None:
            host, port = address
            pool = BlockingConnectionPool(host=host, port=port, **self._pool, **self._options)
            node = self._nodes[address] = Redis.from_pool(pool)
        return node


class ClusterPipeline(Pipeline):
    """Gathers commands as redis-py's pipelines do and lets the cluster's client send them."""

    def __init__(self, client: ClusterClient, *of_redis: Any) -> None:
        super().__init__(*of_redis)
        self._client = client

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002  # redis-py's own signature
        """The answers in the order of the commands; the first error is raised, or all are among the answers."""
        commands, self.command_stack = self.command_stack, []
        answers = await self._client.send(commands)
        return raised_first(answers) if raise_on_error else answers


def refuse_transaction(*, transaction: bool) -> None:
    """Raises ValueError where a pipeline is to be one, as redis-py's are unless told otherwise."""
    if transaction:
        message = "a cluster has no transactions over several masters"
        raise ValueError(message)


def raised_first(answers: list[Any]) -> list[Any]:
    """The answers of a pipeline, none of which is an error; raises the first that is."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _put(answers: list[Any], parts: Iterable[Sequence[int]], told: Iterable[Sequence[Any]]) -> None:
    """Put what each node told in its place; where several were asked, the first error counts, else the least."""
    fresh: dict[int, list[Any]] = {}
    for part, some in zip(parts, told, strict=True):
        for position, answer in zip(part, some, strict=True):
            fresh.setdefault(position, []).append(answer)
    for position, given in fresh.items():
        errors = [answer for answer in given if isinstance(answer, Exception)]
        answers[position] = (errors or given)[0] if errors or len(given) == 1 else min(given)


def _spoil_waits(commands: Sequence[Command], answers: list[Any]) -> None:
    """What WAIT told is not of the masters that took what was sent elsewhere."""
    for position, (words, _) in enumerate(commands):
        if words[0] == "WAIT":
            answers[position] = TryAgainError("a slot moved meanwhile")


def _redirection(answer: Any) -> _Target | None:
    """Where a node sent the command; MovedError is an AskError too."""
    if not isinstance(answer, AskError):
        return None
    return _Target(address=(answer.host, answer.port), is_asking=not isinstance(answer, MovedError))


def _name(address: Address) -> str:
    host, port = address
    return f"{host}:{port}"
