"""Every exchange and queue of the public interface, as kombu objects built from a namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amqp import exceptions as amqp_errors

from orchestrator.adapters.amqp_connection import close_quietly, open_connection
from orchestrator.adapters.kombu_entities import Exchange, Queue, binding
from orchestrator.errors import PayorchError

INTENT_KEYS = ("intent.requested", "intent.command")
DELIVERY_LIMIT = 1000  # broker delivery counts punish the innocent, see interface 1


class TopologyError(PayorchError):
    """A queue or exchange exists with other arguments than the interface promises."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """The names of interface 1 and 2 within one namespace; kombu entities, not bound to any channel."""

    intents_exchange: Any
    intents_queue: Any
    dead_exchange: Any
    dead_queue: Any
    events_exchange: Any
    tasks_queue: Any

    @property
    def exchanges(self) -> tuple[Any, ...]:
        """All exchanges, in the order in which they must be declared."""
        return (self.dead_exchange, self.intents_exchange, self.events_exchange)

    @property
    def queues(self) -> tuple[Any, ...]:
        """All queues: the dead letters' first, so that nothing can be dead-lettered into a void."""
        return (self.dead_queue, self.intents_queue, self.tasks_queue)


def build(namespace: str = "") -> Topology:
    """Return the topology with the namespace put literally before every name (interface 4)."""
    dead_exchange = Exchange(f"{namespace}payments.dead", type="topic", durable=True)
    intents_exchange = Exchange(f"{namespace}payments", type="topic", durable=True)
    return Topology(
        intents_exchange=intents_exchange,
        intents_queue=_intents_queue(namespace, intents_exchange, dead_exchange),
        dead_exchange=dead_exchange,
        dead_queue=_dead_queue(namespace, dead_exchange),
        events_exchange=events_exchange(namespace),
        tasks_queue=Queue(f"{namespace}payments.tasks", routing_key=f"{namespace}payments.tasks", durable=True),
    )


def events_exchange(namespace: str = "") -> Any:
    """Return the topic exchange which status events and refusals are published to (interface 2)."""
    return Exchange(f"{namespace}payments.events", type="topic", durable=True, delivery_mode="persistent")


def declare(url: str, *, namespace: str = "") -> None:
    """Declare everything idempotently; on a Redis broker there is nothing to declare.

    Raises TopologyError naming the queue and what differs, and the broker's connection errors (OSError or
    amqp's) where it cannot be reached.
    """
    if not is_amqp(url):
        return
    connection = open_connection(url)
    try:
        declare_on(connection, build(namespace))
    finally:
        close_quietly(connection)


def declare_on(connection: Any, topology: Topology) -> None:
    """Declare everything on an open AMQP connection; raises TopologyError, see `declare`."""
    for entity in (*topology.exchanges, *topology.queues):
        _declare_one(connection, entity)


def is_amqp(url: str) -> bool:
    """Tell whether a broker URL speaks AMQP."""
    return url.partition("://")[0] in {"amqp", "amqps", "pyamqp"}


def _declare_one(connection: Any, entity: Any) -> None:
    # The broker closes the channel on a refusal, so each entity is declared on its own.
    channel = connection.channel()
    try:
        bound = entity(channel)
        if isinstance(entity, Queue):
            bound.queue_declare()
            for bound_to in entity.bindings:
                channel.queue_bind(entity.name, bound_to.exchange.name, bound_to.routing_key)
        else:
            bound.declare()
    except amqp_errors.PreconditionFailed as error:
        kind = "queue" if isinstance(entity, Queue) else "exchange"
        raise TopologyError(
            f"the {kind} {entity.name!r} exists with other arguments; expected {_arguments(entity)}; "
            f"the broker says: {error.reply_text}"
        ) from error
    finally:
        if channel.is_open:
            channel.close()


def _arguments(entity: Any) -> dict[str, Any]:
    if isinstance(entity, Queue):
        return {"durable": entity.durable} | (entity.queue_arguments or {})
    return {"type": entity.type, "durable": entity.durable}


def _intents_queue(namespace: str, exchange: Any, dead_exchange: Any) -> Any:
    return Queue(
        f"{namespace}payments.intents",
        durable=True,
        bindings=[binding(exchange, routing_key=key) for key in INTENT_KEYS],
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": dead_exchange.name,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )


def _dead_queue(namespace: str, exchange: Any) -> Any:
    # Nothing follows this queue, so a broker's own default limit (20 since RabbitMQ 4.0) would drop messages.
    return Queue(
        f"{namespace}payments.dead",
        durable=True,
        bindings=[binding(exchange, routing_key="#")],
        queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": 1_000_000},
    )
