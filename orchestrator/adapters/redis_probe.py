"""Whether Redis takes a write, asked from outside of everything else that a process has to do with it."""

from __future__ import annotations

import contextlib

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.adapters.cluster_map import is_cluster
from orchestrator.adapters.redis_blocking import open_blocking
from orchestrator.adapters.redis_keys import RedisKeys

LIMIT_S = 2.0
KEPT_MS = 60_000


class RedisProbe:
    """Opens a connection for each question, blocks while it waits; for any thread."""

    def __init__(self, url: str, *, namespace: str, owner: str) -> None:
        self._url = url
        self._keys = RedisKeys(namespace=namespace)
        self._owner = owner

    def answers(self) -> bool:
        """Whether Redis took a write just now, each master of a cluster one; who refuses it is as good as away."""
        options = {"socket_timeout": LIMIT_S, "socket_connect_timeout": LIMIT_S, "retry": Retry(NoBackoff(), 0)}
        with contextlib.closing(open_blocking(self._url, **options)) as client:
            try:
                with client.pipeline(transaction=False) as pipeline:
                    for shard in range(self._keys.shards if is_cluster(self._url) else 1):
                        pipeline.set(self._keys.probe(shard), self._owner, px=KEPT_MS)
                    pipeline.execute()
            except (redis.RedisError, OSError):
                return False
            return True
