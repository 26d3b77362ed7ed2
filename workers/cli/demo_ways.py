"""The ways in that the demo uses: the client of order services, and Celery's send_task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from celery import Celery

from orchestrator.adapters import topology
from orchestrator.client import IntentClient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from workers.cli.demo_model import Order
    from workers.cli.stack_settings import StackSettings

INTENT_TASK = "payments.submit"
COMMAND_TASK = "payments.command"


class Ways:
    """Sends intents and commands; a context manager."""

    def __init__(self, settings: StackSettings) -> None:
        self._client = IntentClient(settings.broker_url, namespace=settings.namespace)
        self._queue: Any = topology.build(settings.namespace).tasks_queue
        self._celery: Any = Celery("payorch-demo", broker=settings.broker_url, set_as_current=False)
        self._celery.conf.update(
            task_queues=[self._queue],
            task_ignore_result=True,
            broker_transport_options={"confirm_publish": True} if topology.is_amqp(settings.broker_url) else {},
        )

    def submit(self, orders: list[Order]) -> None:
        """Each payment by its way."""
        # The stream first: a link that is to lapse has only seconds, and Celery takes one to begin.
        self._client.submit_many(order.intent for order in orders if not order.as_task)
        for order in orders:
            if order.as_task:
                self._send_task(INTENT_TASK, intent=dict(order.intent))

    def send(self, intent: Mapping[str, Any]) -> None:
        """A message that is no payment of the run: bad, repeated or conflicting."""
        self._client.submit(intent)

    def command(self, name: str, order: Order, *, command_id: str, **fields: str) -> None:
        """A command for a payment, by the way that its intent took."""
        if order.as_task:
            who = {"command": name, "intent_id": order.intent_id, "command_id": command_id}
            self._send_task(COMMAND_TASK, command={**who, **fields})
        else:
            self._client.command(name, order.intent_id, command_id=command_id, **fields)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._celery.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send_task(self, name: str, **arguments: Any) -> None:
        self._celery.send_task(name, kwargs=arguments, queue=self._queue.name)
