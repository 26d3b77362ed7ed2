"""What is true whatever the engine says: what was asked, what was acknowledged, what was answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.ports import ProviderRequest, Reply
    from tests.simulator.loop import Life
    from tests.simulator.world import World

REMEMBER_S = 60.0  # who lives on for so long after it heard something has written it down


class Truth:
    """Facts of a run."""

    def __init__(self, world: World) -> None:
        self.asked: dict[str, dict[str, Any]] = {}  # by merchant/intent_id
        self.known: set[str] = set()  # intents whose message was acknowledged
        self.conflicting: list[tuple[bytes, bytes]] = []  # two messages under one id
        self.shown: set[str] = set()  # references whose payer was told what to do
        self.refunds: dict[tuple[str, str], int] = {}  # asked for, by intent and reason
        self.created: dict[str, tuple[Life, float, str]] = {}  # who heard, and when, that a create was done
        self._kept: set[str] = set()  # bodies of webhooks that are stored
        self._world = world

    def orders(self, intent: dict[str, Any]) -> None:
        self.asked[f"{intent['merchant']}/{intent['intent_id']}"] = intent

    def disagree(self, one: bytes, other: bytes) -> None:
        """Two messages under one id: whichever comes second is refused."""
        self.conflicting.append((one, other))

    def acknowledged(self, fields: dict[bytes, bytes]) -> None:
        """A message left the queue: from now on its intent must not be lost (I2)."""
        if b"intent" not in fields:
            return
        try:
            message = json.loads(fields[b"intent"])
            intent = f"{message['merchant']}/{message['intent_id']}"
        except (ValueError, KeyError, TypeError):
            intent = "no/intent"
        if self._world.checks.payment_of(intent) is not None:
            self.known.add(intent)
        elif not self._world.tail.took(intent) and not any(
            letter.body == fields[b"intent"] for letter in self._world.store.dead_letters
        ):
            self._world.violated("I2", f"{intent} was taken off the queue, and is neither stored nor refused")

    def begin_anew(self) -> None:
        """The store lost its tail: what was taken off the queue in those moments is gone, and who heard what too."""
        self.known = {intent for intent in self.known if self._world.checks.payment_of(intent) is not None}
        self.created.clear()
        self.conflicting.clear()

    def refund_asked(self, intent: dict[str, Any], fields: dict[str, Any]) -> None:
        self.refunds[f"{intent['merchant']}/{intent['intent_id']}", fields["reason"]] = fields["amount_minor"]

    def asks_refunds(self, intent: str) -> bool:
        """Whether the shop asked for a refund of it."""
        return any(asked == intent for asked, _ in self.refunds)

    def refunding(self, intent: str, note: str, amount: int) -> None:
        """The provider was asked to return so much (I7)."""
        if self.refunds.get((intent, note)) != amount:
            self._world.violated("I7", f"{intent}: {amount} minor units are to be returned, asked were {self.refunds}")

    def charged(self, intent: str, amount: int) -> None:
        """The provider was asked to charge so much (I7)."""
        stored, is_lost = self._world.checks.payment_of(intent), self._world.tail.lost_s is not None
        if not is_lost and (stored is None or stored.amount_minor != amount):
            self._world.violated("I7", f"{intent}: {amount} minor units are to be charged, which nobody asked for")

    def heard(self, life: Life, intent: str, request: ProviderRequest, reply: Reply) -> None:
        """A worker got the answer to a create that was done: it must not be lost, unless the worker dies."""
        is_done = request.operation == "create" and reply.http_status == 200
        if is_done and not life.is_dead and isinstance(reply.body, dict):
            reference = reply.body.get("uuid") or reply.body.get("id") or reply.body.get("payment_id")
            if reference is not None:
                self.created[intent] = life, self._world.loop.time(), str(reference)

    def dies(self, life: Life) -> None:
        """What it heard shortly before it may be lost with it."""
        now_s = self._world.loop.time()
        for intent, (who, at_s, _) in list(self.created.items()):
            if who is life and (life.is_frozen or now_s - at_s < REMEMBER_S):
                del self.created[intent]

    def webhook_kept(self, body: str) -> None:
        self._kept.add(body)

    def webhook_taken(self, body: bytes, *, is_forged: bool) -> None:
        """A webhook was answered with 200: it is ours, and stored."""
        if is_forged:
            self._world.violated("I5", "a forged webhook was taken")
        elif body.decode() not in self._kept:
            self._world.violated("I2", f"a webhook was answered with 200 and is not stored: {body[:80]!r}")
