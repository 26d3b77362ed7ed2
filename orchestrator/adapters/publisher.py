"""Opens the publisher of `payments.events` that fits the broker's URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from orchestrator.adapters import topology
from orchestrator.errors import PayorchError
from orchestrator.ports import EventPublisher

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS_QUEUE_MAX = 100_000

OnSkipped = Callable[[str, int | None], None]
"""Told the name of a queue that is left out and its length, None where the name holds something else."""


class QueueMissingError(PayorchError):
    """The subscriber did not declare the queue, or keeps it to itself."""


class BrokerPublisher(EventPublisher, Protocol):
    """An event publisher over a broker, which can be away."""

    answered: bool
    """False where the last window was cut short by an outage, so that its False are no refusals."""

    error: str
    """What the last outage was, in words for a log."""

    def figures(self) -> Mapping[str, int]:
        """What it counted beside the answers."""
        ...

    def close(self) -> None:
        """Close the connection; the next publish would open a new one."""
        ...


def open_publisher(
    url: str,
    *,
    namespace: str = "",
    queue: str | None = None,
    queue_max: int = EVENTS_QUEUE_MAX,
    on_skipped: OnSkipped | None = None,
) -> BrokerPublisher:
    """Return a publisher which connects at its first window and again after each loss.

    On Redis a bound queue longer than `queue_max` is skipped and `on_skipped` is told, so that an absent subscriber
    cannot fill the memory (interface 2). With `queue` the events go to that queue alone, whatever it is bound to;
    `publish` then raises QueueMissingError where nobody has declared it, and on Redis one that is too long rejects.
    """
    if topology.is_amqp(url):
        from orchestrator.adapters.amqp_publisher import AmqpPublisher

        return AmqpPublisher(url, namespace=namespace, queue=queue)
    from orchestrator.adapters.redis_publisher import RedisPublisher

    return RedisPublisher(url, namespace=namespace, queue=queue, queue_max=queue_max, on_skipped=on_skipped)
