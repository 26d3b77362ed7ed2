"""How order services reach payorch from Python; ships alone as `payorch-client` (interface 1)."""

from orchestrator.client.asynchronous import AsyncIntentClient
from orchestrator.client.blocking import IntentClient
from orchestrator.client.errors import ClientError, NotConfirmedError, NotSetUpError, UnsupportedUrlError

__all__ = [
    "AsyncIntentClient",
    "ClientError",
    "IntentClient",
    "NotConfirmedError",
    "NotSetUpError",
    "UnsupportedUrlError",
]
