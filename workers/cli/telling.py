"""A payment's history and reviews as sentences for a person. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from orchestrator.events import rfc3339
from orchestrator.history import HIDDEN, Entry, Verdict, What, entry_of
from orchestrator.statuses import Review

if TYPE_CHECKING:
    from collections.abc import Iterable

_OPERATION = re.compile(r"\b(create|capture|confirm_otp|refund:[A-Za-z0-9_-]+)#(\d+)")
# A label, and how what was said is told; `{}` is what was said.
_WHATS: dict[str, tuple[str, str]] = {
    What.INTENT: ("intent", "came {} and was stored"),
    What.COMMAND: ("command", "{}"),
    What.PERSON: ("person", "{}"),
    What.CALL: ("call", "{}: marked as sending, then sent"),
    What.REPLY: ("reply", "{}"),
    What.WEBHOOK: ("webhook", "{}"),
    What.READ: ("read", "{}"),
    What.SCAN: ("list", "{}"),
    What.CLOCK: ("clock", "by our own clock{}"),
    What.LEFT: ("worker", "the worker that held it is gone, with a call under way{}"),
    What.TAIL_LOST: ("store", "Redis lost writes that it had confirmed: this may have been sent before{}"),
    What.PARKED: ("parked", "{}: put aside for a while"),
    What.UNREADABLE: ("unread", "something was kept for it that this version cannot read{}"),
    What.LEFT_OUT: ("…", "entries that are not kept{}"),
}
_NOTHING_SAID = {
    What.WEBHOOK: "nothing that could be understood",
    What.READ: "nothing that could be understood",
    What.SCAN: "read to its end",
}
# How the verdict is told; `{}` is what it led to, or the code of a refusal.
_VERDICTS: dict[str, str] = {
    Verdict.APPLIED: "applied",
    Verdict.SAME: "nothing new",
    Verdict.STALE: "out of order: the payment is past it, nothing changed",
    Verdict.TO_CONFIRM: "kept until a read confirms it",
    Verdict.UNUSABLE: "of no use, nothing changed",
    Verdict.ABSENT: "does not show what was looked for",
    Verdict.NOT_OURS: "speaks of another payment, not applied",
    Verdict.UNKNOWN: "a status that nobody documents, not applied",
    Verdict.NOT_EXECUTED: "certainly not executed, tried again later",
    Verdict.REFUSED: "refused",
    Verdict.IN_DOUBT: "nobody knows whether it was executed, it is looked up",
    Verdict.REPEATED: "answered before, nothing done again",
}
_STATES = {"ready": "is to be sent", "done": "was executed", "in_doubt": "is in doubt", "absent": "left no trace"}
_NOT_SHOWN = "a word that is not shown"
_LEADING = frozenset({"", Verdict.APPLIED, Verdict.REFUSED})
_DETAILS = {
    "reference": "the provider's id is another now",
    "next_action": "what the customer has to do is another",
    "failure": "other words for the failure",
    "customer_paid": "the customer paid",
    "settled": "settled",
    "amount_minor": "amount told",
    "total_minor": "total told",
    "paid_minor": "paid sum told",
    "refunded_minor": "returned sum told",
    "expires_at_ms": "deadline told",
}
REVIEWS: dict[str, str] = {
    Review.AMBIGUOUS_WAITING_3DS: "the provider said waiting and gave a 3DS page; nothing to do unless it stays",
    Review.AMOUNT_MISMATCH: "the provider speaks of another amount than was asked; settle the difference",
    Review.CURRENCY_MISMATCH: "the provider speaks of another currency than was asked; ask the provider",
    Review.AUTHORISATION_AGED: "authorised long ago and not captured; capture it before the authorisation ends",
    Review.DUPLICATE_EXTERNAL_ID: "two payments at the provider carry this id; find out which one counts",
    Review.FOREIGN_REFERENCE: "something was said here of a payment with another id; find out whose it is",
    Review.IN_DOUBT_AGED: "whether a call was executed stays unknown; ask the provider, then payorch resolve",
    Review.LATE_PAYMENT: "money came after the end; deliver or return it",
    Review.NOT_CAPTURED: "a person found that it was not captured; send it again with payorch resolve",
    Review.OVERPAID: "more was paid than was asked; settle the difference with the customer",
    Review.PARKED: "its workers died again and again; read the log around it",
    Review.PAY_CODE_OVERDUE: "what the customer needs to pay has not come; ask the provider",
    Review.REGRESSION_OBSERVED: "the provider took back what was final; compare with its dashboard",
    Review.REFUND_AMOUNT_UNKNOWN: "the provider did not say how much went back; look it up there",
    Review.STALE: "nothing was heard for too long; ask the provider",
    Review.UNCONFIRMED: "a webhook said success and no read confirmed it; compare with the provider's dashboard",
    Review.UNDERPAID: "less was paid than was asked; settle the difference with the customer",
    Review.UNEXPECTED_OBSERVATION: "the provider spoke of a payment that we never sent; compare with its dashboard",
    Review.UNKNOWN_STATUS: "the provider used a status that nobody documents; compare with its dashboard",
    Review.UNMATCHED_NONCE: "money came without the right reference; settle it with the provider",
}


def told(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The history as objects, each with its sentence under `text`."""
    return [_told(entry_of(line)) for line in lines]


