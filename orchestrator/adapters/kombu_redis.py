"""kombu's Redis transport, kept from ending the process when Redis goes away.

With kombu 5.7 a channel that is closed after its transport lost its client asks that client for a host name:
AttributeError, which Celery takes for unrecoverable, so one unacknowledged message and a restart of Redis end
the worker. Here the same moment is a ConnectionError, which kombu and Celery know how to survive.
"""

from __future__ import annotations

from typing import Any

import redis
from kombu.exceptions import KombuError
from kombu.transport import TRANSPORT_ALIASES

from orchestrator.adapters.kombu_entities import Connection, RedisChannel, RedisTransport

TRANSPORT = "orchestrator.adapters.kombu_redis:Transport"
SOCKET_TIMEOUT_S = 5.0


class Channel(RedisChannel):
    """A channel that says it is disconnected instead of failing on its missing client."""

    def _connparams(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002  (kombu's signature)
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("the channel's connection is closed")
        return super()._connparams(asynchronous=asynchronous)


class Transport(RedisTransport):
    """kombu's Redis transport with the guarded channel."""

    Channel = Channel


def open_channel(url: str, *, transport: type[Any] = Transport) -> Any:
    """Connect once and return a channel with bounded waits; raises redis's errors. End it with `close`."""
    connection = Connection(
        url,
        transport=transport,
        transport_options={
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": SOCKET_TIMEOUT_S,
            "socket_keepalive": True,
        },
    )
    opened = connection.transport
    return opened.create_channel(opened)


def close(channel: Any) -> None:
    """Hand back what was not acknowledged and close the sockets; never raises for a lost connection."""
    try:
        channel.connection.close_connection(channel.connection)
    except (OSError, redis.RedisError, KombuError):
        # Its sockets are gone with the server; the pools close what is left.
        channel._disconnect_pools()  # noqa: SLF001


def install() -> None:
    """Let every `redis://` and `rediss://` URL of this process use the guarded transport.

    Call before the first connection: kombu remembers the class it found for a scheme.
    """
    TRANSPORT_ALIASES.update({"redis": TRANSPORT, "rediss": TRANSPORT})
