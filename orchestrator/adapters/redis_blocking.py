"""Redis for callers that block, at any address that the state may have."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import redis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.client import Pipeline

from orchestrator.adapters.cluster_map import is_cluster, parse
from orchestrator.adapters.redis_cluster import ClusterClient, raised_first, refuse_transaction
from orchestrator.adapters.redis_sentinel import is_behind_sentinels, open_blocking_client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.adapters.cluster_map import ClusterAddress
    from orchestrator.adapters.redis_cluster import Command

POOL_SIZE = 2  # of each node; one call is made at a time
FIRST_LOOK_S = 0.005
LOOK_EVERY_S = 0.05


def open_blocking(url: str, **options: Any) -> redis.Redis:
    """A client for `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`; connects at its first call."""
    if is_behind_sentinels(url):
        return open_blocking_client(url, **options)
    if is_cluster(url):
        return BlockingClusterClient(parse(url), **options)
    client: redis.Redis = redis.Redis.from_url(url, **options)
    return client


def info_of_each(client: redis.Redis, section: str) -> list[dict[str, Any]]:
    """What each server behind the client tells of itself."""
    return client.info_of_each(section) if isinstance(client, BlockingClusterClient) else [client.info(section)]


def read_streams(client: redis.Redis, after: Mapping[str, str], *, count: int, block_ms: int) -> Any:
    """XREAD, which waits up to `block_ms` for the first entry; 0 does not wait at all."""
    if isinstance(client, BlockingClusterClient):
        return client.read_streams(after, count=count, block_ms=block_ms)
    streams: Any = dict(after)
    return client.xread(streams, count=count, block=block_ms or None)


class BlockingClusterClient(redis.Redis):
    """ClusterClient on an event loop of its own, for one thread at a time, in which no other loop runs."""

    def __init__(self, address: ClusterAddress, *, socket_timeout: float, **options: Any) -> None:
        options["retry"] = AsyncRetry(NoBackoff(), 0)
        self._runner = asyncio.Runner()
        self._is_closed = False
        self._pause_s = FIRST_LOOK_S
        self._client = ClusterClient(
            address, pool_size=POOL_SIZE, pool_wait_s=socket_timeout, socket_timeout=socket_timeout, **options
        )
        super().__init__(connection_pool=redis.ConnectionPool())  # which never connects

    def execute_command(self, *words: Any, **options: Any) -> Any:
        """Its answer, from the master of its key."""
        return self._runner.run(self._client.execute_command(*words, **options))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> BlockingClusterPipeline:  # noqa: FBT001, FBT002  # redis-py's own signature
        """Commands that are sent together, to each master its own; a transaction over several is not possible."""
        refuse_transaction(transaction=transaction)
        return BlockingClusterPipeline(self, self.connection_pool, self.response_callbacks, transaction, shard_hint)

    def read_streams(self, after: Mapping[str, str], *, count: int, block_ms: int) -> list[Any]:
        """What stands behind these entries, at most `count` of each.

        Nobody can wait for several slots at once: it looks, and less often the longer nothing comes.
        """
        words = [("XREAD", "COUNT", count, "STREAMS", name, entry) for name, entry in after.items()]
        until_s = time.monotonic() + block_ms / 1000
        while True:
            pipeline: Any = self.pipeline(transaction=False)
            with pipeline:
                for each in words:
                    pipeline.execute_command(*each)
                found = [pair for pairs in pipeline.execute() for pair in pairs or ()]
            self._pause_s = FIRST_LOOK_S if found else min(2 * self._pause_s, LOOK_EVERY_S)
            left_s = until_s - time.monotonic()
            if found or left_s <= 0:
                return found
            time.sleep(min(self._pause_s, left_s))

    def info_of_each(self, section: str) -> list[dict[str, Any]]:
        """What each master tells of itself."""

        async def ask() -> list[dict[str, Any]]:
            return [await master.info(section) for master in (await self._client.masters()).values()]

        told: list[dict[str, Any]] = self._runner.run(ask())
        return told

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """As ClusterClient.send."""
        answers: list[Any] = self._runner.run(self._client.send(commands))
        return answers

    def close(self) -> None:
        """Close the connections to all nodes, and the loop; redis-py does it again when the object goes."""
        if not self._is_closed:
            self._is_closed = True
            self._runner.run(self._client.aclose())
            self._runner.close()


class BlockingClusterPipeline(Pipeline):
    """Gathers commands as redis-py's pipelines do and lets the cluster's client send them."""

    def __init__(self, client: BlockingClusterClient, *of_redis: Any) -> None:
        super().__init__(*of_redis)
        self._client = client

    def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002  # redis-py's own signature
        """The answers in the order of the commands; the first error is raised, or all are among the answers."""
        commands, self.command_stack = self.command_stack, []
        answers = self._client.send(commands)
        return raised_first(answers) if raise_on_error else answers
