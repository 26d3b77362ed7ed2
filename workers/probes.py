"""While a breaker is open: somebody asks the provider for a sign of life, as often as the breaker lets them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from orchestrator.probe import probe

if TYPE_CHECKING:
    from orchestrator.engine import Engine

log = structlog.get_logger(__name__)


class Probes:
    """One probe of an account at a time, each as long as a call takes; belongs to one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def begin(self) -> None:
        """To be called again and again; begins what is not under way."""
        for account in self._engine.limiter.broken():
            if account not in self._under_way:
                self._under_way[account] = asyncio.create_task(self._probe(account))

    async def stop(self) -> None:
        """Cut off what is under way: nothing comes of it but a look."""
        probing = [*self._under_way.values()]
        for each in probing:
            each.cancel()
        await asyncio.gather(*probing, return_exceptions=True)

    async def _probe(self, account: str) -> None:
        try:
            await probe(account, engine=self._engine)
        except Exception:
            log.exception("merchant.probe_failed", merchant=account)
        finally:
            del self._under_way[account]
