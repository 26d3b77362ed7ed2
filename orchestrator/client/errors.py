"""What may go wrong between an order service and the queue; no text holds an address or a message."""

from __future__ import annotations

from orchestrator.errors import PayorchError


class ClientError(PayorchError):
    """The client could not do what was asked."""


class UnsupportedUrlError(ClientError):
    """No way in speaks the scheme of this URL."""


class NotSetUpError(ClientError):
    """The broker has no queue for intents (or no exchange for events): nothing was taken."""


class NotConfirmedError(ClientError):
    """Not every message was confirmed; sending all of them again is harmless (interface 1, *Idempotency*).

    `confirmed` is how many certainly arrived, counted from the first.
    """

    def __init__(self, text: str, *, confirmed: int = 0) -> None:
        super().__init__(text)
        self.confirmed = confirmed
