"""Two successive stored states of one payment: what a single commit may change. Pure, and fast enough for each."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.course import reachable
from orchestrator.doubt import grace_ends_ms
from orchestrator.flows import FLOWS
from orchestrator.observe import row_of
from orchestrator.payment import CONFIRM_OTP, CREATE, Operation, OperationState, Payment, public_view
from orchestrator.statuses import stage_of
from orchestrator.trail import told_otherwise, told_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.policy import Policy
    from orchestrator.trail import Finding

READY, SENDING, DONE, REFUSED, IN_DOUBT = OperationState
_MOVES: dict[OperationState, frozenset[OperationState]] = {
    READY: frozenset(OperationState),
    SENDING: frozenset(OperationState),
    IN_DOUBT: frozenset(OperationState),
    DONE: frozenset({DONE}),
    REFUSED: frozenset({REFUSED, DONE}),  # late truth
}
_UNCHANGING = ("key", "flow", "terms", "amount_minor", "currency", "credentials", "accepted_at_ms")
_RISING = ("customer_paid", "settled")


def broken_event(before: Payment | None, after: Payment, sequence: int, event: bytes | None) -> Iterator[Finding]:
    """I3, I8: an event exactly where the public view changed, and it tells the view; nothing secret in it."""
    has_changed = before is None or public_view(before) != public_view(after)
    if event is None:
        if has_changed:
            yield "I3", "the public view changed without an event"
        return
    if not has_changed:
        yield "I3", "an event was committed, but nothing of the public view changed"
    told = json.loads(event)
    data = told["data"]
    if data["sequence"] != sequence:
        yield "I3", f"its event number {sequence} has the sequence {data['sequence']}"
    previous = public_view(before).status if before is not None else None
    if data["previous_status"] != previous:
        yield "I3", f"event {sequence} follows {data['previous_status']}, but {previous} was stored"
    yield from told_otherwise(after, told)
    yield from told_secrets(after, data)


def broken_move(before: Payment, after: Payment) -> Iterator[Finding]:
    """I4, I7: no status falls back but along the matrix; what was asked stays, what is known is not forgotten."""
    stage = stage_of(after.status, after.reason)
    if (before.status, before.reason) != (after.status, after.reason) and not _is_ruled(before, after):
        row = row_of(before)
        if stage not in reachable(before.flow, row):
            yield "I4", f"it moved from {row} back to {stage}"
    for name in _UNCHANGING:
        if getattr(before, name) != getattr(after, name):
            yield "I7" if name == "amount_minor" else "I4", f"its {name} is not what was accepted"
    for name in _RISING:
        if getattr(before, name) and not getattr(after, name):
            yield "I4", f"{name} was true and is not any more"
    if before.expires_at_ms not in {None, after.expires_at_ms}:
        yield "I4", "its deadline was moved"
    is_forgotten = before.reference not in {None, after.reference, *after.aliases}
    if is_forgotten and not _is_ruled(before, after):
        yield "I4", "its reference at the provider was forgotten"


def broken_strides(before: Payment, after: Payment, *, policy: Policy) -> Iterator[Finding]:
    """I1: operations move along their table only, and are sent again only where their rules hold."""
    if _is_ruled(before, after):
        return
    for name, was in before.operations.items():
        operation = after.operations.get(name)
        if operation is None:
            yield "I1", f"the record of {name} is gone: it could be sent again"
        elif operation != was and not _is_new_code(name, was, before, after):
            yield from _stride(before, was, operation, policy)


def _stride(payment: Payment, was: Operation, operation: Operation, policy: Policy) -> Iterator[Finding]:
    name = was.name
    if operation.state not in _MOVES[was.state]:
        yield "I1", f"{name} was {was.state} and is {operation.state} again"
    elif operation.attempt < was.attempt:
        yield "I1", f"{name} was at attempt {was.attempt} and is at {operation.attempt}"
    elif operation.attempt > was.attempt:
        why_not = _why_not_again(payment, _as_doubted(was, operation, policy), operation, policy)
        if why_not:
            yield "I1", f"{name} is made again, but {why_not}"
    elif _is_sent(was, operation) and was.state is not READY and operation.unsent <= was.unsent:
        yield "I1", f"{name} was {was.state} and was sent again: nobody said that it had not arrived"


def _as_doubted(was: Operation, operation: Operation, policy: Policy) -> Operation:
    """As it came into doubt, where this very commit took a lost tail into account."""
    lost_at_ms = operation.lost_at_ms
    if was.state is not READY or lost_at_ms <= was.lost_at_ms:
        return was
    deadline_ms = lost_at_ms + policy.call_total_ms
    return replace(was, state=IN_DOUBT, lost_at_ms=lost_at_ms, deadline_ms=deadline_ms, is_unproven=True)


def _is_sent(was: Operation, operation: Operation) -> bool:
    """Whether a call was marked in this commit."""
    return operation.state is SENDING and (was.state is not SENDING or was.deadline_ms != operation.deadline_ms)


def _why_not_again(payment: Payment, was: Operation, operation: Operation, policy: Policy) -> str | None:
    flow = FLOWS[payment.flow]
    is_create = was.name == CREATE
    # In doubt only because the store lost its tail, and looked up since.
    is_first = was.is_unproven and flow.scan is not None
    is_again = is_create and not is_first
    rows = (
        (was.state not in {SENDING, IN_DOUBT}, f"it was {was.state}"),
        (operation.attempt > was.attempt + 1, f"it was at attempt {was.attempt} and is at {operation.attempt}"),
        (operation.at_ms < grace_ends_ms(was, policy), "the lost call may still arrive"),
        (is_create and was.is_proven, "the provider had spoken of it"),
        (is_create and payment.reference is not None, "the provider had given it an id"),
        (is_again and payment.flow not in policy.recreated_flows, f"a {payment.flow} payment is never made again"),
        (is_again and not flow.recreates(payment, policy), f"this {payment.flow} payment is never made again"),
        (is_create and flow.scan is not None and was.absent_since_ms is None, "no whole list was read without it"),
        (not is_create and was.absent_since_ms is None, "no read had shown that it was not executed"),
    )
    return next((why for holds, why in rows if holds), None)


def _is_new_code(name: str, was: Operation, before: Payment, after: Payment) -> bool:
    """Another one-time code, brought by another command, begins anew."""
    may_begin = was.state in {REFUSED, IN_DOUBT, DONE}
    return name == CONFIRM_OTP and may_begin and len(after.commands) > len(before.commands)


def _is_ruled(before: Payment, after: Payment) -> bool:
    """Whether a person decided something in this commit, by rules of its own."""
    return any(not refused and name not in before.decisions for name, refused in after.decisions.items())
