"""kombu's Redis transport, kept from ending the process when Redis goes away.

With kombu 5.7 a channel that is closed after its transport lost its client asks that client for a host name:
AttributeError, which Celery takes for unrecoverable, so one unacknowledged message and a restart of Redis end
the worker. Here the same moment is a ConnectionError, which kombu and Celery know how to survive.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from redis.exceptions import ConnectionError as RedisConnectionError

from orchestrator.adapters.kombu_entities import RedisChannel, RedisTransport

TRANSPORT = "orchestrator.adapters.kombu_redis:Transport"


class Channel(RedisChannel):
    """A channel that says it is disconnected instead of failing on its missing client."""

    def _connparams(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002  (kombu's signature)
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("the channel's connection is closed")
        return super()._connparams(asynchronous=asynchronous)


class Transport(RedisTransport):
    """kombu's Redis transport with the guarded channel."""

    Channel = Channel


def install() -> None:
    """Let every `redis://` and `rediss://` URL of this process use the guarded transport.

    Call before the first connection: kombu remembers the class it found for a scheme.
    """
    TRANSPORT_ALIASES.update({"redis": TRANSPORT, "rediss": TRANSPORT})
