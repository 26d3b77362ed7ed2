"""Whether Redis takes a write, asked from outside of everything else that a process has to do with it."""

from __future__ import annotations

import contextlib
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.adapters.redis_sentinel import is_behind_sentinels, open_blocking_client

LIMIT_S = 2.0
KEPT_MS = 60_000


class RedisProbe:
    """Opens a connection for each question, blocks while it waits; for any thread."""

    def __init__(self, url: str, *, namespace: str, owner: str) -> None:
        self._url = url
        self._words = ("SET", RedisKeys(namespace=namespace).probe, owner, "PX", KEPT_MS)

    def answers(self) -> bool:
        """Whether Redis took a write just now; one that refuses writes is as good as away."""
        options = {"socket_timeout": LIMIT_S, "socket_connect_timeout": LIMIT_S, "retry": Retry(NoBackoff(), 0)}
        open_ = open_blocking_client if is_behind_sentinels(self._url) else redis.Redis.from_url
        client: Any = open_(self._url, **options)
        with contextlib.closing(client):
            try:
                client.execute_command(*self._words)
            except (redis.RedisError, OSError):
                return False
            return True
