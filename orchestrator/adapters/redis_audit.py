"""What people did by hand, and why: a stream that is only ever appended to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.adapters.redis_calls import RedisCalls
from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.card_numbers import mask_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis


class RedisAudit:
    """The stream `payorch:audit`; nothing of it is ever trimmed. Belongs to one event loop."""

    def __init__(self, client: Redis, *, namespace: str = "") -> None:
        self._calls = RedisCalls(client)
        self._stream = RedisKeys(namespace=namespace).audit

    async def append(self, entry: Mapping[str, str]) -> str:
        """Keep one entry, card numbers masked but in the intent's own id, empty fields left out; its id.

        Raises StoreUnavailableError where it is not certain that it was kept.
        """
        shown = {name: value if name == "intent_id" else mask_text(value) for name, value in entry.items() if value}
        words = [word for pair in shown.items() for word in pair]
        entry_id: bytes = await self._calls.command("XADD", self._stream, "*", *words)
        return entry_id.decode()

    async def close(self) -> None:
        """Let the calls under way end, then close the connections."""
        await self._calls.close()
