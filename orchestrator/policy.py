"""The tunable numbers of the engine, as one value: schedules, deadlines, graces."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.dialect import DIALECT, Dialect
from orchestrator.statuses import Reason, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.identity import PaymentKey

DAY_S = 86_400
HOUR_S = 3_600


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When to look again: these gaps one after another, then every `then_s`."""

    gaps_s: tuple[int, ...]
    then_s: int

    def gap_s(self, looks: int) -> int:
        """The gap before look number `looks` (from 0)."""
        return self.gaps_s[looks] if looks < len(self.gaps_s) else self.then_s


WAITING = Schedule(gaps_s=(60, 300, 900, 1800, 3600), then_s=HOUR_S)
DAILY = Schedule(gaps_s=(), then_s=DAY_S)


@dataclass(frozen=True, kw_only=True, slots=True)
class Looks:
    """How often one merchant's payments are looked at."""

    waiting: Schedule
    daily: Schedule


CONFIRMING = Schedule(gaps_s=(0, 5, 15, 30), then_s=60)
SCANNING = Schedule(gaps_s=(0, 15, 30, 60, 300, 900), then_s=HOUR_S)
DAILY_STATES = frozenset(
    {
        (Status.PROCESSING, Reason.SETTLING),
        (Status.PROCESSING, Reason.AMOUNT_REVIEW),
        (Status.REFUND_PENDING, None),
        (Status.DISPUTED, None),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How the engine behaves; built once at the start from the settings."""

    lease_ms: int = 10_000
    call_total_ms: int = 40_000
    grace_ms: int = 60_000  # from the lost call's deadline until absence counts for anything
    # Flows whose lost creates may be sent once more where their own rules allow it; a card never is.
    recreated_flows: frozenset[str] = frozenset({"payin", "gateway_link", "payid"})
    payid_own_mailboxes: frozenset[str] = frozenset()  # a PayID mailed only there may be created again
    scan_window_ms: int = 900_000  # either side of the moment of sending
    scan_pages_max: int = 500
    in_doubt_aged_ms: int = DAY_S * 1000
    unsent_backoff_ms: tuple[int, ...] = (1_000, 2_000, 5_000, 15_000, 30_000)
    unauthorised_pause_ms: int = 30_000
    min_left_at_send_ms: Mapping[str, int] = field(default_factory=lambda: {"payin": 960_000, "payid": 960_000})
    stale_after_ms: Mapping[str, int] = field(default_factory=lambda: {"card": DAY_S * 1000, "payin": 2 * DAY_S * 1000})
    unsettled_after_ms: int = 21 * DAY_S * 1000  # cards settle within 14 days, refunds lapse after 10 (T-23)
    link_ttl_ms: int = DAY_S * 1000  # a gateway link without a deadline of its own
    pay_code_overdue_ms: int = 1_800_000
    polling: bool = True
    waiting: Schedule = WAITING
    daily: Schedule = DAILY
    confirming: Schedule = CONFIRMING
    scanning: Schedule = SCANNING
    tail_ms: int = 2 * DAY_S * 1000  # how long after its deadline an expired payment is still looked at
    confirm_success_by_read: bool = True
    waiting_is_success: bool = False
    dialect: Dialect = DIALECT
    authorisation_aged_ms: int = 5 * DAY_S * 1000  # an authorisation not captured for so long gets a review
    allow_http_actions: bool = False  # http URLs in next_action, for sandboxes only
    looks: Mapping[str, Looks] = field(default_factory=dict)  # of merchants that have their own

    def of(self, merchant: str) -> Policy:
        """The policy for a merchant's payments."""
        own = self.looks.get(merchant)
        return self if own is None else replace(self, waiting=own.waiting, daily=own.daily)


def spread_ms(key: PaymentKey, *, salt: int, up_to_ms: int) -> int:
    """A jitter that differs between payments and looks but is always the same for one: runs are repeatable."""
    if up_to_ms <= 0:
        return 0
    digest = hashlib.blake2b(f"{key}:{salt}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % up_to_ms
