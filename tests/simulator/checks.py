"""Checks after each write of a payment: the stored state before it and after it, and the event between them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.codec import decode
from orchestrator.identity import PaymentKey, shard_of
from orchestrator.invariants import Stored, broken_by_step
from orchestrator.payment import Payment, bare_reference, public_view
from orchestrator.ports import CommitOutcome
from orchestrator.statuses import Review
from tests.simulator.said import untrue, untrue_end

if TYPE_CHECKING:
    from orchestrator.ports import Commit, Committed
    from tests.simulator.world import World

TURNS_MAX = 40  # within a second; a payment that is claimed more often spins
_OBSERVED_BY = re.compile(rb'"observed_by":"(\w+)"')
_REPLY = b'{"kind":"ReplySeen"'
SECRETS = (b"tok_", b"po1.", b"secret")


class Checks:
    """Looks at each payment when it was written; knows how it stood before."""

    def __init__(self, world: World) -> None:
        self.stored: dict[PaymentKey, Stored] = {}
        self._told: Counter[int] = Counter()  # events of each shard that were looked at
        self._turns: Counter[tuple[PaymentKey, int]] = Counter()
        self._said: set[tuple[PaymentKey, bytes]] = set()
        self._world = world

    def payment(self, key: PaymentKey) -> Payment | None:
        """The payment as it was last written."""
        stored = self.stored.get(key)
        return stored.payment if stored else None

    def payment_of(self, intent: str) -> Payment | None:
        """The same, by merchant/intent_id."""
        return self.payment(PaymentKey.parse(intent))

    def accepted(self, key: PaymentKey) -> None:
        """An intent was stored, perhaps, or was known."""
        if key not in self.stored and key in self._world.store._payments:
            self._look(key)

    def committed(
        self, commit: Commit, answer: Committed, *, owner: str | None, waiting: list[bytes], observed: int
    ) -> None:
        """A commit was answered; perhaps it was written before. The rest is how the payment stood before it."""
        before = self.stored.get(commit.key)
        if answer.outcome is not CommitOutcome.COMMITTED or (before is not None and answer.version == before.version):
            return
        world, key = self._world, commit.key
        if owner != commit.owner:
            world.violated("I1", f"{key} was written by {commit.owner}, it is owned by {owner}")
        unseen = observed - commit.observed_seen
        if commit.own_move and unseen > 0:
            world.violated("I4", f"{key} moved by itself, {unseen} observations were not looked at")
        left = world.store._payments[key].observations
        if unseen > 0 and left[-unseen:] != waiting[-unseen:]:
            world.violated("I2", f"{key}: observations went that nobody had seen")
        self._look(key)
        world.conduct.replies.written(commit.owner, before.payment if before else None, self.stored[key].payment)

    def repeated(self, commit: Commit, answer: Committed) -> None:
        """A write that was made was repeated for want of an answer: it is answered as it was the first time (I2)."""
        if answer.outcome is not CommitOutcome.COMMITTED:
            self._world.violated("I2", f"{commit.key}: a write that was made was answered with {answer.outcome}")

    def kept(self, key: PaymentKey) -> None:
        """Something was said of a payment, or its claim was given back."""
        if key in self.stored:
            self._check_waiting(key)

    def said(self, key: PaymentKey, observation: bytes, *, waiting: list[bytes]) -> None:
        """It is acknowledged that something was said: it waits for its payment, or did when it was said before (I2)."""
        if (key, observation) not in self._said and observation not in waiting:
            self._world.violated("I2", f"{key}: what was said of it was acknowledged, and is not kept")
        self._said.add((key, observation))
        if observation.startswith(_REPLY):
            self._world.conduct.replies.left(key)

    def _check_waiting(self, key: PaymentKey) -> None:
        """What was said of a payment that nobody owns is looked at at once, unless it rests (I2)."""
        world, record = self._world, self._world.store._payments[key]
        now_ms = int(world.loop.time() * 1000)
        if record.observations and record.owner is None and record.rest_until_ms <= now_ms:
            due_ms = world.store.due(key)
            if due_ms is None or due_ms > now_ms:
                world.violated("I2", f"{key}: {len(record.observations)} observations wait until {due_ms}")

    def claimed(self, key: PaymentKey) -> None:
        """A payment was claimed: one that is claimed again and again spins (I9)."""
        place = key, int(self._world.loop.time())
        self._turns[place] += 1
        if self._turns[place] == TURNS_MAX:
            self._world.violated("I9", f"{key} spins: {TURNS_MAX} turns within a second")

    def begin_anew(self) -> None:
        """The store holds something else than was written: from here on that is how payments stood."""
        store = self._world.store
        self.stored = {
            key: Stored(
                version=record.version,
                sequence=record.sequence,
                payment=decode(record.body),
                due_at_ms=store.due(key),
            )
            for key, record in store._payments.items()
        }

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
        ended = untrue_end(world, before.payment, after.payment) if before is not None else None
        if ended:
            world.violated("I5", f"{key}: {ended}")
        if event is not None:
            self._published(before.payment if before else None, after.payment, event)
        self._check_waiting(key)

    def _check_returned(self, payment: Payment) -> None:
        """Nobody says that money went back which did not (I7)."""
        charges = [charge for charge in self._world.provider.charges if charge.intent == str(payment.key)]
        returned = sum(charge.returned for charge in charges)
        if payment.refunded_minor > returned:
            told = f"{payment.refunded_minor} minor units are said to be returned, {returned} were"
            self._world.violated("I7", f"{payment.key}: {told}")

    def _check_amount(self, payment: Payment) -> None:
        """The provider never tells another amount than it was asked for: whoever reads one has misread it (I7)."""
        charges = [charge for charge in self._world.provider.charges if charge.intent == str(payment.key)]
        if all(charge.amount == payment.amount_minor for charge in charges):
            self._world.violated("I7", f"{payment.key}: another amount was read than the provider told")

    def _event(self, key: PaymentKey) -> bytes | None:
        """The event that was written with it, if there is one."""
        shard = shard_of(key, shards=self._world.store.shards)
        events = self._world.store.events(shard)[self._told[shard] :]
        self._told[shard] += len(events)
        if len(events) > 1:
            self._world.violated("I3", f"{key}: {len(events)} events were written with one commit")
        return events[-1] if events else None

    def _published(self, before: Payment | None, payment: Payment, event: bytes) -> None:
        world, view = self._world, public_view(payment)
        observed_by = _OBSERVED_BY.search(event)
        has_moved = before is None or public_view(before).status is not view.status
        sentence = untrue(world, payment, view, observed_by[1].decode() if observed_by else "") if has_moved else None
        if sentence:
            world.violated("I5", f"{payment.key}: {sentence}")
        if Review.REFUND_AMOUNT_UNKNOWN not in view.review and world.tail.lost_s is None:
            self._check_returned(payment)
        if Review.AMOUNT_MISMATCH in view.review:
            self._check_amount(payment)
        if view.next_action and payment.reference:
            world.truth.shown.add(bare_reference(payment.reference) or "")
        if any(secret in event for secret in SECRETS):
            world.violated("I8", f"{payment.key}: an event holds a secret")
        reason = f"/{view.reason}" if view.reason else ""
        review = f", review {' '.join(view.review)}" if view.review else ""
        world.story.tell(f"{payment.key} is {view.status}{reason}{review}")
