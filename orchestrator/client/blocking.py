"""IntentClient: submit payments and wait for what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from orchestrator.client.errors import NotConfirmedError
from orchestrator.client.message import command_message, intent_message, windows
from orchestrator.client.until import wanted
from orchestrator.client.ways import way
from orchestrator.identity import DEFAULT_MERCHANT, PaymentKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType


class IntentClient:
    """A producer of intents and commands (interface 1); may be shared by threads.

    `url` is the broker's: `amqp(s)://` or `redis(s)://`. `events_url` says where to wait for events if that
    is elsewhere; a Redis URL there means the event log, which misses nothing. A context manager.
    """

    def __init__(self, url: str, *, namespace: str = "", events_url: str | None = None) -> None:
        """Connects at the first call; raises UnsupportedUrlError."""
        self._way = way(url, namespace=namespace)
        self._events = self._way if events_url in {None, url} else way(str(events_url), namespace=namespace)

    def submit(self, intent: Mapping[str, object]) -> None:
        """Send one intent; when this returns, the queue has it on its disk, as far as it is set up so.

        The intent is not validated here: a bad one is refused by the worker, with an event. May be called
        again with the same intent at any time: nothing happens twice. Raises ValueError or TypeError if it
        is not JSON, NotSetUpError, NotConfirmedError.
        """
        self._way.send([intent_message(intent)])

    def submit_many(self, intents: Iterable[Mapping[str, object]]) -> int:
        """Send many, confirmed in windows; returns how many. Raises as `submit`.

        NotConfirmedError says how many were certainly taken; all may be sent again.
        """
        sent = 0
        for window in windows(map(intent_message, intents)):
            try:
                self._way.send(window)
            except NotConfirmedError as error:
                error.confirmed += sent
                raise
            sent += len(window)
        return sent

    def command(
        self,
        name: str,
        intent_id: str,
        *,
        command_id: str,
        merchant: str = DEFAULT_MERCHANT,
        **fields: object,
    ) -> None:
        """Send `capture`, `cancel`, `confirm_otp` (`code`) or `refund` (`refund_id`, `amount_minor`, `reason`).

        Idempotent by `command_id`. Raises as `submit`.
        """
        message = command_message(name, intent_id, merchant=merchant, command_id=command_id, fields=fields)
        self._way.send([message])

    def listen(self, merchant: str = DEFAULT_MERCHANT) -> None:
        """On RabbitMQ, call it before `submit`, so that `wait` misses nothing; on Redis it does nothing."""
        self._events.listen(merchant)

    def wait(
        self,
        merchant: str,
        intent_id: str,
        until: str = "next_action",
        timeout: float = 30.0,
    ) -> dict[str, Any]:
        """The data of an event of this payment (interface 2), of those so far the newest which meets `until`.

        `until`: `next_action` (something for the customer to do, or a final status instead), `final`, or a
        status. On RabbitMQ only events since `listen` are seen. Raises TimeoutError after `timeout` seconds,
        ValueError for another `until`, ClientError where the events cannot be read.
        """
        key = PaymentKey(merchant=merchant, intent_id=intent_id)
        return self._events.wait(wanted(key, until, timeout))

    def close(self) -> None:
        """Close the connections."""
        self._way.close()
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
