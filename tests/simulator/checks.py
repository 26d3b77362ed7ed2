"""Checks after each write of a payment: the stored state before and after it, and the event between them."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.codec import decode
from orchestrator.identity import shard_of
from orchestrator.payment import Payment, bare_reference, public_view
from orchestrator.ports import CommitOutcome

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Commit, Committed
    from tests.simulator.world import World

TURNS_MAX = 40  # within a second; a payment that is claimed more often spins
SECRETS = (b"tok_", b"po1.", b"secret")


class Checks:
    """Looks at each payment when it was written; knows how it stood before."""

    def __init__(self, world: World) -> None:
        self.payments: dict[PaymentKey, Payment] = {}
        self._versions: dict[PaymentKey, int] = {}
        self._turns: Counter[tuple[PaymentKey, int]] = Counter()
        self._world = world

    def accepted(self, key: PaymentKey) -> None:
        """An intent was stored, perhaps, or was known."""
        if key not in self.payments and key in self._world.store._payments:
            self._look(key)

    def committed(self, commit: Commit, answer: Committed) -> None:
        """A commit was answered; perhaps it was written before."""
        if answer.outcome is CommitOutcome.COMMITTED and answer.version != self._versions.get(commit.key):
            self._look(commit.key)

    def claimed(self, key: PaymentKey) -> None:
        """A payment was claimed: one that is claimed again and again spins (I9)."""
        place = key, int(self._world.loop.time())
        self._turns[place] += 1
        if self._turns[place] == TURNS_MAX:
            self._world.truth.broken("I9", f"{key} spins: {TURNS_MAX} turns within a second")

    def _look(self, key: PaymentKey) -> None:
        world, stored = self._world, self._world.store._payments[key]
        before, after = self.payments.get(key), decode(stored.body)
        self.payments[key] = after
        self._versions[key] = stored.version
        view = public_view(after)
        if view.next_action and after.reference:
            world.truth.shown.add(bare_reference(after.reference) or "")
        changed = before is None or public_view(before) != view
        if changed:
            self._check_event(key, stored.sequence)
            reason = f"/{view.reason}" if view.reason else ""
            review = f", review {' '.join(view.review)}" if view.review else ""
            world.story.tell(f"{key} is {view.status}{reason}{review}")

    def _check_event(self, key: PaymentKey, sequence: int) -> None:
        world = self._world
        body = world.store.events(shard_of(key, shards=world.store.shards))[-1]
        event = json.loads(body)
        if event["id"] != f"{key}:{sequence}":
            world.truth.broken("I3", f"{key}: its event {sequence} is missing, the last of its shard is {event['id']}")
        if any(secret in body for secret in SECRETS):
            world.truth.broken("I8", f"{key}: event {sequence} holds a secret")
