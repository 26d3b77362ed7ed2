"""`payorch setup`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer
from redis.exceptions import RedisError

from orchestrator.adapters import topology
from orchestrator.adapters.redis_connection import connect, unavailable
from workers.bootstrap import build_settings, open_store
from workers.cli.options import AsJson, examples
from workers.cli.screen import say, say_json
from workers.stream_intake import GROUP, STREAM, ensure_group

if TYPE_CHECKING:
    from workers.bootstrap import Settings

EXAMPLES = examples(
    "payorch setup",
    "PAYORCH_NAMESPACE=staging. payorch setup",
)
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog=EXAMPLES)
def setup(as_json: AsJson = False) -> None:
    """Declare queues, streams and exchanges; may be run again at any time.

    Run it before the first producer: a message to an exchange without its queue is lost.
    """
    settings = build_settings()
    done = [asyncio.run(_state(settings)), _intake(settings)]
    if settings.events_url != settings.broker_url:
        done.append(_events(settings))
    if as_json:
        say_json({"done": done})
        return
    for line in done:
        say(f"ok  {line}")


async def _state(settings: Settings) -> str:
    store = open_store(settings)
    try:
        await store.ensure_shards()
    finally:
        await store.close()
    return f"Redis holds payments in {settings.shards} shards"


def _intake(settings: Settings) -> str:
    if topology.is_amqp(settings.broker_url):
        topology.declare(settings.broker_url, namespace=settings.namespace)
        names = topology.build(settings.namespace)
        declared = ", ".join(each.name for each in (*names.exchanges, *names.queues))
        return f"RabbitMQ has {declared}"
    asyncio.run(_group(settings))
    return f"Redis has the stream {settings.namespace}{STREAM} with the consumer group {GROUP}"


def _events(settings: Settings) -> str:
    name = topology.events_exchange(settings.namespace).name
    if not topology.is_amqp(settings.events_url):
        return f"{name} needs nothing on Redis"
    topology.declare(settings.events_url, namespace=settings.namespace)
    return f"the broker of the events has {name}"


async def _group(settings: Settings) -> None:
    client = connect(settings.broker_url)
    try:
        await ensure_group(client, namespace=settings.namespace)
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    finally:
        await client.aclose()
