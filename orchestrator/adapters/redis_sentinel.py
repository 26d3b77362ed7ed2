"""A Redis whose Sentinels say which server is the master: `redis+sentinel://host:26379,host:26379/service/0`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis import sentinel as blocking
from redis.asyncio import sentinel as asynchronous

from orchestrator.adapters.redis_hosts import read_hosts
from orchestrator.errors import PayorchError

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from orchestrator.adapters.redis_hosts import Address

_Sentinel: Any = blocking.Sentinel
_AsyncSentinel: Any = asynchronous.Sentinel

SCHEME = "redis+sentinel"
PORT = 26_379
ASK_WITHIN_S = 1.0  # a Sentinel that does not answer is passed over


class SentinelUrlError(PayorchError):
    """The address does not say which Sentinels, or which service; its text never holds the address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentinelAddress:
    """Whom to ask for which master, and how to log in there."""

    sentinels: tuple[Address, ...]
    service: str
    login: dict[str, Any]


def is_behind_sentinels(url: str) -> bool:
    """Whether the address is one of Sentinels."""
    return url.startswith(f"{SCHEME}://")


def parse(url: str) -> SentinelAddress:
    """The parts of the address; user and password are those of the master. Raises SentinelUrlError."""
    try:
        told = read_hosts(url, port=PORT)
        service, _, db = told.path.partition("/")
        login = {"db": int(db or 0), "username": told.username, "password": told.password}
    except ValueError:
        service = ""
    if not service:
        message = f"the state's Redis URL must be like {SCHEME}://host:{PORT},host:{PORT}/service/0"
        raise SentinelUrlError(message)
    return SentinelAddress(sentinels=told.hosts, service=service, login=login)


def open_client(url: str, **options: Any) -> redis.asyncio.Redis:
    """A client that asks for the master at each connection it makes, so that it follows a failover."""
    address = parse(url)
    sentinel = _AsyncSentinel(address.sentinels, sentinel_kwargs=_ASKING, **address.login, **options)
    client: redis.asyncio.Redis = sentinel.master_for(address.service)
    return client


def open_blocking_client(url: str, **options: Any) -> redis.Redis:
    """The same for callers that block."""
    address = parse(url)
    sentinel = _Sentinel(address.sentinels, sentinel_kwargs=_ASKING, **address.login, **options)
    client: redis.Redis = sentinel.master_for(address.service)
    return client


_ASKING = {"socket_timeout": ASK_WITHIN_S, "socket_connect_timeout": ASK_WITHIN_S}
