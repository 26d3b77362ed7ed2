"""An audit ready to run: connections of its own, the time that the workers go by."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_inspection import RedisInspection
from workers.audit import Audit
from workers.audit_provider import ProviderAudit
from workers.audit_slices import EVENTS_AT_ONCE
from workers.bootstrap import build_engine, new_owner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from workers.audit_findings import Audited, Finding
    from workers.audit_request import AuditRequest
    from workers.bootstrap import Settings


class _Silence:
    """The journal of an audit: what it asks of the provider is nobody's news."""

    def info(self, event: str, /, **fields: object) -> None:
        """Say nothing."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Say nothing."""


@asynccontextmanager
async def opened_audit(
    settings: Settings,
    request: AuditRequest,
    *,
    on_finding: Callable[[Finding], None],
    on_progress: Callable[[Audited], None] = lambda _: None,
    events_at_once: int = EVENTS_AT_ONCE,
) -> AsyncIterator[Audit]:
    """An audit with connections of its own; raises ValueError where the request makes no sense."""
    engine = build_engine(settings, journal=_Silence(), owner=new_owner())
    client = connect(settings.redis_url)
    inspection = RedisInspection(client, namespace=settings.namespace, shards=settings.shards)
    try:
        await engine.clock.hear(client)  # type: ignore[attr-defined]  # a StoreClock, as bootstrap builds it
        yield Audit(
            engine,
            inspection,
            request.chosen(now_ms=engine.clock.now_ms()),
            events_days=settings.events_days,
            provider=ProviderAudit(engine) if request.provider else None,
            on_finding=on_finding,
            on_progress=on_progress,
            events_at_once=events_at_once,
        )
    finally:
        await inspection.close()
        adapters: tuple[Any, ...] = (engine.provider, engine.limiter, engine.store)
        for adapter in adapters:
            await adapter.close()
