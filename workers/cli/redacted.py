"""The body of a refused message as it may be shown: its shape, and values under harmless names only."""

from __future__ import annotations

import json
import re
from typing import Any

from orchestrator.card_numbers import mask_text
from workers.cli.screen import MASK

DEPTH_MAX = 32
# What helps to find the mistake, and is neither a secret nor a person.
_SHOWN = frozenset(
    (
        *("intent_id", "merchant", "amount_minor", "currency", "type", "payin_method_name", "capture", "gst"),
        *("expires_at", "send_within_s", "command", "command_id", "refund_id", "quantity", "price_minor"),
        *("specversion",),
    )
)
_HARMLESS = re.compile(r"[A-Za-z0-9_.:+-]{0,64}")


def redacted_body(body: bytes) -> Any:
    """The JSON with all but a few values masked, or how long it is where it is no JSON."""
    try:
        return _redacted(json.loads(body), "", 0)
    except (ValueError, RecursionError):
        return f"({len(body)} bytes that are no JSON)"


def _redacted(value: Any, name: str, depth: int) -> Any:
    if depth > DEPTH_MAX:
        return MASK
    if isinstance(value, dict):
        return {mask_text(str(key))[:80]: _redacted(item, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item, name, depth + 1) for item in value]
    return value if name in _SHOWN and _is_harmless(value) else MASK


def _is_harmless(value: Any) -> bool:
    text = str(value)
    return bool(_HARMLESS.fullmatch(text)) and mask_text(text) == text and not text.startswith("tok_")
