"""A payment as the store's twin keeps it: the compared fields beside the body, and what they say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.ports import ALONE_AT_CLAIMS, CommitOutcome, Committed, Record

if TYPE_CHECKING:
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Commit


@dataclass(kw_only=True, slots=True)
class StoredPayment:
    """What the hash of a payment holds in Redis."""

    key: PaymentKey
    op: str
    fingerprint: str
    body: bytes
    version: int = 1
    sequence: int = 1
    observed: int = 0
    observations: list[bytes] = field(default_factory=list)
    claims: int = 0
    rests: int = 0
    rest_until_ms: int = 0
    owner: str | None = None
    owned_until_ms: int = 0
    alone: bool = False
    notify_op: str | None = None
    heard_ms: int | None = None  # since when something waits that was heard of it, while nobody owned it

    def record(self, *, lost_at_ms: int) -> Record:
        """As the caller gets it."""
        return Record(
            key=self.key,
            version=self.version,
            sequence=self.sequence,
            observed=self.observed,
            observations=tuple(self.observations),
            claims=self.claims,
            fingerprint=self.fingerprint,
            body=self.body,
            owner=self.owner,
            owned_until_ms=self.owned_until_ms or None,
            rests=self.rests,
            lost_at_ms=lost_at_ms,
        )

    def lives_with_an_owner(self, now_ms: int) -> bool:
        """Whether somebody's claim is live."""
        return self.owner is not None and self.owned_until_ms > now_ms

    def leases_lost(self, now_ms: int) -> int:
        """The present one included; of a suspect only one that ran out while its owner had nothing else in hand."""
        if self.owner is None or self.owned_until_ms > now_ms:
            return self.claims
        return self.claims + 1 if self.alone else max(self.claims, min(self.claims + 1, ALONE_AT_CLAIMS))

    def why_not(self, commit: Commit, *, lost_at_ms: int) -> CommitOutcome | None:
        """What refuses a commit of its owner's, if anything does."""
        if self.version != commit.expected_version or lost_at_ms > commit.lost_at_ms:
            return CommitOutcome.CONFLICT
        if commit.own_move and self.observed > commit.observed_seen:
            return CommitOutcome.NEWS
        if commit.event is not None and commit.event_sequence != self.sequence + 1:
            return CommitOutcome.CONFLICT
        return None

    def committed(self) -> Committed:
        """The answer to a commit that was written."""
        return Committed(
            outcome=CommitOutcome.COMMITTED,
            version=self.version,
            sequence=self.sequence,
            observed=self.observed,
            observations=tuple(self.observations),
        )
