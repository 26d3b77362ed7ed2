"""Permits before a call, and what a reply means for more than its payment: credentials, configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import StoreUnavailableError
from orchestrator.held import until_answered
from orchestrator.outcome import MISCONFIGURED, Verdict, verdict_of

if TYPE_CHECKING:
    from orchestrator.engine import Engine
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import CallClass, ProviderRequest, Reply

RETRY_AFTER_DEFAULT_S = 5


async def permit(merchant: str, call_class: CallClass, *, engine: Engine) -> int:
    """0 where a call may be made now, else milliseconds to wait; asked until the limiter answers (I10)."""
    return await until_answered(lambda: engine.limiter.permit(merchant, call_class), engine=engine)


async def heed(reply: Reply, request: ProviderRequest, key: PaymentKey, *, engine: Engine, pause: bool = True) -> None:
    """Tell what came of a call; pause the merchant whose credentials are not accepted."""
    verdict = verdict_of(reply)
    engine.journal.info(
        "provider.replied",
        payment=str(key),
        operation=request.operation,
        http_status=reply.http_status,
        sent=reply.sent,
        verdict=str(verdict),
        error=reply.error,
    )
    if reply.http_status in MISCONFIGURED and request.method == "POST":
        engine.journal.warning("provider.misconfigured", operation=request.operation, http_status=reply.http_status)
    if verdict is Verdict.UNAUTHORISED and pause:
        await _pause(key.merchant, engine)


async def _pause(merchant: str, engine: Engine) -> None:
    """No payment fails for want of credentials: the merchant's calls wait, and resume alone."""
    pause_ms = engine.policy.unauthorised_pause_ms
    engine.journal.warning("merchant.paused", merchant=merchant, reason="unauthorised", for_ms=pause_ms)
    try:
        await engine.limiter.pause(merchant, for_ms=pause_ms, reason="unauthorised")
    except StoreUnavailableError:
        engine.journal.warning("merchant.pause_not_shared", merchant=merchant)


def told_to_wait_ms(reply: Reply, *, engine: Engine) -> int:
    """How long the provider wants no call of this merchant's; 0 where it says nothing of the kind."""
    verdict = verdict_of(reply)
    if verdict is Verdict.UNAUTHORISED:
        return engine.policy.unauthorised_pause_ms
    if verdict is Verdict.NOT_EXECUTED:
        return (reply.retry_after_s or RETRY_AFTER_DEFAULT_S) * 1000
    return 0
