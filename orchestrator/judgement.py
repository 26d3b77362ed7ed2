"""What became of something that was said of a payment: the payment before and after, and the matrix. Pure."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING

from orchestrator.history import Verdict, word
from orchestrator.observe import is_of_an_earlier_attempt, row_of
from orchestrator.payment import Operation, OperationState, Payment, PublicView, public_view
from orchestrator.sighting import READS, AmountCheck, Sighting, Source
from orchestrator.statuses import MATRIX, Move, Status

if TYPE_CHECKING:
    from orchestrator.ports import Reply

_ATTRIBUTES = tuple(
    field.name for field in fields(PublicView) if field.name not in {"status", "reason", "review", "reference"}
)
# All that the public view and the operations are made of.
_seen = attrgetter("status", "reason", "operations", "reference", *_ATTRIBUTES, "review")


def judged(before: Payment, after: Payment, sighting: Sighting, *, but: str | None = None) -> tuple[Verdict, str]:
    """What became of a sighting, and what it changed (operations other than `but`)."""
    detail = changes(before, after, but=but) if after != before else ""
    if sighting.usable:
        return _verdict(before, after, sighting, has_changed=bool(detail)), detail
    if sighting.source is Source.SCAN:
        return Verdict.ABSENT, detail
    return Verdict.APPLIED if detail else Verdict.UNUSABLE, detail


def _verdict(before: Payment, after: Payment, sighting: Sighting, *, has_changed: bool) -> Verdict:
    move = _move(before, sighting)
    rows = (
        (_is_of_another(after, sighting), Verdict.NOT_OURS),
        (move is None and not sighting.refund_fell_through, Verdict.UNKNOWN),
        (_is_to_confirm(before, after, sighting, move), Verdict.TO_CONFIRM),
        (_shows_no_trace(before, after, sighting), Verdict.ABSENT),
        (move is Move.STALE, Verdict.STALE),
        (has_changed, Verdict.APPLIED),
        # What the matrix lets through and still changed nothing came after a refund that is over.
        (move is Move.CONFIRM, Verdict.STALE),
    )
    return next((verdict for holds, verdict in rows if holds), Verdict.SAME)


def claim(sighting: Sighting) -> str:
    """What the provider said, in its own words as far as they may be shown, and what of it does not fit."""
    stage, status = word(sighting.provider_stage), word(sighting.provider_status)
    parts = (
        f"{status}/{stage}" if stage else status,
        f"action {sighting.next_action['type']}" if sighting.next_action else "",
        word((sighting.failure or {}).get("code")),
        "another amount" if sighting.amount is AmountCheck.MISMATCH else "",
        "another currency" if sighting.currency_differs else "",
    )
    return ", ".join(filter(None, parts))


def answer_of(reply: Reply) -> str:
    """`HTTP 503`, or why there was no answer; never a body."""
    if reply.http_status is not None and reply.sent:
        return f"HTTP {reply.http_status}"
    # The class of the exception, those of its causes, names of errno.
    why = "/".join(filter(None, map(word, (reply.error or "").split("/"))))
    return ("no answer" if reply.sent else "not sent") + (f" ({why})" if why else "")


def changes(before: Payment, after: Payment, *, but: str | None = None) -> str:
    """What the world, or the next step, sees differently: status, reviews, attributes, operations except `but`."""
    if _seen(before) == _seen(after):
        return ""
    words = _view_changes(public_view(before), public_view(after))
    if after.operations is before.operations:
        return ", ".join(words)
    for name, operation in after.operations.items():
        if name != but and _stand(operation) != _stand(before.operations.get(name)):
            words.append(f"{name}#{operation.attempt} {operation.state}")
        elif operation.absent_since_ms is not None and before.operations[name].absent_since_ms is None:
            words.append(f"{name}#{operation.attempt} absent")
    words += [f"{name} withdrawn" for name in before.operations if name not in after.operations]
    return ", ".join(words)


def _view_changes(was: PublicView, shown: PublicView) -> list[str]:
    if was == shown:
        return []
    words: list[str] = []
    if (was.status, was.reason) != (shown.status, shown.reason):
        words.append(f"{shown.status}/{shown.reason}" if shown.reason else str(shown.status))
    else:
        words += [name for name in _ATTRIBUTES if getattr(was, name) != getattr(shown, name)]
    if was.reference not in {None, shown.reference}:
        words.append("reference")
    words += [f"+{review}" for review in shown.review if review not in was.review]
    return [*words, *(f"-{review}" for review in was.review if review not in shown.review)]


def _stand(operation: Operation | None) -> tuple[OperationState, int] | None:
    return (operation.state, operation.attempt) if operation is not None else None


def _is_of_another(after: Payment, sighting: Sighting) -> bool:
    is_other_id = sighting.external_id not in {None, after.key.intent_id}
    is_other_reference = sighting.reference is not None and after.reference not in {None, sighting.reference}
    return is_other_id or is_other_reference or is_of_an_earlier_attempt(after, sighting)


def _move(before: Payment, sighting: Sighting) -> Move | None:
    return MATRIX[row_of(before)][sighting.target.column] if sighting.target is not None else None


def _is_to_confirm(before: Payment, after: Payment, sighting: Sighting, move: Move | None) -> bool:
    """Whether it waits for a read: a success that only a webhook told, late truth, or what may be behind."""
    has_stayed = (before.status, before.reason) == (after.status, after.reason)
    if sighting.source in READS:
        return after.look_wanted is not None and has_stayed
    is_success = sighting.target is not None and sighting.target.status is Status.SUCCEEDED
    if is_success and after.claimed is not None:
        return True
    is_open = after.look_wanted == 0 and move not in {Move.STALE, Move.MERGE}
    return is_open and has_stayed


def _shows_no_trace(before: Payment, after: Payment, sighting: Sighting) -> bool:
    """Whether a read was to show something that it does not show: a success that was told, an operation in doubt."""
    if sighting.source not in READS or (before.status, before.reason) != (after.status, after.reason):
        return False
    doubted = (name for name, operation in before.operations.items() if operation.state is OperationState.IN_DOUBT)
    is_open = any(after.operations[name].state is not OperationState.DONE for name in doubted)
    return is_open or after.claimed is not None
