"""Who a payment is: its key, its shard, the fingerprint of what was asked."""

from __future__ import annotations

import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

DEFAULT_MERCHANT = "default"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class PaymentKey:
    """The identity of a payment everywhere: storage, commands, webhooks, events, shard."""

    merchant: str
    intent_id: str

    def __str__(self) -> str:
        """Return `merchant/intent_id`, the form used in keys, events and logs."""
        return f"{self.merchant}/{self.intent_id}"

    @classmethod
    def parse(cls, text: str) -> PaymentKey:
        """Read `merchant/intent_id`; raises ValueError where the slash is missing."""
        merchant, slash, intent_id = text.partition("/")
        if not slash:
            message = f"expected merchant/intent_id, got {text!r}"
            raise ValueError(message)
        return cls(merchant=merchant, intent_id=intent_id)


def shard_of(key: PaymentKey, *, shards: int) -> int:
    """The shard a payment lives in for ever: CRC-16/XMODEM of its key modulo the number of shards."""
    return binascii.crc_hqx(str(key).encode(), 0) % shards


def fingerprint(received: dict[str, Any]) -> str:
    """SHA-256 of the received intent: keys sorted, null the same as absent, the merchant filled in (interface 1)."""
    filled = {"merchant": DEFAULT_MERCHANT} | _without_nulls(received)
    canonical = json.dumps(filled, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
