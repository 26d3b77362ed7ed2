"""What a merchant asks for, once it has passed the provider's checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.methods import Method


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """Where changes are announced and the string that goes into `Authorization` there."""

    endpoint_url: str = ""
    authorization_header: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class PayinOrder:
    """A valid create call of a payin."""

    method: Method
    amount_minor: int
    gst: bool
    name: str
    email: str
    external_id: str
    description: str
    notification: Notification
    expires_at: datetime | None
    return_url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CardOrder:
    """A valid create call of a card payment."""

    amount_minor: int
    currency: str
    token_id: str
    token_type: str
    external_id: str
    return_url: str
    notification: Notification


@dataclass(frozen=True, kw_only=True, slots=True)
class PayidOrder:
    """A valid create call of a one-time PayID."""

    amount_minor: int
    gst: bool
    name: str
    emails: str
    description: str
    prefix: str
    external_id: str
    notification: Notification
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkOrder:
    """A valid create call of a payment gateway link."""

    order_id: str
    amount_minor: int
    description: str
    name: str
    email: str
    success_url: str
    notification: Notification


def text_of(body: Mapping[str, object], key: str) -> str:
    """Return a text field, empty if it is missing, null or no text."""
    value = body.get(key)
    return value.strip() if isinstance(value, str) else ""
