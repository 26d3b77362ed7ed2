"""A claimed payment in hand, and the one way in which its changes are written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from orchestrator.absorb import absorb
from orchestrator.codec import decode, encode
from orchestrator.doubt import abandoned, left_unproven
from orchestrator.errors import FencedError, RefusedError, StoreUnavailableError
from orchestrator.events import status_event
from orchestrator.history import What
from orchestrator.next_step import Wait, next_step
from orchestrator.notes import moved
from orchestrator.payment import Payment, PublicView, public_view
from orchestrator.ports import ALONE_AT_CLAIMS, Commit, CommitOutcome, Committed, Record
from orchestrator.refuse import refuse_command
from orchestrator.sighting import Source
from orchestrator.statuses import Review

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.engine import Engine
    from orchestrator.observation import CommandSeen

CONFLICTS_MAX = 5
STORE_RETRY_MAX_S = 1.0
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A claimed payment: as stored, and as it stands with what was observed since."""

    record: Record  # its body is the claimed one; `stored_view` and `payment` tell what was written since
    stored_view: PublicView
    payment: Payment
    source: Source
    changed: bool  # whether `payment` differs from the stored one
    commands_refused: tuple[tuple[CommandSeen, RefusedError], ...] = ()
    refused: bool = False  # whether a move of our own was refused by what is stored now
    behind_ms: int = 0  # how far our clock is behind the store's, as far as the claim shows


def open_record(record: Record, *, engine: Engine, owner_is_new: bool = True, behind_ms: int = 0) -> Held:
    """Open a record: calls whose owner is gone are in doubt, waiting observations are applied."""
    stored = decode(record.body)
    now_ms = engine.clock.now_ms()
    opened = moved(stored, abandoned(stored, now_ms=now_ms), What.LEFT, now_ms=now_ms) if owner_is_new else stored
    return replace(_held(record, stored, opened, engine), behind_ms=max(behind_ms, _behind_ms(record, engine)))


def _behind_ms(record: Record, engine: Engine) -> int:
    """A claim tells the store's time: one that runs on for longer than a lease was taken on a clock before ours."""
    if record.owned_until_ms is None:
        return 0
    return max(0, record.owned_until_ms - engine.policy.lease_ms - engine.clock.now_ms())


def _held(record: Record, stored: Payment, opened: Payment, engine: Engine) -> Held:
    opened = _proven(opened, record, engine)
    absorbed = absorb(opened, record.observations, policy=engine.policy, now_ms=engine.clock.now_ms())
    # Again: a command that was obeyed just now may have been obeyed before.
    absorbed = replace(absorbed, payment=_proven(absorbed.payment, record, engine))
    if absorbed.unreadable:
        engine.journal.warning("observation.unreadable", payment=str(record.key), count=absorbed.unreadable)
    return Held(
        record=record,
        stored_view=public_view(stored),
        payment=absorbed.payment,
        source=absorbed.source or Source.CLOCK,
        changed=absorbed.payment != stored or bool(record.observations),
        commands_refused=absorbed.refused,
    )


def _proven(payment: Payment, record: Record, engine: Engine) -> Payment:
    """The payment without anything that is taken for unsent although a loss in the store may make it seem so."""
    if not record.lost_at_ms:
        return payment
    now_ms = engine.clock.now_ms()
    unproven = left_unproven(payment, lost_at_ms=record.lost_at_ms, policy=engine.policy, now_ms=now_ms)
    return moved(payment, unproven, What.TAIL_LOST, now_ms=now_ms)


async def hand_back(held: Held, *, engine: Engine, due_at_ms: int | None, settled: bool = True) -> Held | None:
    """Release the claim; what was observed is committed with it.

    `settled`: there is nothing left to do now, so nothing of this payment's is to be feared any more.
    """
    if held.changed or due_at_ms is None or (settled and _is_counted(held.record)):
        answer = await commit(
            held, held.payment, engine=engine, source=held.source, due_at_ms=due_at_ms, settled=settled
        )
        if answer.outcome is CommitOutcome.COMMITTED:
            return None
        return _reopened(answer, held, engine)
    key, owner = held.record.key, engine.owner
    due = _by_the_store(held, due_at_ms)
    await until_answered(lambda: engine.store.release(key, owner=owner, due_at_ms=due), engine=engine)
    return None


def _by_the_store(held: Held, due_at_ms: int | None) -> int | None:
    """The due time on the store's clock: there it must not come before it has come on ours, or the payment spins."""
    return due_at_ms + held.behind_ms if due_at_ms is not None else None


