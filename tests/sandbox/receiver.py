"""A merchant's webhook endpoint on a real socket."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True, kw_only=True)
class Received:
    authorization: str | None
    body: dict
    raw: bytes


@dataclass(kw_only=True)
class Receiver:
    """Answers with `answers` one after the other, with 200 when they are used up."""

    url: str = ""
    calls: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    rang: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def notification(self) -> dict:
        return {"endpoint_url": self.url, "authorization_header": "po1.secret of this payment"}

    @property
    def statuses(self) -> list[str]:
        return [call.body["status"] for call in self.calls]

    async def accept(self, request: web.Request) -> web.Response:
        raw = await request.read()
        authorization = request.headers.get("Authorization")
        async with self.rang:
            self.calls.append(Received(authorization=authorization, body=await request.json(), raw=raw))
            self.rang.notify_all()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def until(self, count: int) -> list[Received]:
        async with asyncio.timeout(5), self.rang:
            await self.rang.wait_for(lambda: len(self.calls) >= count)
        return self.calls
