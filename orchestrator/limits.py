"""Permits before a call, and what a reply means for more than its payment: credentials, limits, outages."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from orchestrator.errors import StoreUnavailableError
from orchestrator.held import until_answered
from orchestrator.outcome import MISCONFIGURED, Verdict, verdict_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orchestrator.engine import Engine
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import CallClass, ProviderRequest, Reply

RETRY_AFTER_DEFAULT_S = 5
PAUSE_MIN_S = 1  # also where the provider does not say how long
PAUSE_MAX_S = 300  # whatever the provider says, somebody asks again after so long

# Answers that are for all calls with these credentials, and the reason of the pause.
_PAUSES = {401: "unauthorised", 429: "rate_limited", 503: "unavailable"}
_NEVER_TRIED = frozenset({"too_late", "no_permit", "no_access_token"})


async def permit(account: str, call_class: CallClass, *, engine: Engine) -> int:
    """0 where a call may be made now, else milliseconds to wait; asked until the limiter answers (I10)."""
    return await until_answered(lambda: engine.limiter.permit(account, call_class), engine=engine)


@asynccontextmanager
async def permitted(account: str, call_class: CallClass, *, engine: Engine) -> AsyncIterator[int]:
    """A permit, as `permit` gives it, for the call that is made meanwhile."""
    wait_ms = await permit(account, call_class, engine=engine)
    try:
        yield wait_ms
    finally:
        if not wait_ms:
            engine.limiter.ended(account)


async def heed(
    reply: Reply, request: ProviderRequest, *, engine: Engine, key: PaymentKey | None = None, pause: bool = True
) -> None:
    """Tell what came of a call; pause the account that the provider does not want to hear; move its breaker."""
    engine.journal.info(
        "provider.replied",
        payment=str(key) if key else None,
        operation=request.operation,
        http_status=reply.http_status,
        sent=reply.sent,
        verdict=str(verdict_of(reply)),
        error=reply.error,
    )
    if reply.http_status in MISCONFIGURED and request.method == "POST":
        engine.journal.warning("provider.misconfigured", operation=request.operation, http_status=reply.http_status)
    pause_ms = _pause_ms(reply, engine)
    try:
        if pause_ms and pause:
            await _pause(request.credentials, pause_ms, _PAUSES[reply.http_status or 0], engine)
        if reply.error not in _NEVER_TRIED:
            await _tell_breaker(request.credentials, reply, engine)
    except StoreUnavailableError:
        engine.journal.warning("merchant.not_shared", merchant=request.credentials, http_status=reply.http_status)


async def _pause(account: str, pause_ms: int, reason: str, engine: Engine) -> None:
    """No payment fails for it: the account's calls wait, and resume alone."""
    engine.journal.warning("merchant.paused", merchant=account, reason=reason, for_ms=pause_ms)
    await engine.limiter.pause(account, for_ms=pause_ms, reason=reason)


async def _tell_breaker(account: str, reply: Reply, engine: Engine) -> None:
    """An outage is that nothing is connected, nothing is answered in time, or only that the server failed."""
    is_alive = reply.http_status is not None and reply.http_status // 100 != 5
    turn = await engine.limiter.outcome(account, is_alive=is_alive)
    if turn is not None:
        engine.journal.warning(f"merchant.breaker_{turn}", merchant=account)


def _pause_ms(reply: Reply, engine: Engine) -> int:
    """How long nobody may call with these credentials; 0 where the reply was for its payment only."""
    if not reply.sent or reply.http_status not in _PAUSES:
        return 0
    if reply.http_status == 401:
        return engine.policy.unauthorised_pause_ms
    if reply.retry_after_s is None and reply.http_status == 503:
        return 0
    return min(max(reply.retry_after_s or 0, PAUSE_MIN_S), PAUSE_MAX_S) * 1000


def told_to_wait_ms(reply: Reply, *, engine: Engine) -> int:
    """How long the provider wants no call of this account's; 0 where it says nothing of the kind."""
    pause_ms = _pause_ms(reply, engine)
    if verdict_of(reply) is not Verdict.NOT_EXECUTED:
        return pause_ms
    return max(pause_ms, (reply.retry_after_s or RETRY_AFTER_DEFAULT_S) * 1000)
