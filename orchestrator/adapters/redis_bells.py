"""The bells: a subscription that outlives its connections."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

QUIET_S = 5.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0


async def listen(client: Redis, channel: str) -> AsyncIterator[int]:
    """The shard numbers rung on a channel, for ever; silent while Redis is away, back when it is back."""
    pause_s = FIRST_PAUSE_S
    while True:
        subscription = client.pubsub(ignore_subscribe_messages=True)
        try:
            await subscription.subscribe(channel)
            pause_s = FIRST_PAUSE_S
            async for shard in _rung(subscription):
                yield shard
        except (RedisError, OSError):
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            with suppress(RedisError, OSError):
                await subscription.aclose()  # type: ignore[no-untyped-call]


async def _rung(subscription: PubSub) -> AsyncIterator[int]:
    """The numbers of one connection; a quiet one is asked for a sign of life and given up without one."""
    asked = False
    while True:
        message = await subscription.get_message(timeout=QUIET_S)
        if message is not None and message["type"] == "message":
            yield int(message["data"])
        elif message is None and asked:
            raise TimeoutError
        elif message is None:
            await subscription.ping()
        asked = message is None
