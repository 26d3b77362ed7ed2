"""Whether intents can come in and events can go out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from amqp.exceptions import NotFound
from redis.exceptions import RedisError, ResponseError

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import close_quietly, open_connection
from orchestrator.adapters.redis_connection import connect, unavailable
from workers.cli.checks import Finding
from workers.stream_intake import GROUP, STREAM

if TYPE_CHECKING:
    from workers.bootstrap import Settings

NO_CONSUMER = "nobody takes intents"
START = "start a worker: celery -A workers.app worker"
SETUP = "run `payorch setup`"


def check_broker(settings: Settings) -> list[Finding]:
    """The queue or stream of intents, and whether somebody takes from it; raises the broker's errors."""
    if topology.is_amqp(settings.broker_url):
        return _rabbitmq("broker", settings.broker_url, settings)
    return asyncio.run(_stream(settings))


def check_events(settings: Settings) -> list[Finding]:
    """The exchange of events, where it is not on the broker of the intents; raises the broker's errors."""
    if settings.events_url == settings.broker_url:
        return [Finding.ok("events", "on the same broker")]
    if topology.is_amqp(settings.events_url):
        return _rabbitmq("events", settings.events_url, settings)
    asyncio.run(_ping(settings.events_url))
    return [Finding.ok("events", "Redis answers")]


def _rabbitmq(check: str, url: str, settings: Settings) -> list[Finding]:
    names = topology.build(settings.namespace)
    connection = open_connection(url)
    try:
        product = f"{connection.server_properties.get('product')} {connection.server_properties.get('version')}"
        exchanges = {each.name: _exists(connection, each) for each in names.exchanges}
        queues = {each.name: _exists(connection, each) for each in names.queues}
        missing = [name for name, found in {**exchanges, **queues}.items() if found is None]
        if missing:
            return [Finding.wrong(check, f"{product} has no {', '.join(missing)}", SETUP)]
        # All exist: this compares their arguments, and mends a binding that was removed.
        topology.declare_on(connection, names)
    except topology.TopologyError as error:
        return [Finding.wrong(check, str(error), "empty and delete what is named here, then run `payorch setup`")]
    finally:
        close_quietly(connection)
    waiting, consumers = queues[names.intents_queue.name] or (0, 0)
    found = [Finding.ok(check, f"{product}: everything is declared as it should be")]
    if check == "broker" and not consumers:
        found.append(Finding.warning(check, f"{waiting} intents wait and {NO_CONSUMER}", START))
    elif check == "broker":
        found.append(Finding.ok(check, f"{waiting} intents wait, {consumers} workers take them"))
    return found


def _exists(connection: Any, entity: Any) -> tuple[int, int] | None:
    """Messages and consumers of a queue, zeros of an exchange; None where there is none."""
    channel = connection.channel()
    try:
        if hasattr(entity, "queue_arguments"):
            _, messages, consumers = channel.queue_declare(entity.name, passive=True)
            return int(messages), int(consumers)
        channel.exchange_declare(entity.name, entity.type, passive=True)
    except NotFound:
        return None
    else:
        return 0, 0
    finally:
        if channel.is_open:
            channel.close()


async def _stream(settings: Settings) -> list[Finding]:
    name = f"{settings.namespace}{STREAM}"
    client: Any = connect(settings.broker_url)
    try:
        length = await client.xlen(name)
        groups = {_text(group["name"]): group for group in await client.xinfo_groups(name)}
    except ResponseError:
        groups = {}
        length = 0
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    finally:
        await client.aclose()
    group = groups.get(GROUP)
    if group is None:
        return [Finding.warning("broker", f"the stream {name} has no consumer group {GROUP} yet", SETUP)]
    if not group["consumers"]:
        return [Finding.warning("broker", f"{length} intents wait in {name} and {NO_CONSUMER}", START)]
    return [Finding.ok("broker", f"{length} intents wait in {name}, {group['consumers']} workers have read it")]


async def _ping(url: str) -> None:
    client: Any = connect(url)
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    finally:
        await client.aclose()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
