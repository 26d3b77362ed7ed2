"""What the store promises, as a dict of payments on virtual time: the state machine's model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.ports import ALONE_AT_CLAIMS, AcceptOutcome, CommitOutcome

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Commit

LEASE_MS = 1_000_000


@dataclass
class ModelPayment:
    op: str
    fingerprint: str
    body: bytes
    due: int | None
    version: int = 1
    sequence: int = 1
    observed: int = 0
    waiting: list[bytes] = field(default_factory=list)
    claims: int = 0
    rests: int = 0
    rest_until: int = 0
    owner: str | None = None
    owned_until: int = 0
    alone: bool = False
    notify_op: str | None = None


class Model:
    """Every transition returns what the store must answer."""

    def __init__(self) -> None:
        self.now = 0
        self.payments: dict[PaymentKey, ModelPayment] = {}
        self.orphans: dict[PaymentKey, list[bytes]] = {}

    def accept(self, key, *, op, fingerprint, body, due_in, owner) -> AcceptOutcome:
        known = self.payments.get(key)
        if known:
            if known.op == op:
                return AcceptOutcome.ACCEPTED
            return AcceptOutcome.KNOWN if known.fingerprint == fingerprint else AcceptOutcome.CONFLICT
        payment = ModelPayment(op=op, fingerprint=fingerprint, body=body, due=self.now + due_in)
        payment.waiting = self.orphans.pop(key, [])
        payment.observed = len(payment.waiting)
        if payment.waiting:
            payment.due = self.now
        self.payments[key] = payment
        if owner:
            self._lease(payment, owner)
        return AcceptOutcome.ACCEPTED

    def is_owned(self, key) -> bool:
        payment = self.payments[key]
        return payment.owner is not None and payment.owned_until > self.now

    def claimable(self) -> set[PaymentKey]:
        return {
            key
            for key, payment in self.payments.items()
            if payment.due is not None and payment.due <= self.now and not self.is_owned(key)
        }

    def claims_when_taken(self, key) -> int:
        payment = self.payments[key]
        if payment.owner is None or self.is_owned(key):
            return payment.claims
        return payment.claims + 1 if payment.alone or payment.claims < ALONE_AT_CLAIMS else payment.claims

    def suspects(self) -> set[PaymentKey]:
        return {key for key in self.claimable() if self.claims_when_taken(key) >= ALONE_AT_CLAIMS}

    def pass_over(self, key) -> None:
        self.payments[key].due = self.now + LEASE_MS

    def take(self, key, owner, *, alone=False) -> None:
        payment = self.payments[key]
        payment.claims = self.claims_when_taken(key)
        payment.rest_until, payment.alone = 0, alone
        self._lease(payment, owner)

    def renew(self, key, owner, *, alone) -> bool:
        if self.payments[key].owner != owner:
            return False
        self.payments[key].alone = alone
        self._lease(self.payments[key], owner)
        return True

    def rest(self, key, owner, rest_in) -> bool:
        if self.payments[key].owner != owner:
            return False
        self._put_aside(self.payments[key], rest_in)
        return True

    def release(self, key, owner, due_in) -> bool:
        payment = self.payments[key]
        if payment.owner != owner:
            return False
        self._let_go(payment, due_in)
        return True

    def commit(self, commit: Commit, due_in: int | None) -> CommitOutcome:
        payment = self.payments[commit.key]
        if payment.op == commit.op:
            return CommitOutcome.COMMITTED
        if payment.owner != commit.owner:
            return CommitOutcome.FENCED
        if payment.version != commit.expected_version:
            return CommitOutcome.CONFLICT
        if commit.own_move and payment.observed > commit.observed_seen:
            return CommitOutcome.NEWS
        payment.version += 1
        payment.sequence += commit.event is not None
        payment.op, payment.body = commit.op, commit.body
        unseen = payment.observed - commit.observed_seen
        payment.waiting = payment.waiting[len(payment.waiting) - unseen :] if unseen else []
        if commit.rest_ms is not None:
            self._put_aside(payment, commit.rest_ms)
            return CommitOutcome.COMMITTED
        if commit.forgives:
            payment.claims = payment.rests = 0
        if commit.keep_lease_ms:
            self._lease(payment, commit.owner)
        else:
            self._let_go(payment, due_in)
        return CommitOutcome.COMMITTED

    def notify(self, key, observation, op, *, is_command=False) -> None:
        payment = self.payments.get(key)
        if payment is None:
            orphans = self.orphans.setdefault(key, [])
            if observation not in orphans:
                orphans.append(observation)
        elif payment.notify_op != op:
            payment.notify_op = op
            payment.observed += 1
            payment.waiting.append(observation)
            if is_command:
                payment.rest_until = 0
            if not self.is_owned(key) and payment.rest_until <= self.now:
                payment.due = self.now if payment.due is None else min(payment.due, self.now)

    def _lease(self, payment, owner) -> None:
        payment.owner, payment.owned_until = owner, self.now + LEASE_MS
        payment.due = payment.owned_until

    def _put_aside(self, payment, rest_in) -> None:
        payment.owner, payment.owned_until = None, 0
        payment.claims = min(payment.claims, ALONE_AT_CLAIMS)
        payment.rests += 1
        payment.due = payment.rest_until = self.now + rest_in

    def _let_go(self, payment, due_in) -> None:
        payment.owner, payment.owned_until = None, 0
        payment.due = None if due_in is None else self.now + due_in
        if payment.waiting:
            payment.due = self.now
