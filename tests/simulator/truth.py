"""What is true whatever the engine says: what was asked, what was acknowledged, what the provider's ledger holds."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestrator.identity import PaymentKey

if TYPE_CHECKING:
    from orchestrator.ports import ProviderRequest
    from tests.simulator.loop import Life
    from tests.simulator.world import World


class Truth:
    """Facts of a run, and the sentences about promises that were broken."""

    def __init__(self, world: World) -> None:
        self.asked: dict[str, dict[str, Any]] = {}  # by merchant/intent_id
        self.known: set[str] = set()  # intents whose message was acknowledged
        self.shown: set[str] = set()  # references whose payer was told what to do
        self.refunds: dict[tuple[str, str], int] = {}  # asked for, by intent and reason
        self._permits: Counter[tuple[str, str]] = Counter()
        self._world = world

    def broken(self, invariant: str, sentence: str) -> None:
        """Note a violation."""
        self._world.violated(invariant, sentence)

    def orders(self, intent: dict[str, Any]) -> None:
        self.asked[f"{intent['merchant']}/{intent['intent_id']}"] = intent

    def acknowledged(self, fields: dict[bytes, bytes]) -> None:
        """A message left the queue: from now on its intent must not be lost (I2)."""
        if b"intent" not in fields:
            return
        try:
            message = json.loads(fields[b"intent"])
            intent = f"{message['merchant']}/{message['intent_id']}"
        except (ValueError, KeyError, TypeError):
            return
        if intent in self.asked:
            self.known.add(intent)

    def refund_asked(self, intent: dict[str, Any], fields: dict[str, Any]) -> None:
        self.refunds[f"{intent['merchant']}/{intent['intent_id']}", fields["reason"]] = fields["amount_minor"]

    def refunding(self, intent: str, note: str, amount: int) -> None:
        """The provider was asked to return so much (I7)."""
        if self.refunds.get((intent, note)) != amount:
            self.broken("I7", f"{intent}: {amount} minor units are to be returned, asked were {self.refunds}")

    def charged(self, intent: str, amount: int) -> None:
        """The provider was asked to charge so much (I7)."""
        stored = self._world.checks.payment(key_of(intent))
        if stored is None or stored.amount_minor != amount:
            self.broken("I7", f"{intent}: {amount} minor units are to be charged, which nobody asked for")

    def permitted(self, life: Life, merchant: str) -> None:
        self._permits[life.name, merchant] += 1

    def called(self, life: Life, request: ProviderRequest) -> None:
        """Each call was permitted by the shared limit (I10)."""
        place = life.name, request.credentials
        self._permits[place] -= 1
        if self._permits[place] < 0:
            self.broken("I10", f"{life.name} calls {request.path} of {request.credentials} without a permit")

    def forged(self, answer: Any) -> None:
        """A webhook with somebody's guess for its Authorization must be refused."""

        def judge(_: Any) -> None:
            if not answer.cancelled() and answer.result() == 200:
                self.broken("I5", "a forged webhook was taken")

        answer.add_done_callback(judge)


def key_of(intent: str) -> PaymentKey:
    return PaymentKey.parse(intent)
