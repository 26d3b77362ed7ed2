"""Webhooks on their way from the provider to our web process: lost, late, twice, out of order, forged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.simulator.charges import body_of

if TYPE_CHECKING:
    from tests.simulator.charges import Charge
    from tests.simulator.world import World

RETRY_S = 900.0
RETRIES = 3
ANSWER_WITHIN_S = 5.0
_CALLBACKS = frozenset({"received", "return_pending", "return_received"})  # all that the payin's page promises


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
            world.loop.after(1.0, self._deliver, charge, json.dumps(forged).encode(), "po1.00000000.forged", RETRIES)
            self.on_the_way += 1

    def _send(self, charge: Charge, body: dict[str, Any]) -> None:
        world, dice = self._world, self._world.dice
        if world.weather.brings("webhook lost"):
            self.lost.add(charge.intent)
            return
        late = world.weather.brings("webhook late")
        delay_s = dice.skewed(5, 6 * 3600) if late else dice.skewed(0.005, 3)
        self.on_the_way += 1
        world.loop.after(delay_s, self._deliver, charge, json.dumps(body).encode(), charge.hook[1], 0)

    def _deliver(self, charge: Charge, body: bytes, authorization: str, retries: int) -> None:
        answer = self._world.loop.create_future()
        self._world.loop.after(ANSWER_WITHIN_S, self._answered, charge, body, authorization, retries, answer)
        self._world.web.take(charge.hook[0], authorization, body, answer)

    def _answered(self, charge: Charge, body: bytes, authorization: str, retries: int, answer: Any) -> None:
        status = answer.result() if answer.done() else None
        answer.cancel()
        if status == 200:
            self._world.truth.webhook_taken(body, is_forged=authorization != charge.hook[1])
        if status != 200 and retries < RETRIES:
            self._world.loop.after(RETRY_S, self._deliver, charge, body, authorization, retries + 1)
            return
        self.on_the_way -= 1
        if status != 200:
            self.lost.add(charge.intent)
