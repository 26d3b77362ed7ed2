"""What `payorch explain` found out, as lines for a person."""

from __future__ import annotations

from typing import Any

from orchestrator.history import word
from orchestrator.payment import OperationState
from orchestrator.statuses import FINAL
from workers.cli.screen import amount
from workers.cli.telling import label_of
from workers.cli.views import status_of

_STATES: dict[str, str] = {
    OperationState.READY: "to be sent",
    OperationState.SENDING: "on the wire",
    OperationState.DONE: "done",
    OperationState.REFUSED: "refused",
    OperationState.IN_DOUBT: "in doubt",
}


def lines_of(explained: dict[str, Any]) -> list[str]:
    """How it stands, what happened, which calls were made, what it waits for, when it is looked at next."""
    return [
        *_header(explained),
        "",
        "What happened",
        *(f"  {line}" for line in _history(explained["history"])),
        "",
        "Calls that create or move money",
        *(f"  {line}" for line in _operations(explained)),
        "",
        "It waits for",
        *(f"  {line}" for line in _waits_for(explained)),
        "",
        *_next(explained),
    ]


def _header(explained: dict[str, Any]) -> list[str]:
    provider, failure = explained["provider"], explained["failure"] or {}
    says = "/".join(filter(None, (word(provider["status"]), word(provider["stage"]))))
    pairs = [
        ("payment", f"{explained['merchant']}/{explained['intent_id']}"),
        ("flow", explained["flow"]),
        ("status", f"{status_of(explained)}" + (f", since {explained['since']}" if explained["since"] else "")),
        ("amount", ", ".join(_amounts(explained))),
        ("provider", ", ".join(filter(None, (provider["reference"], f"says {says}" if says else "")))),
        ("failure", ": ".join(filter(None, (failure.get("code"), failure.get("message"))))),
        *(("review", f"{review['name']}: {review['meaning']}") for review in explained["review"]),
    ]
    return [f"{name.ljust(8)}  {value}" for name, value in pairs if value]


def _amounts(explained: dict[str, Any]) -> list[str]:
    currency = explained["currency"]
    sums = (("paid", explained["paid_minor"]), ("returned", explained["refunded_minor"]))
    asked = amount(explained["amount_minor"], currency)
    return [asked, *(f"{name} {amount(minor, currency)}" for name, minor in sums if minor)]


def _history(entries: list[dict[str, Any]]) -> list[str]:
    width = len(str(len(entries)))
    return [
        f"{number:>{width}}  {entry['at']}  {label_of(entry['what']).ljust(7)}  {entry['text']}"
        for number, entry in enumerate(entries, 1)
    ] or ["nothing was written down: an earlier version stored it"]


def _operations(explained: dict[str, Any]) -> list[str]:
    is_over, currency = explained["status"] in FINAL, explained["currency"]
    return [_operation(name, state, currency, is_over=is_over) for name, state in explained["operations"].items()]


def _operation(name: str, state: dict[str, Any], currency: str, *, is_over: bool) -> str:
    is_never_sent = is_over and state["state"] == OperationState.READY
    parts = (
        f"{name}: {'not sent' if is_never_sent else _STATES[state['state']]} since {state['since']}",
        amount(state["amount_minor"], currency) if state["amount_minor"] is not None else "",
        f"attempt {state['attempt']}",
        (state["outcome"] or "").replace("_", " "),
        f"looks so far: {state['looks']}" if state["looks"] else "",
        f"tries that were not executed: {state['tries_not_executed']}" if state["tries_not_executed"] else "",
    )
    return ", ".join(filter(None, parts))


def _waits_for(explained: dict[str, Any]) -> list[str]:
    lines = [line for sentence in explained["waits_for"] for line in sentence.replace("; ", ";\n  ").splitlines()]
    if explained["waiting_observations"]:
        kinds = ", ".join(f"{count} {kind}" for kind, count in explained["waiting_observations"].items())
        lines.append(f"a worker to apply what was said since: {kinds}")
    if explained["merchant_paused"]:
        lines.append(f"its merchant, whose calls are paused: {explained['merchant_paused']}")
    return lines


def _next(explained: dict[str, Any]) -> list[str]:
    owner, lost, rests = explained["owner"], explained["leases_that_ran_out"], explained["times_put_aside"]
    pairs = (
        ("Next look", "; then: ".join(filter(None, (explained["next_look"], explained["next_move"])))),
        ("In hand of", f"{owner['name']}, whose lease ends at {owner['until']} unless it is renewed" if owner else ""),
        ("Leases", f"{lost} ran out since it last went on: its workers died, or stood still" if lost else ""),
        ("Put aside", f"times since it last went on: {rests}" if rests else ""),
    )
    return [f"{name.ljust(10)}  {value}" for name, value in pairs if value]
