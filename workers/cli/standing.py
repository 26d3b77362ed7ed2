"""A stored payment as its next owner will find it, and waiting until an owner has done what was asked."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.absorb import absorb
from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.store_clock import StoreClock
from orchestrator.codec import decode
from orchestrator.doubt import abandoned
from orchestrator.errors import StoreUnavailableError
from workers.cli.screen import complain

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.adapters.redis_store import RedisStore
    from orchestrator.identity import PaymentKey
    from orchestrator.payment import Payment
    from orchestrator.policy import Policy
    from orchestrator.ports import Clock, Record
    from workers.bootstrap import Settings

ASK_EVERY_S = 0.1
HAND_BACK_S = 5.0  # what was asked is done; so long its consequences are waited for
QUIET_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A payment as stored, with all that was said of it since."""

    record: Record
    payment: Payment


async def open_clock(settings: Settings) -> StoreClock:
    """The time that the workers go by; raises StoreUnavailableError."""
    clock, client = StoreClock(), connect(settings.redis_url)
    try:
        await clock.hear(client)
    finally:
        await client.aclose()
    return clock


def standing_of(record: Record, *, policy: Policy, now_ms: int) -> Standing:
    """What the payment's next owner will find; raises StoreCorruptError."""
    stored = decode(record.body)
    opened = stored if _is_owned(record, now_ms) else abandoned(stored, now_ms=now_ms)
    absorbed = absorb(opened, record.observations, policy=policy, now_ms=now_ms)
    return Standing(record=record, payment=absorbed.payment)


async def wait_until(
    key: PaymentKey, is_done: Callable[[Payment], bool], *, store: RedisStore, clock: Clock, until_s: float
) -> Record | None:
    """The record in which it is done, and at best handed back by its owner; None where the time is over before.

    `until_s` is on the monotonic clock. Redis may be away meanwhile.
    """
    done: Record | None = None
    while time.monotonic() < until_s:
        try:
            record = await store.load(key)
        except StoreUnavailableError:
            record = None
        if record is not None and is_done(decode(record.body)):
            if done is None:
                until_s = min(until_s, time.monotonic() + HAND_BACK_S)
            done = record
            if not _is_owned(record, clock.now_ms()) and not record.observations:
                break
        await asyncio.sleep(ASK_EVERY_S)
    return done


async def say_if_it_takes_long(what: str) -> None:
    """A line on standard error after a second; to be cancelled when it is over."""
    await asyncio.sleep(QUIET_S)
    complain(f"waiting {what} …")


def _is_owned(record: Record, now_ms: int) -> bool:
    return record.owner is not None and (record.owned_until_ms or 0) > now_ms
