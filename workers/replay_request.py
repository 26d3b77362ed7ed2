"""A replay as a person asks for it, and what is opened to carry it out."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.adapters import topology
from orchestrator.adapters.event_history import EventHistory
from orchestrator.adapters.publisher import open_publisher
from orchestrator.identity import DEFAULT_MERCHANT, PaymentKey
from workers.moments import moment_ms
from workers.replay import ANY_PAYMENT, Replay, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.adapters.publisher import OnSkipped
    from workers.bootstrap import Settings
    from workers.replay import Replayed


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayRequest:
    """Which events of the log, and where to; None is no limit, and the exchange."""

    since: str | None = None  # RFC 3339, or an age such as 2h
    until: str | None = None
    intent: str | None = None  # intent_id or merchant/intent_id
    merchant: str | None = None
    queue: str | None = None
    binding: str = ANY_PAYMENT

    def selection(self, *, now_ms: int) -> Selection:
        """What is meant at this moment; raises ValueError with a sentence where that is nothing."""
        since_ms = None if self.since is None else moment_ms(self.since, now_ms=now_ms)
        until_ms = None if self.until is None else moment_ms(self.until, now_ms=now_ms)
        if since_ms is not None and until_ms is not None and since_ms > until_ms:
            raise ValueError(f"{self.since} is later than {self.until}")
        return Selection(
            since_ms=since_ms,
            until_ms=until_ms,
            payment=self._payment(),
            merchant=self.merchant,
            binding=self.binding,
        )

    def _payment(self) -> PaymentKey | None:
        if self.intent is None:
            return None
        if "/" in self.intent:
            return PaymentKey.parse(self.intent)
        return PaymentKey(merchant=self.merchant or DEFAULT_MERCHANT, intent_id=self.intent)


def target_of(request: ReplayRequest, settings: Settings) -> str:
    """Where the events go to."""
    return request.queue or str(topology.events_exchange(settings.namespace).name)


@contextmanager
def opened_replay(
    settings: Settings,
    request: ReplayRequest,
    *,
    is_dry: bool = False,
    on_progress: Callable[[Replayed], None],
    on_rejected: Callable[[], None],
    on_skipped: OnSkipped,
) -> Iterator[Replay]:
    """A replay ready to run, with connections of its own; raises ValueError where the request makes no sense."""
    with ExitStack() as opened:
        history = opened.enter_context(
            closing(EventHistory.connect(settings.redis_url, namespace=settings.namespace, shards=settings.shards))
        )
        selection = request.selection(now_ms=history.now_ms())
        publisher = None
        if not is_dry:
            publisher = open_publisher(
                settings.events_url,
                namespace=settings.namespace,
                queue=request.queue,
                queue_max=settings.events_queue_max,
                on_skipped=on_skipped,
            )
            opened.callback(publisher.close)
        yield Replay(
            history,
            publisher,
            selection,
            retry_s=settings.events_retry_s,
            on_progress=on_progress,
            on_rejected=on_rejected,
        )