async def write(
    held: Held,
    change: Callable[[Payment], Payment],
    *,
    engine: Engine,
    source: Source,
    own_move: bool = False,
    keep: bool = False,
) -> Held | None:
    """Commit a change; returns the payment still held, or None once it was handed back to wait.

    On a conflict the change is made again on what is stored now, unless it was a move of our own: then the
    caller decides anew.
    """
    for _ in range(CONFLICTS_MAX):
        payment = change(held.payment)
        step = next_step(payment, policy=engine.policy, now_ms=engine.clock.now_ms())
        if isinstance(step, Wait) and not keep:
            answer = await commit(
                held, payment, engine=engine, source=source, own_move=own_move, due_at_ms=step.due_at_ms
            )
            if answer.outcome is CommitOutcome.COMMITTED:
                return None
        else:
            answer = await commit(held, payment, engine=engine, source=source, own_move=own_move, keep=True)
            if answer.outcome is CommitOutcome.COMMITTED:
                return _kept(held, payment, answer, engine)
        held = _reopened(answer, held, engine)
        if own_move:
            return replace(held, refused=True)
    engine.journal.warning("payment.conflicts", payment=str(held.record.key))
    raise FencedError(str(held.record.key))


async def commit(
    held: Held,
    payment: Payment,
    *,
    engine: Engine,
    source: Source,
    due_at_ms: int | None = None,
    keep: bool = False,
    own_move: bool = False,
    settled: bool = True,
    rest_ms: int | None = None,
) -> Committed:
    """One atomic write of state, event and due time, repeated with the same op until the store answers.

    A payment under suspicion stays so until its turn has ended `settled`; with `rest_ms` it is put aside.
    """
    record = held.record
    has_ended = settled and not keep and rest_ms is None
    forgives = has_ended or not _is_suspicious(record)
    if has_ended and Review.PARKED in payment.review:
        payment = payment.without_review(Review.PARKED)
    for seen, error in held.commands_refused:
        # Told before the commit that removes the command; a repeat tells it once.
        await until_answered(partial(refuse_command, seen, error, engine=engine), engine=engine)
    view, sequence = public_view(payment), record.sequence + 1
    changed = view != held.stored_view
    event = (
        status_event(
            payment,
            previous=held.stored_view,
            sequence=sequence,
            observed_by=source,
            now_ms=engine.clock.now_ms(),
            namespace=engine.namespace,
        )
        if changed
        else None
    )
    wanted = Commit(
        key=record.key,
        op=engine.new_id(),
        owner=engine.owner,
        expected_version=record.version,
        observed_seen=record.observed,
        body=encode(payment),
        event=event,
        event_sequence=sequence if changed else None,
        due_at_ms=_by_the_store(held, due_at_ms),
        keep_lease_ms=engine.policy.lease_ms if keep else None,
        own_move=own_move,
        forgives=forgives,
        rest_ms=rest_ms,
        lost_at_ms=record.lost_at_ms,
    )
    answer = await until_answered(lambda: engine.store.commit(wanted), engine=engine)
    if answer.outcome in {CommitOutcome.FENCED, CommitOutcome.ABSENT}:
        raise FencedError(str(held.record.key))
    if answer.outcome is CommitOutcome.COMMITTED and changed:
        engine.journal.info(
            "payment.moved",
            payment=str(record.key),
            flow=payment.flow,
            status=view.status,
            reason=view.reason,
            previous=held.stored_view.status,
            observed_by=source,
        )
        for review in sorted({*view.review} - {*held.stored_view.review}):
            engine.journal.warning("payment.needs_review", payment=str(record.key), flow=payment.flow, review=review)
    return answer


def _is_counted(record: Record) -> bool:
    return record.claims > 0 or record.rests > 0


def _is_suspicious(record: Record) -> bool:
    """Whether going on for a while proves nothing: what it did the last times may still be before it."""
    return record.claims >= ALONE_AT_CLAIMS or record.rests > 0


def _kept(held: Held, payment: Payment, answer: Committed, engine: Engine) -> Held:
    record = replace(
        held.record,
        version=answer.version,
        sequence=answer.sequence,
        observed=answer.observed,
        observations=answer.observations,
        claims=held.record.claims if _is_suspicious(held.record) else 0,
    )
    return replace(_held(record, payment, payment, engine), behind_ms=held.behind_ms)


def _reopened(answer: Committed, held: Held, engine: Engine) -> Held:
    if answer.record is None:
        raise FencedError(str(held.record.key))
    return open_record(answer.record, engine=engine, owner_is_new=False, behind_ms=held.behind_ms)


async def until_answered(ask: Callable[[], Awaitable[AnswerT]], *, engine: Engine) -> AnswerT:
    """Repeat a write that is repeatable by its op until the store answers: what is in hand is never dropped."""
    pause_s = 0.05
    while True:
        try:
            return await ask()
        except StoreUnavailableError as error:
            engine.journal.warning("store.unavailable", error=str(error))
        await engine.clock.sleep(pause_s)
        pause_s = min(2 * pause_s, STORE_RETRY_MAX_S)