def label_of(what: str) -> str:
    """Who speaks in an entry, in one short word."""
    return _WHATS.get(what, (what, ""))[0]


def _told(entry: Entry) -> dict[str, Any]:
    return {
        "at": rfc3339(entry.at_ms),
        "last_at": rfc3339(entry.last_at_ms) if entry.last_at_ms else None,
        "times": entry.times,
        "what": entry.what,
        "said": entry.said or None,
        "verdict": entry.verdict or None,
        "led_to": entry.detail or None,
        "text": _sentence(entry),
    }


def _sentence(entry: Entry) -> str:
    template = _WHATS.get(entry.what, ("", "{}"))[1]
    said = _claimed(entry)
    first = template.format(said) if "{}" in template else template
    verdict = _VERDICTS.get(entry.verdict, entry.verdict)
    if entry.what == What.INTENT:
        verdict = ""
    led_to = ", ".join(_detail(word) for word in entry.detail.split(", ") if word)
    became = ": ".join(filter(None, (verdict, led_to))) if entry.verdict in _LEADING else _in_brackets(verdict, led_to)
    repeated = f" ({entry.times} times, the last at {rfc3339(entry.last_at_ms)})" if entry.times > 1 else ""
    return _operations(first + (f" → {became}" if became else "")) + repeated


def _claimed(entry: Entry) -> str:
    if entry.what == What.READ and entry.verdict == Verdict.UNUSABLE and entry.said:
        return f"answered {entry.said}"
    if entry.what == What.SCAN and entry.said == "in part":
        return "could be read in part only"
    if entry.what == What.REPLY:
        operation, _, answer = entry.said.partition(" ")
        return f"{operation}: {answer}"
    if not entry.said:
        return _NOTHING_SAID.get(What(entry.what), "") if entry.what in set(What) else ""
    return ", ".join(_NOT_SHOWN if part == HIDDEN else part for part in entry.said.split(", "))


def _in_brackets(verdict: str, led_to: str) -> str:
    return f"{verdict} ({led_to})" if led_to else verdict


def _detail(word: str) -> str:
    if word.startswith("+"):
        return f"review {word[1:]}"
    if word.startswith("-"):
        return f"review {word[1:]} is over"
    operation, _, state = word.partition(" ")
    return f"{operation} {_STATES.get(state, state)}" if state else _DETAILS.get(word, word)


def _operations(text: str) -> str:
    """`capture#2` as `capture (attempt 2)`; the first attempt is not worth a word."""
    return _OPERATION.sub(lambda found: found[1] if found[2] == "1" else f"{found[1]} (attempt {found[2]})", text)
