"""What nobody documents of the provider: each assumption of contract 4.3 as a value that an operator may correct."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How the provider is spoken to and understood where its pages leave it open."""

    card_capture_path: str = "/v2/cards/capture_payment"
    payid_status_path: str = "/v1/payment_requests/status"
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # flow -> names of reads, instead of the flow's
    not_found_http: frozenset[int] = frozenset({400, 404, 405, 422})  # the read does not know the id; proves nothing
    card_request_unit: str = "minor"  # minor | major; to be confirmed before going live (D-02)
    card_response_unit: str = "auto"  # auto | minor | major
    card_refund_unit: str | None = None  # minor | major; None: card refunds are refused until somebody confirmed it
    card_waiting_with_3ds: str = "requires_action"  # requires_action | processing (D-07)
    card_captures_itself: bool = True  # what an intent that does not say `capture` means
    gst_default: bool = False  # what an intent in AUD that does not say `gst` means (D-05)
    gateway_currency: str = "AUD"


DIALECT = Dialect()
