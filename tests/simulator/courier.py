"""Webhooks on their way from the provider to our web process: lost, late, twice, out of order, forged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulator.charges import body_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from tests.simulator.charges import Charge
    from tests.simulator.world import World

RETRY_S = 900.0
RETRIES = 3
ANSWER_WITHIN_S = 5.0
_CALLBACKS = frozenset({"received", "return_pending", "return_received"})  # all that the payin's page promises


@dataclass(slots=True)
class Letter:
    """One webhook, delivered until it is answered with 200."""

    charge: Charge
    body: bytes
    authorization: str
    deliveries: int = 1
    is_taken: bool = False
    then: Callable[[], None] | None = None


class Courier:
    """Delivers as the contract says: best effort, until exactly 200, three more times in 45 minutes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._announces_all = world.dice.chance(0.7)
        self.lost: set[str] = set()  # intents of which a webhook was lost for good, or never sent
        self.on_the_way = 0

    def announce(self, charge: Charge) -> None:
        """A charge's status changed: its webhook goes out, if the provider announces that at all."""
        world = self._world
        is_code = charge.status == "pending" and charge.pay_code is not None
        is_known = self._announces_all or charge.flow != "payin" or charge.status in _CALLBACKS or is_code
        if not is_known or world.weather.brings("status not announced"):
            self.lost.add(charge.intent)
            return
        body = body_of(charge)
        if world.weather.brings("unknown status"):
            self._send(charge, {**body, "status": "mystery"})
        self._send(charge, body)
        if world.weather.brings("webhook twice"):
            self._send(charge, body)
        if world.weather.brings("webhook forged"):
            forged = {**body, "status": "received"}
            self._post(Letter(charge, json.dumps(forged).encode(), "po1.00000000.forged"), delay_s=1.0)

    def foretell(self, charge: Charge, then: Callable[[], None]) -> None:
        """A webhook comes for a payment that is not stored; `then` follows once it was taken."""
        self._post(Letter(charge, json.dumps(body_of(charge)).encode(), charge.hook[1], then=then), delay_s=0.01)

    def _send(self, charge: Charge, body: dict[str, Any]) -> None:
        world, dice = self._world, self._world.dice
        if world.weather.brings("webhook lost"):
            self.lost.add(charge.intent)
            return
        late = world.weather.brings("webhook late")
        delay_s = dice.skewed(5, 6 * 3600) if late else dice.skewed(0.005, 3)
        self._post(Letter(charge, json.dumps(body).encode(), charge.hook[1]), delay_s=delay_s)

    def _post(self, letter: Letter, *, delay_s: float) -> None:
        self.on_the_way += 1
        self._world.loop.after(delay_s, self._deliver, letter)

    def _deliver(self, letter: Letter) -> None:
        answer = self._world.loop.create_future()
        self._world.loop.after(ANSWER_WITHIN_S, self._answered, letter, answer)
        self._world.web.take(letter.charge.hook[0], letter.authorization, letter.body, answer)

    def _answered(self, letter: Letter, answer: asyncio.Future[int]) -> None:
        status = answer.result() if answer.done() else None
        answer.cancel()
        if status == 200:
            is_forged = letter.authorization != letter.charge.hook[1]
            self._world.truth.webhook_taken(letter.body, is_forged=is_forged)
            if letter.then is not None:
                letter.then()
                letter.then = None
            letter.is_taken = True
        if status != 200 or self._world.weather.brings("webhook answer lost"):
            self._repeat(letter)
        else:
            self.on_the_way -= 1

    def _repeat(self, letter: Letter) -> None:
        """Nobody heard that it was taken: it comes again, three more times at most."""
        if letter.deliveries <= RETRIES:
            letter.deliveries += 1
            self._world.loop.after(RETRY_S, self._deliver, letter)
            return
        if not letter.is_taken:
            self.lost.add(letter.charge.intent)
        self.on_the_way -= 1
