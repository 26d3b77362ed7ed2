"""Checks after each write of a payment: the stored state before it and after it, and the event between them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.codec import decode
from orchestrator.identity import shard_of
from orchestrator.invariants import Stored, broken_by_step
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
        self.stored: dict[PaymentKey, Stored] = {}
        self._told: Counter[int] = Counter()  # events of each shard that were looked at
        self._turns: Counter[tuple[PaymentKey, int]] = Counter()
        self._world = world

    def payment(self, key: PaymentKey) -> Payment | None:
        """The payment as it was last written."""
        stored = self.stored.get(key)
        return stored.payment if stored else None

    def accepted(self, key: PaymentKey) -> None:
        """An intent was stored, perhaps, or was known."""
        if key not in self.stored and key in self._world.store._payments:
            self._look(key)

    def committed(self, commit: Commit, answer: Committed) -> None:
        """A commit was answered; perhaps it was written before."""
        before = self.stored.get(commit.key)
        if answer.outcome is CommitOutcome.COMMITTED and (before is None or answer.version != before.version):
            self._look(commit.key)

    def claimed(self, key: PaymentKey) -> None:
        """A payment was claimed: one that is claimed again and again spins (I9)."""
        place = key, int(self._world.loop.time())
        self._turns[place] += 1
        if self._turns[place] == TURNS_MAX:
            self._world.violated("I9", f"{key} spins: {TURNS_MAX} turns within a second")

    def _look(self, key: PaymentKey) -> None:
        world, record = self._world, self._world.store._payments[key]
        before = self.stored.get(key)
        after = self.stored[key] = Stored(
            version=record.version,
            sequence=record.sequence,
            payment=decode(record.body),
            due_at_ms=world.store.due(key),
        )
        event = self._event(key)
        now_ms = int(world.loop.time() * 1000)
        for broken in broken_by_step(before, after, event=event, policy=world.policy, now_ms=now_ms):
            world.violated(broken.invariant, f"{key}: {broken.sentence}")
        if event is not None:
            self._published(after.payment, event)

    def _event(self, key: PaymentKey) -> bytes | None:
        """The event that was written with it, if there is one."""
        shard = shard_of(key, shards=self._world.store.shards)
        events = self._world.store.events(shard)[self._told[shard] :]
        self._told[shard] += len(events)
        if len(events) > 1:
            self._world.violated("I3", f"{key}: {len(events)} events were written with one commit")
        return events[-1] if events else None

    def _published(self, payment: Payment, event: bytes) -> None:
        world, view = self._world, public_view(payment)
        if view.next_action and payment.reference:
            world.truth.shown.add(bare_reference(payment.reference) or "")
        if any(secret in event for secret in SECRETS):
            world.violated("I8", f"{payment.key}: an event holds a secret")
        reason = f"/{view.reason}" if view.reason else ""
        review = f", review {' '.join(view.review)}" if view.review else ""
        world.story.tell(f"{payment.key} is {view.status}{reason}{review}")
