"""Connections to Redis as the store wants them: never re-sending, bounded, quick to notice a dead peer."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from orchestrator.errors import PayorchError, StoreUnavailableError

POOL_SIZE = 64
SOCKET_TIMEOUT_S = 5
POOL_WAIT_S = 5
HEALTH_CHECK_S = 15
SCHEMES = ("redis", "rediss")

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_ERROR_TEXT_LIMIT = 120


class UnsupportedRedisUrlError(PayorchError):
    """The state cannot live at such a URL."""


def connect(url: str) -> Redis:
    """A client for `redis://` or `rediss://`; connects at its first call, values stay bytes.

    redis-py re-sends a command up to ten times by default; here it never does, since a script whose reply was
    lost may have run. Protocol 2 keeps the server from pushing anything between a call and its reply.

    Raises UnsupportedRedisUrlError for any other scheme; its text never holds the URL.
    """
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        message = f"the state's Redis URL must start with redis:// or rediss://, not {scheme or 'nothing'}://"
        raise UnsupportedRedisUrlError(message)
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=POOL_SIZE,
        timeout=POOL_WAIT_S,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        socket_keepalive=True,
        health_check_interval=HEALTH_CHECK_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        client_name="payorch",
    )
    return Redis.from_pool(pool)


def unavailable(error: Exception) -> StoreUnavailableError:
    """What the callers see of any failure of Redis: its kind and code, never an argument or an address."""
    kind = type(error).__name__
    if isinstance(error, RedisConnectionError | RedisTimeoutError | OSError):
        return StoreUnavailableError(f"Redis did not answer ({kind})")
    words = _QUOTED.sub("'…'", str(error).partition("\n")[0])[:_ERROR_TEXT_LIMIT]
    return StoreUnavailableError(f"Redis refused the call ({kind}): {words}")
