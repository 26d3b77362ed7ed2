"""The Provider port of one process: the way to the model provider, on which calls and replies get lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from orchestrator.ports import Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.ports import ProviderRequest
    from tests.simulator.loop import Life
    from tests.simulator.world import World

TOTAL_S = 40.0  # the deadline of a call, its connecting included
_UNAUTHORISED = {"errors": {"code": "REQUIRE_LOGIN", "message": "Not Authorised"}}
_GARBLED: tuple[Any, ...] = (None, {}, [], {"errors": {"message": "Something"}}, {"currency": "PHP", "amount": 500})


class ProviderLine:
    """Provider over a network that keeps to the contract's list of failures; the witness is always right."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life

    async def prepare(self, request: ProviderRequest, *, permit: Callable[[], Awaitable[int]]) -> Reply | None:
        self._world.poison.meet(self._life, self._world.conduct.intent_of(request))
        if not request.needs_access_token or not self._world.weather.brings("no access token"):
            return None
        if await permit():
            return Reply(sent=False, error="no_permit", retry_after_s=1)
        self._world.conduct.spend(self._life, request.credentials, "the access token")
        await asyncio.sleep(self._world.dice.skewed(0.01, 5))
        reply = self._world.dice.pick((Reply(sent=True, error="ReadTimeout"), _said(503), _said(401, _UNAUTHORISED)))
        self._world.conduct.refuses(request.credentials, reply)
        return reply

    async def call(self, request: ProviderRequest, *, send_before_s: float | None = None) -> Reply:
        world, loop, dice, weather = self._world, self._world.loop, self._world.dice, self._world.weather
        answer: asyncio.Future[Reply] = loop.create_future()
        if self._life.is_dead or world.strikes(self._life, request.operation):
            return await answer  # never
        if weather.brings("freeze at a call"):
            loop.after(dice.pick((0.0, dice.skewed(0.001, 5))), world.freeze, self._life)
        if request.method == "POST" and weather.brings("struck before a call leaves"):
            world.strike(self._life)
        await asyncio.sleep(dice.skewed(0.001, 0.05))
        if send_before_s is not None and loop.time() > send_before_s:
            return Reply(sent=False, error="too_late")
        if world.provider_is_away or weather.brings("call not sent"):
            world.conduct.spend(self._life, request.credentials, request.path)
            return Reply(sent=False, error="ClientConnectorError")
        world.conduct.leaves(self._life, request)
        world.story.tell(f"{self._life.name}: calls {request.method} {request.path}")
        loop.after(TOTAL_S, _answer, answer, Reply(sent=True, error="TimeoutError"))
        if request.method == "POST" and weather.brings("struck while a call is on the wire"):
            loop.after(dice.skewed(0.0001, 1), world.strike, self._life)
        if weather.brings("call lost"):
            loop.after(dice.skewed(0.05, TOTAL_S), _answer, answer, Reply(sent=True, error="ServerDisconnectedError"))
        else:
            slow = weather.brings("call slow")
            loop.after(
                dice.skewed(0.5, TOTAL_S - 5) if slow else dice.skewed(0.005, 0.2), self._arrive, request, answer
            )
        try:
            reply = await answer
        except asyncio.CancelledError:
            world.conduct.cut(self._life, request)
            raise
        world.conduct.answered(request, reply)
        return reply

    def _arrive(self, request: ProviderRequest, answer: asyncio.Future[Reply]) -> None:
        world, dice, weather = self._world, self._world.dice, self._world.weather
        reply = self._refusal()
        if reply is None:
            reply = _said(*world.provider.execute(request))
            if request.method == "POST":
                reply = self._spoilt(reply)
            elif weather.brings("read garbled"):
                reply = dice.pick((_said(200, dice.pick(_GARBLED)), _said(503), _said(200, _mumbled(reply.body))))
        if weather.brings("reply lost"):
            reply, delay_s = Reply(sent=True, error="ServerDisconnectedError"), dice.skewed(0.05, TOTAL_S)
        else:
            delay_s = dice.skewed(0.5, 2 * TOTAL_S) if weather.brings("reply slow") else dice.skewed(0.005, 0.3)
        world.loop.after(delay_s, self._deliver, request, answer, reply)

    def _deliver(self, request: ProviderRequest, answer: asyncio.Future[Reply], reply: Reply) -> None:
        if not answer.done():
            what = f"HTTP {reply.http_status}" if reply.http_status else reply.error
            self._world.story.tell(f"{self._life.name}: {request.operation} is answered {what}")
            if request.operation == "create":
                self._world.truth.heard(self._life, self._world.conduct.intent_of(request), request, reply)
            answer.set_result(reply)

    def _refusal(self) -> Reply | None:
        """An answer instead of the deed."""
        dice, weather = self._world.dice, self._world.weather
        if weather.brings("error before the deed"):
            return _said(dice.pick((500, 502, 503, 504, 408)))
        if weather.brings("too many requests"):
            return Reply(sent=True, http_status=429, retry_after_s=dice.pick((None, 0, 1, 10, 120)))
        if weather.brings("unauthorised"):
            return _said(401, _UNAUTHORISED)
        return None

    def _spoilt(self, reply: Reply) -> Reply:
        """The answer after a deed that does not tell of it."""
        dice, weather = self._world.dice, self._world.weather
        if weather.brings("error after the deed"):
            return _said(dice.pick((500, 502, 503, 504, 408)))
        if reply.http_status == 200 and weather.brings("reply garbled"):
            return _said(200, dice.pick(_GARBLED))
        return reply


def _said(http_status: int, body: Any = None) -> Reply:
    return Reply(sent=True, http_status=http_status, body=body, is_json=body is not None)


def _mumbled(body: Any) -> Any:
    return {**body, "status": "mystery"} if isinstance(body, dict) and "status" in body else body


def _answer(answer: asyncio.Future[Reply], reply: Reply) -> None:
    if not answer.done():
        answer.set_result(reply)
