"""What is written into a payment's history: each function compares the payment before and after. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.history import Entry, Verdict, What, added, line_of, name, word
from orchestrator.judgement import answer_of, changes, claim, judged
from orchestrator.payment import OperationState, Payment
from orchestrator.provider_error import parse_error
from orchestrator.sighting import Sighting, Source
from orchestrator.statuses import Review

if TYPE_CHECKING:
    from orchestrator.commands import Command
    from orchestrator.errors import RefusedError
    from orchestrator.observation import DecisionSeen
    from orchestrator.ports import Reply

LATE_MS = 5_000  # what was applied so long after it came is marked as late
_WHAT = {
    Source.WEBHOOK: What.WEBHOOK,
    Source.READ: What.READ,
    Source.SCAN: What.SCAN,
    Source.REPLY: What.REPLY,
}
_OF_OPERATIONS = {
    OperationState.READY: Verdict.NOT_EXECUTED,
    OperationState.REFUSED: Verdict.REFUSED,
    OperationState.IN_DOUBT: Verdict.IN_DOUBT,
    OperationState.DONE: Verdict.APPLIED,
}
_OPEN = frozenset({OperationState.SENDING, OperationState.IN_DOUBT})


def noted(
    payment: Payment,
    what: What,
    *,
    now_ms: int,
    came_ms: int | None = None,
    said: str = "",
    verdict: Verdict | None = None,
    detail: str = "",
) -> Payment:
    """The payment with a line more in its history; `came_ms` is when that was said to us."""
    late_ms = now_ms - came_ms if came_ms is not None else 0
    if late_ms >= LATE_MS:
        said = f"{said} (came {late_ms // 1000} s before)".lstrip()
    entry = Entry(at_ms=now_ms, what=what, said=said, verdict=verdict or "", detail=detail)
    return payment.with_history(added(payment.history, line_of(entry)))


def sighted(
    before: Payment, after: Payment, sighting: Sighting, *, now_ms: int, came_ms: int | None = None, answers: str = ""
) -> Payment:
    """`after` with what a webhook, a read or a scan told; `answers` says what was answered where nothing was usable."""
    verdict, detail = judged(before, after, sighting)
    said = claim(sighting) if sighting.usable else answers
    if (sighting.attempt or 1) > 1:
        said = f"#{sighting.attempt} {said}".rstrip()
    what = _WHAT[sighting.source]
    return noted(after, what, now_ms=now_ms, came_ms=came_ms, said=said, verdict=verdict, detail=detail)


def replied(
    before: Payment,
    after: Payment,
    operation_name: str,
    reply: Reply,
    sighting: Sighting,
    *,
    now_ms: int,
    came_ms: int | None = None,
) -> Payment:
    """`after` with the reply to an operation's call and what it showed of the operation."""
    # The record of a capture goes where a person found that nothing was captured.
    was, operation = before.operations.get(operation_name), after.operations.get(operation_name)
    verdict, detail = judged(before, after, sighting, but=operation_name)
    attempt = f"#{was.attempt}" if was is not None and was.state in _OPEN else ""
    if attempt and operation is not None and operation.state is not OperationState.SENDING:
        verdict = _OF_OPERATIONS[operation.state]
    elif not sighting.usable:
        verdict = Verdict.STALE  # to a sending that is over
    if verdict is Verdict.REFUSED:
        detail = word(parse_error(reply.http_status or 0, reply.body).code) or f"HTTP {reply.http_status}"
    told = claim(sighting) if sighting.usable else ""
    said = " ".join(filter(None, (f"{operation_name}{attempt}", answer_of(reply), told)))
    return noted(after, What.REPLY, now_ms=now_ms, came_ms=came_ms, said=said, verdict=verdict, detail=detail)


def commanded(
    before: Payment,
    after: Payment,
    command: Command,
    *,
    now_ms: int,
    came_ms: int,
    refused: RefusedError | None = None,
) -> Payment:
    """`after` with a command, obeyed, refused or answered before; its code is not kept here."""
    verdict, detail = Verdict.APPLIED, changes(before, after)
    if refused is not None:
        verdict, detail = Verdict.REFUSED, refused.code
    elif command.command_id in before.commands:
        verdict = Verdict.REPEATED
    said = f"{command.name} {command.command_id}"
    return noted(after, What.COMMAND, now_ms=now_ms, came_ms=came_ms, said=said, verdict=verdict, detail=detail)


def decided(
    before: Payment, after: Payment, decision: DecisionSeen, *, now_ms: int, refused: RefusedError | None = None
) -> Payment:
    """`after` with the decision of a person, carried out or refused; its words are in the audit alone."""
    verdict, detail = Verdict.APPLIED, changes(before, after)
    if refused is not None:
        verdict, detail = Verdict.REFUSED, refused.code
    elif decision.decision_id in before.decisions:
        verdict = Verdict.REPEATED
    words = (decision.outcome, decision.operation or "", "by", decision.actor)
    said = " ".join(name(each) for each in words if each)
    return noted(after, What.PERSON, now_ms=now_ms, came_ms=decision.at_ms, said=said, verdict=verdict, detail=detail)


def parked(payment: Payment, *, why: str, now_ms: int) -> Payment:
    """The payment put aside with a review, since it cannot be advanced."""
    aside = payment.with_review(Review.PARKED)
    return noted(aside, What.PARKED, now_ms=now_ms, said=why, verdict=Verdict.APPLIED, detail=changes(payment, aside))


def called(payment: Payment, operation_name: str, *, now_ms: int) -> Payment:
    """The payment that was marked: this operation's request goes out next."""
    return noted(
        payment, What.CALL, now_ms=now_ms, said=f"{operation_name}#{payment.operations[operation_name].attempt}"
    )


def moved(before: Payment, after: Payment, what: What, *, now_ms: int, said: str = "") -> Payment:
    """`after` with a move of our own; unchanged where nothing moved."""
    if after is before or after == before:
        return after
    return noted(after, what, now_ms=now_ms, said=said, verdict=Verdict.APPLIED, detail=changes(before, after))
