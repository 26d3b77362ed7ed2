"""Connections to Redis as the store wants them: never re-sending, bounded, quick to notice a dead peer."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from orchestrator.adapters.cluster_map import SCHEME as CLUSTER_SCHEME
from orchestrator.adapters.cluster_map import is_cluster, parse
from orchestrator.adapters.redis_cluster import ClusterClient
from orchestrator.adapters.redis_sentinel import SCHEME as SENTINEL_SCHEME
from orchestrator.adapters.redis_sentinel import is_behind_sentinels, open_client
from orchestrator.errors import PayorchError, StoreCorruptError, StoreUnavailableError

POOL_SIZE = 64
SOCKET_TIMEOUT_S = 5
POOL_WAIT_S = 5
HEALTH_CHECK_S = 15
SCHEMES = ("redis", "rediss")

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_ERROR_TEXT_LIMIT = 120
_IS_OF_WHAT_IS_STORED = re.compile(r"WRONGTYPE |user_script:\d+: ")


class UnsupportedRedisUrlError(PayorchError):
    """The state cannot live at such a URL."""


def connect(url: str) -> Redis:
    """A client for `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`; it connects at its first call.

    redis-py re-sends a command up to ten times by default; here it never does, since a script whose reply was
    lost may have run. Protocol 2 keeps the server from pushing anything between a call and its reply.

    Raises UnsupportedRedisUrlError for any other scheme; its text never holds the URL.
    """
    options: dict[str, Any] = {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK_S,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "client_name": "payorch",
    }
    if is_behind_sentinels(url):
        return open_client(url, **options)
    if is_cluster(url):
        return ClusterClient(parse(url), pool_size=POOL_SIZE, pool_wait_s=POOL_WAIT_S, **options)
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        allowed = " or ".join(f"{each}://" for each in (*SCHEMES, SENTINEL_SCHEME, CLUSTER_SCHEME))
        message = f"the state's Redis URL must start with {allowed}, not {scheme or 'nothing'}://"
        raise UnsupportedRedisUrlError(message)
    pool = BlockingConnectionPool.from_url(url, max_connections=POOL_SIZE, timeout=POOL_WAIT_S, **options)
    return Redis.from_pool(pool)


def unavailable(error: Exception) -> StoreUnavailableError:
    """What the callers see of any failure of Redis: its kind and code, never an argument or an address."""
    kind = type(error).__name__
    if isinstance(error, RedisConnectionError | RedisTimeoutError | OSError):
        return StoreUnavailableError(f"Redis did not answer ({kind})")
    return StoreUnavailableError(f"Redis refused the call ({kind}): {_shown(error)}")


def store_error(error: Exception) -> StoreUnavailableError | StoreCorruptError:
    """Which failure it is: of Redis, so that the call may be made again, or of what is stored, which stays as it is.

    A script ends by itself only where a name holds something else than it should.
    """
    if isinstance(error, ResponseError) and _IS_OF_WHAT_IS_STORED.match(str(error)):
        return StoreCorruptError(f"what is stored is not what it should be: {_shown(error)}")
    return unavailable(error)


def _shown(error: Exception) -> str:
    return _QUOTED.sub("'…'", str(error).partition("\n")[0])[:_ERROR_TEXT_LIMIT]
