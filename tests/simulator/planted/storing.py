"""Mistakes in the store's protocol and in how it is used."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator import accept, events, held
from orchestrator.adapters.memory_payment import StoredPayment
from orchestrator.adapters.memory_store import MemoryStore
from orchestrator.ports import CommitOutcome, Committed, NotifyOutcome
from tests.simulator.planted.bug import Bug, Wrapped, attribute, together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Acceptance, Commit


class _EventApart(Wrapped):
    async def commit(self, commit: Commit) -> Committed:
        if commit.event is None:
            return await self._committed(commit)
        bare = replace(commit, event=None, event_sequence=None, keep_lease_ms=commit.keep_lease_ms or 10_000)
        written = await self._committed(bare)
        if written.outcome is not CommitOutcome.COMMITTED:
            return written
        seen = commit.observed_seen
        return await self._committed(
            replace(commit, op=f"{commit.op}-event", expected_version=written.version, observed_seen=seen)
        )

    async def _committed(self, commit: Commit) -> Committed:
        answer: Committed = await self._real.commit(commit)
        return answer


@contextmanager
def _event_apart() -> Iterator[None]:
    real = held.commit

    async def commit(*args: Any, engine: Any, **rest: Any) -> Committed:
        return await real(*args, engine=replace(engine, store=_EventApart(engine.store)), **rest)

    with attribute(held, "commit", commit):
        yield


@contextmanager
def _sequence_apart() -> Iterator[None]:
    """As with an INCR of its own before the script: what is drawn and not written is gone."""
    drawn: Counter[PaymentKey] = Counter()
    real_event, real_write, real_why_not = events.status_event, MemoryStore._write, StoredPayment.why_not

    def status_event(payment: Any, *, sequence: int, **rest: Any) -> bytes:
        drawn[payment.key] = max(drawn[payment.key] + 1, sequence)
        return real_event(payment, sequence=drawn[payment.key], **rest)

    def why_not(stored: StoredPayment, commit: Commit, **rest: Any) -> CommitOutcome | None:
        return real_why_not(stored, replace(commit, event_sequence=stored.sequence + 1), **rest)

    def write(store: MemoryStore, stored: StoredPayment, commit: Commit) -> None:
        real_write(store, stored, commit)
        stored.sequence = max(stored.sequence, drawn[commit.key])

    with together(
        attribute(held, "status_event", status_event),
        attribute(StoredPayment, "why_not", why_not),
        attribute(MemoryStore, "_write", write),
    ):
        yield


@contextmanager
def _no_fencing() -> Iterator[None]:
    async def commit(store: MemoryStore, commit: Commit) -> Committed:
        stored = store._payments.get(commit.key)
        if stored is None:
            return Committed(outcome=CommitOutcome.ABSENT)
        if stored.op != commit.op:
            store._write(stored, commit)
        return stored.committed()

    with attribute(MemoryStore, "commit", commit):
        yield


@contextmanager
def _lost_wake_up() -> Iterator[None]:
    def let_go(store: MemoryStore, stored: StoredPayment, due_at_ms: int | None) -> None:
        stored.owner = None
        stored.owned_until_ms = 0
        if due_at_ms is None:
            store._due.pop(stored.key, None)
        else:
            store._set_due(stored.key, due_at_ms)

    with attribute(MemoryStore, "_let_go", let_go):
        yield


@contextmanager
def _claim_for_ever() -> Iterator[None]:
    real = MemoryStore._lease

    def lease(store: MemoryStore, stored: StoredPayment, owner: str, lease_ms: int) -> None:
        real(store, stored, owner, lease_ms)
        store._due.pop(stored.key, None)

    with attribute(MemoryStore, "_lease", lease):
        yield


@contextmanager
def _no_dedup() -> Iterator[None]:
    real = MemoryStore.commit

    async def commit(store: MemoryStore, commit: Commit) -> Committed:
        stored = store._payments.get(commit.key)
        if stored is not None and stored.op == commit.op:
            stored.op = ""
        return await real(store, commit)

    with attribute(MemoryStore, "commit", commit):
        yield


@contextmanager
def _removed_unseen() -> Iterator[None]:
    real = MemoryStore._write

    def write(store: MemoryStore, stored: StoredPayment, commit: Commit) -> None:
        stored.observations.clear()
        real(store, stored, commit)

    with attribute(MemoryStore, "_write", write):
        yield


@contextmanager
def _never_removed() -> Iterator[None]:
    real = MemoryStore._write

    def write(store: MemoryStore, stored: StoredPayment, commit: Commit) -> None:
        real(store, stored, replace(commit, observed_seen=0))

    with attribute(MemoryStore, "_write", write):
        yield


@contextmanager
def _news_ignored() -> Iterator[None]:
    real = StoredPayment.why_not

    def why_not(stored: StoredPayment, commit: Commit, **rest: Any) -> CommitOutcome | None:
        return real(stored, replace(commit, own_move=False), **rest)

    with attribute(StoredPayment, "why_not", why_not):
        yield


@contextmanager
def _overwritten() -> Iterator[None]:
    real = MemoryStore.accept

    async def unknown(_: MemoryStore, __: PaymentKey) -> str | None:
        return None

    async def overwrite(store: MemoryStore, key: PaymentKey, **fields: Any) -> Acceptance:
        stored = store._payments.get(key)
        if stored is not None and stored.op != fields["op"]:
            del store._payments[key]
        return await real(store, key, **fields)

    with together(
        attribute(MemoryStore, "find_fingerprint", unknown),
        attribute(MemoryStore, "accept", overwrite),
    ):
        yield


@contextmanager
def _early_dropped() -> Iterator[None]:
    real = MemoryStore.notify

    async def notify(store: MemoryStore, key: PaymentKey, observation: bytes, **rest: Any) -> NotifyOutcome:
        if key not in store._payments:
            return NotifyOutcome.ORPHANED
        return await real(store, key, observation, **rest)

    with attribute(MemoryStore, "notify", notify):
        yield


@contextmanager
def _conflict_is_known() -> Iterator[None]:
    def fingerprint(received: dict[str, Any]) -> str:
        return str(received.get("intent_id"))

    with attribute(accept, "fingerprint", fingerprint):
        yield


BUGS = (
    Bug(
        name="event-outside-the-commit",
        breaks=("I3",),
        rule="State, event and due time are written in one script.",
        mistake="The event is appended by a second call, after the state was written.",
        plant=_event_apart,
    ),
    Bug(
        name="sequence-outside-the-script",
        breaks=("I3",),
        rule="An event's number is given by the script that writes it.",
        mistake="The number is drawn before the commit, which may then be refused or lost.",
        plant=_sequence_apart,
    ),
    Bug(
        name="no-fencing",
        breaks=("I1", "I2", "I3", "I4"),
        rule="A commit compares version and owner.",
        mistake="Whoever once held the claim may write: neither is compared.",
        plant=_no_fencing,
    ),
    Bug(
        name="lost-wake-up",
        breaks=("I2", "I6"),
        rule="A payment that is handed back while observations wait is due at once.",
        mistake="The due time that was decided before they came overwrites theirs.",
        plant=_lost_wake_up,
    ),
    Bug(
        name="claim-for-ever",
        breaks=("I2",),
        rule="A claimed payment stays in the due index, at the end of its lease.",
        mistake="A claim takes it off the index, and only its owner puts it back.",
        plant=_claim_for_ever,
    ),
    Bug(
        name="no-dedup-of-ops",
        breaks=("I1", "I2", "I3"),
        rule="A commit that is repeated for want of an answer gets the first answer again.",
        mistake="It is compared as if it were somebody else's write.",
        plant=_no_dedup,
    ),
    Bug(
        name="removed-unseen",
        breaks=("I2",),
        rule="A commit removes the observations that its owner has seen.",
        mistake="It removes all that wait.",
        plant=_removed_unseen,
    ),
    Bug(
        name="never-removed",
        breaks=("I2", "I9"),
        rule="A commit removes the observations that its owner has seen.",
        mistake="It removes none.",
        plant=_never_removed,
    ),
    Bug(
        name="news-ignored",
        breaks=("I1", "I4", "I5"),
        rule="A move of our own is refused while observations wait that it has not seen.",
        mistake="It is written all the same.",
        plant=_news_ignored,
    ),
    Bug(
        name="duplicate-overwrites",
        breaks=("I1", "I2", "I3"),
        rule="A known intent is not stored again.",
        mistake="Storing does not ask whether the id is there: a duplicate begins the payment anew.",
        plant=_overwritten,
    ),
    Bug(
        name="early-word-dropped",
        breaks=("I2",),
        rule="What comes before its payment is kept for it.",
        mistake="It is acknowledged and dropped.",
        plant=_early_dropped,
    ),
    Bug(
        name="conflict-is-the-same-intent",
        breaks=("I2", "I9"),
        rule="Another content under a known id is refused, with one dead letter.",
        mistake="The id alone decides: it counts as the intent that is known.",
        plant=_conflict_is_known,
    ),
)
