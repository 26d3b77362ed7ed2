"""A Redis whose Sentinels say which server is the master: `redis+sentinel://host:26379,host:26379/service/0`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from redis import sentinel as blocking
from redis.asyncio import sentinel as asynchronous

from orchestrator.errors import PayorchError

if TYPE_CHECKING:
    import redis
    import redis.asyncio

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

    sentinels: tuple[tuple[str, int], ...]
    service: str
    login: dict[str, Any]


def is_behind_sentinels(url: str) -> bool:
    """Whether the address is one of Sentinels."""
    return url.startswith(f"{SCHEME}://")


def parse(url: str) -> SentinelAddress:
    """The parts of the address; user and password are those of the master. Raises SentinelUrlError."""
    # The standard library's parsers know one host, and some versions refuse more.
    authority, _, path = url.removeprefix(f"{SCHEME}://").partition("/")
    userinfo, _, hosts = authority.rpartition("@")
    username, _, password = userinfo.partition(":")
    service, _, db = path.strip("/").partition("/")
    try:
        login = {"db": int(db or 0), "username": unquote(username) or None, "password": unquote(password) or None}
        sentinels = tuple(_host_and_port(host) for host in hosts.split(","))
    except ValueError:
        service = ""
    if not service:
        message = f"the state's Redis URL must be like {SCHEME}://host:{PORT},host:{PORT}/service/0"
        raise SentinelUrlError(message)
    return SentinelAddress(sentinels=sentinels, service=service, login=login)


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


def _host_and_port(host: str) -> tuple[str, int]:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, str(PORT)
    if not name:
        raise ValueError(host)
    return name.strip("[]"), int(port)
