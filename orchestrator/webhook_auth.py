"""The address and the Authorization handed to the provider for each attempt, and their verification (interface 3)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.flows.common import Notification

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey

SCHEME = "po1"
PATH = "/webhooks/hello-clever"


@dataclass(frozen=True, slots=True, repr=False)
class WebhookAuth:
    """Signs with the first secret and verifies with all; nothing is stored, so a webhook may overtake our write."""

    base_url: str
    secrets: tuple[str, ...]

    def notification(self, key: PaymentKey, attempt: int) -> Notification:
        """What is handed to the provider with the create of this attempt."""
        return Notification(
            endpoint_url=f"{self.base_url.rstrip('/')}{PATH}/{key}/{attempt}",
            authorization=authorization(self.secrets[0], key, attempt),
        )

    def verifies(self, key: PaymentKey, attempt: int, header: str) -> bool:
        """Whether the header is the one of this payment and attempt; takes the same time whatever is wrong."""
        given = header.encode("utf-8", "surrogateescape")
        matches = [hmac.compare_digest(given, authorization(secret, key, attempt).encode()) for secret in self.secrets]
        return any(matches)


def authorization(secret: str, key: PaymentKey, attempt: int) -> str:
    """`po1.<kid>.<base64url(HMAC-SHA256(key, "po1/<merchant>/<intent_id>/<attempt>"))>`, without padding."""
    secret_key = secret.encode()
    key_id = hashlib.sha256(secret_key).hexdigest()[:8]
    digest = hmac.new(secret_key, f"{SCHEME}/{key}/{attempt}".encode(), hashlib.sha256).digest()
    return f"{SCHEME}.{key_id}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
