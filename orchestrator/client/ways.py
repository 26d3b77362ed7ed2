"""Which way in speaks which URL; the library of the other is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from orchestrator.client.errors import UnsupportedUrlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.client.message import Message
    from orchestrator.client.until import Wanted

REDIS_SCHEMES = ("redis", "rediss")
AMQP_SCHEMES = ("amqp", "amqps")


class Way(Protocol):
    """A blocking way in."""

    def send(self, messages: Sequence[Message]) -> None: ...
    def listen(self, merchant: str) -> None: ...
    def wait(self, wanted: Wanted) -> dict[str, Any]: ...
    def close(self) -> None: ...


class AsyncWay(Protocol):
    """A way in for an event loop."""

    async def send(self, messages: Sequence[Message]) -> None: ...
    async def listen(self, merchant: str) -> None: ...
    async def wait(self, wanted: Wanted) -> dict[str, Any]: ...
    async def close(self) -> None: ...


def way(url: str, *, namespace: str) -> Way:
    """The blocking way; connects when it is used first. Raises UnsupportedUrlError, which shows no URL."""
    if _is_redis(url):
        from orchestrator.client.redis_way import RedisWay

        return RedisWay(url, namespace=namespace)
    from orchestrator.client.amqp_way import AmqpWay

    return AmqpWay(url, namespace=namespace)


def async_way(url: str, *, namespace: str) -> AsyncWay:
    """The way for an event loop; connects when it is used first. Raises UnsupportedUrlError."""
    if _is_redis(url):
        from orchestrator.client.redis_way import AsyncRedisWay

        return AsyncRedisWay(url, namespace=namespace)
    from orchestrator.client.amqp_way import AsyncAmqpWay

    return AsyncAmqpWay(url, namespace=namespace)


def _is_redis(url: str) -> bool:
    scheme = urlsplit(url).scheme
    if scheme not in (*REDIS_SCHEMES, *AMQP_SCHEMES):
        allowed = ", ".join(f"{each}://" for each in (*AMQP_SCHEMES, *REDIS_SCHEMES))
        raise UnsupportedUrlError(f"a client's URL must start with one of {allowed}")
    return scheme in REDIS_SCHEMES
