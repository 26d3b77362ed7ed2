"""A provider's list for a stretch of time, page after page, behind everything else that wants to call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.flows import FLOWS
from orchestrator.limits import heed, permitted, told_to_wait_ms
from orchestrator.list_scans import records_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from orchestrator.engine import Engine
    from orchestrator.payment import Payment
    from orchestrator.ports import CallClass, Reply

    Records = list[Mapping[str, Any]]


@dataclass(kw_only=True, slots=True)
class ListPages:
    """The list in which this payment stands, with all others of its credentials and flow.

    `is_whole` says afterwards whether it was read to its end: until an empty page, or the same one again.
    """

    of: Payment
    from_ms: int
    to_ms: int
    engine: Engine
    is_whole: bool = False

    async def read(self, call_class: CallClass, *, patience_ms: int) -> AsyncIterator[Records]:
        """Its pages; ends early where no answer is usable or a permit is waited for longer than `patience_ms`."""
        before: Records = []
        for page in range(1, self.engine.policy.scan_pages_max + 1):
            reply = await self._page(page, call_class, patience_ms)
            records = records_in(reply) if reply is not None else None
            self.is_whole = records is not None and records in ([], before)
            if not records or self.is_whole:
                return
            yield records
            before = records

    async def _page(self, page: int, call_class: CallClass, patience_ms: int) -> Reply | None:
        scan = FLOWS[self.of.flow].scan
        if scan is None:
            return None
        request = scan.request(self.of, self.from_ms, self.to_ms, page)
        waited_ms = 0
        while True:
            async with permitted(self.of.credentials, call_class, engine=self.engine) as permit_ms:
                reply = None if permit_ms else await self.engine.provider.call(request)
            if reply is not None:
                await heed(reply, request, engine=self.engine)
            wait_ms = told_to_wait_ms(reply, engine=self.engine) if reply is not None else permit_ms
            if not wait_ms:
                return reply
            waited_ms += wait_ms
            if waited_ms > patience_ms:
                return None
            await self.engine.clock.sleep(wait_ms / 1000)
