"""Opens the publisher of `payments.events` that fits the broker's URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from orchestrator.adapters import topology
from orchestrator.ports import EventPublisher

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS_QUEUE_MAX = 100_000


class BrokerPublisher(EventPublisher, Protocol):
    """An event publisher over a broker, which can be away."""

    answered: bool
    """False where the last window was cut short by an outage, so that its False are no refusals."""

    error: str
    """What the last outage was, in words for a log."""

    def close(self) -> None:
        """Close the connection; the next publish would open a new one."""
        ...


def open_publisher(
    url: str,
    *,
    namespace: str = "",
    queue_max: int = EVENTS_QUEUE_MAX,
    on_skipped: Callable[[str, int], None] | None = None,
) -> BrokerPublisher:
    """Return a publisher which connects at its first window and again after each loss.

    On Redis a bound queue longer than `queue_max` is skipped and `on_skipped(queue, length)` is called,
    so that an absent subscriber cannot fill the memory (interface 2).
    """
    if topology.is_amqp(url):
        from orchestrator.adapters.amqp_publisher import AmqpPublisher

        return AmqpPublisher(url, namespace=namespace)
    from orchestrator.adapters.redis_publisher import RedisPublisher

    return RedisPublisher(url, namespace=namespace, queue_max=queue_max, on_skipped=on_skipped)
