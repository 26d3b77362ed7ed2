"""The stream of refusals, as who is on call sees it, redrives it and drops from it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from orchestrator.adapters.redis_connection import connect, unavailable
from orchestrator.adapters.redis_keys import RedisKeys
from workers.cli.redacted import redacted_body
from workers.cli.screen import without_addresses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from workers.bootstrap import Settings

PAGE = 500
Entry = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """One refusal: what may be shown of it, and the body as it came."""

    entry: Entry
    body: bytes

    @property
    def letter_id(self) -> str:
        """Its id in the stream."""
        return str(self.entry["id"])


class Refusals:
    """Reads the newest first. Raises StoreUnavailableError where Redis does not answer."""

    def __init__(self, client: Any, keys: RedisKeys) -> None:
        self._client = client
        self._keys = keys

    async def one(self, letter_id: str) -> Letter | None:
        """The refusal of this id."""
        return next(iter(await self._page(letter_id, letter_id)), None)

    async def newest(self, *, code: str | None, merchant: str | None, at_most: int | None) -> list[Letter]:
        """Those with this code and of this merchant, where they are given."""
        wanted: list[Letter] = []
        newest = "+"
        while (at_most is None or len(wanted) < at_most) and (page := await self._page(newest, "-")):
            wanted += [each for each in page if _fits(each.entry, code=code, merchant=merchant)]
            newest = f"({page[-1].letter_id}"
        return wanted[:at_most]

    async def forget(self, letter: Letter) -> None:
        """Let the same message be refused anew, visibly; before it is sent again."""
        await _answered(self._client.zrem(self._keys.refusals_seen, letter.entry["refusal_id"] or ""))

    async def remove(self, letter: Letter) -> bool:
        """Take it out of the stream; False where it is gone already."""
        return bool(await _answered(self._client.xdel(self._keys.dead_letters, letter.letter_id)))

    async def _page(self, newest: str, oldest: str) -> list[Letter]:
        pairs = await _answered(self._client.xrevrange(self._keys.dead_letters, newest, oldest, count=PAGE))
        return [Letter(entry=_entry(*pair), body=pair[1].get(b"body", b"")) for pair in pairs]


@asynccontextmanager
async def open_refusals(settings: Settings) -> AsyncIterator[Refusals]:
    """The refusals of this installation."""
    client: Any = connect(settings.redis_url)
    try:
        yield Refusals(client, RedisKeys(namespace=settings.namespace, shards=settings.shards))
    finally:
        await client.aclose()


async def _answered(asked: Awaitable[Any]) -> Any:
    try:
        return await asked
    except (RedisError, OSError) as error:
        raise unavailable(error) from error


def _fits(entry: Entry, *, code: str | None, merchant: str | None) -> bool:
    return code in {None, entry["code"]} and merchant in {None, entry["merchant"]}


def _entry(entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    text = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items() if name != b"body"}
    known = {name: text.get(name) or None for name in ("at", "code", "field", "origin", "merchant", "intent_id")}
    payment = "/".join(filter(None, (known["merchant"], known["intent_id"]))) or None
    return {
        "id": entry_id.decode(),
        **known,
        "payment": payment,
        "message": without_addresses(text.get("message", "")),
        "command": text.get("command") or None,
        "redrivable": text.get("redrivable") == "true",
        "refusal_id": text.get("refusal_id"),
        "body": redacted_body(fields.get(b"body", b"")),
    }
