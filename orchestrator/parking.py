"""Payments that cannot be advanced are put aside: visible, tried again rarely; all others go on (I9)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.codec import decode
from orchestrator.errors import FencedError, StoreCorruptError
from orchestrator.held import Held, commit, until_answered
from orchestrator.notes import parked
from orchestrator.payment import public_view
from orchestrator.ports import ALONE_AT_CLAIMS, CommitOutcome
from orchestrator.sighting import Source

if TYPE_CHECKING:
    from orchestrator.engine import Engine
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import Committed, Record

RESTS_MS = (10_000, 60_000, 300_000, 3_600_000, 86_400_000)  # one after another, the last again and again
PARKED_FROM = 2  # a person is told of this rest and the later ones, by a review
UNREADABLE_MS = 60_000  # meanwhile another version of the program may take it


async def park(record: Record, *, engine: Engine) -> None:
    """Put aside a payment with which a worker died that had nothing else in hand.

    Where a worker died of doing this, it is put aside unopened: then only the log tells of it.
    """
    rest_ms = _rest_ms(PARKED_FROM + record.rests)
    why = f"{record.claims} leases ran out"
    if record.claims > ALONE_AT_CLAIMS + 1 or not await _told(record, why, rest_ms, engine):
        await _rest(record, rest_ms, engine)
    _tell(record, why, rest_ms, engine)


async def put_aside(key: PaymentKey, error: Exception, *, engine: Engine) -> None:
    """Put aside a claimed payment whose turn raised an error; nothing happens where the claim was lost meanwhile.

    One that this version cannot read is left as it is, for another version.
    """
    try:
        await _put_aside(key, error, engine)
    except FencedError:
        engine.journal.warning("payment.fenced", payment=str(key))


async def _put_aside(key: PaymentKey, error: Exception, engine: Engine) -> None:
    record = await until_answered(lambda: engine.store.load(key), engine=engine)
    if record is None or record.owner != engine.owner:
        return
    if isinstance(error, StoreCorruptError):
        engine.journal.warning("payment.unreadable", payment=str(key), error=str(error))
        await _rest(record, UNREADABLE_MS, engine)
        return
    rest_ms = _rest_ms(record.rests)
    why = f"{record.rests + 1} turns failed"
    if record.rests < PARKED_FROM or not await _told(record, why, rest_ms, engine):
        await _rest(record, rest_ms, engine)
    if record.rests >= PARKED_FROM:
        _tell(record, why, rest_ms, engine)


def _rest_ms(rests: int) -> int:
    return RESTS_MS[min(rests, len(RESTS_MS) - 1)]


async def _told(record: Record, why: str, rest_ms: int, engine: Engine) -> bool:
    """Put aside with a review, published; what waits for the payment goes on waiting. False: it cannot be told."""
    try:
        answer = await _parked(record, why, rest_ms, engine)
        if answer.outcome is CommitOutcome.CONFLICT and answer.record is not None:
            # The store lost writes meanwhile: what it holds now is put aside.
            answer = await _parked(answer.record, why, rest_ms, engine)
    except FencedError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever cannot be told of must be put aside all the same
        engine.journal.warning("payment.not_told", payment=str(record.key), error=type(error).__name__)
        return False
    return answer.outcome is CommitOutcome.COMMITTED


async def _parked(record: Record, why: str, rest_ms: int, engine: Engine) -> Committed:
    stored = decode(record.body)
    held = Held(
        record=replace(record, observed=record.observed - len(record.observations), observations=()),
        stored_view=public_view(stored),
        payment=stored,
        source=Source.CLOCK,
        changed=True,
    )
    aside = parked(stored, why=why, now_ms=engine.clock.now_ms())
    return await commit(held, aside, engine=engine, source=Source.CLOCK, rest_ms=rest_ms)


async def _rest(record: Record, rest_ms: int, engine: Engine) -> None:
    rest = partial(engine.store.rest, record.key, owner=engine.owner, rests=record.rests, for_ms=rest_ms)
    await until_answered(rest, engine=engine)


def _tell(record: Record, why: str, rest_ms: int, engine: Engine) -> None:
    engine.journal.warning("payment.parked", payment=str(record.key), why=why, for_s=rest_ms // 1000)
