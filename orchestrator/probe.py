"""Asking a provider that is away for a sign of life: a read that harms nothing, never a create."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.flows.payin import list_page
from orchestrator.limits import heed, permitted
from orchestrator.ports import CallClass

if TYPE_CHECKING:
    from orchestrator.engine import Engine

PERIOD_MS = 60_000


async def probe(account: str, *, engine: Engine) -> None:
    """Read a page of the payins of the last minute, if a look is permitted; the reply moves the breaker."""
    async with permitted(account, CallClass.LOOK, engine=engine) as wait_ms:
        if wait_ms:
            return
        now_ms = engine.clock.now_ms()
        request = replace(list_page(account, now_ms - PERIOD_MS, now_ms, 1), operation="probe")
        reply = await engine.provider.call(request)
    await heed(reply, request, engine=engine)
