"""Opens raw py-amqp connections from kombu URLs: no silent reconnect, no silent retry."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import amqp

from orchestrator.adapters.kombu_entities import Connection

CONNECT_TIMEOUT_S = 5.0

# py-amqp raises AttributeError and TypeError where a connection is lost in the middle of a read or a write.
BROKER_ERRORS: tuple[type[Exception], ...] = (OSError, amqp.exceptions.AMQPError, AttributeError, TypeError)


def open_connection(url: str, *, heartbeat_s: int = 0, **options: Any) -> Any:
    """Connect once and return py-amqp's connection; `options` are its constructor's.

    kombu's own Connection reconnects behind the caller's back, which would hide a lost window of confirms or
    deliveries. For `amqps://` the certificate must be trusted and bear the host's name. Raises OSError or amqp's
    errors where the broker cannot be reached.
    """
    parts = urlsplit(url)
    connection = Connection(
        url,
        connect_timeout=CONNECT_TIMEOUT_S,
        heartbeat=heartbeat_s,
        transport_options=options,
        ssl={"server_hostname": parts.hostname} if parts.scheme == "amqps" else False,
    )
    return connection.transport.establish_connection()


def close_quietly(connection: Any) -> None:
    """Say good-bye to the broker if it still listens; never raises for a lost connection."""
    try:
        connection.close()
    except BROKER_ERRORS:
        connection.collect()
