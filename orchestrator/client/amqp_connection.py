"""One py-amqp connection from a URL: nothing reconnects or retries behind the caller's back."""

from __future__ import annotations

import importlib
from typing import Any
from urllib.parse import urlsplit

import amqp

CONNECT_TIMEOUT_S = 5.0
# py-amqp raises AttributeError and TypeError where a connection is lost in the middle of a read or a write.
LOST: tuple[type[Exception], ...] = (OSError, amqp.exceptions.AMQPError, AttributeError, TypeError)
# kombu says that it is typed, while its functions are not.
_kombu: Any = importlib.import_module("kombu")


def connect(url: str) -> Any:
    """Connect once; for `amqps://` the certificate must be trusted and bear the host's name. Raises LOST."""
    parts = urlsplit(url)
    tls = {"server_hostname": parts.hostname} if parts.scheme == "amqps" else False
    connection = _kombu.Connection(url, connect_timeout=CONNECT_TIMEOUT_S, ssl=tls)
    return connection.transport.establish_connection()


def disconnect(connection: Any, *, is_lost: bool) -> None:
    """Close, or only let go of a connection that is lost."""
    if is_lost:
        connection.collect()
        return
    try:
        connection.close()
    except LOST:
        connection.collect()


def is_absent(error: Exception) -> bool:
    """Whether the broker said that the exchange or queue does not exist."""
    return isinstance(error, amqp.exceptions.NotFound)
