"""`payorch resolve ID …`."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from orchestrator.decisions import Outcome, check_words
from orchestrator.errors import RefusedError
from orchestrator.identity import DEFAULT_MERCHANT
from workers.bootstrap import build_settings, open_audit, open_store, policy_of
from workers.cli.cases import ON_OPERATIONS, Case, Words, case_of, sample
from workers.cli.failures import FAILED
from workers.cli.options import AsJson, examples, payment_key, seconds, user
from workers.cli.progress import Progress
from workers.cli.resolving import Resolving
from workers.cli.screen import complain, say, say_json, say_table
from workers.cli.selection import KEYS, Filter, parsed_filter, scan
from workers.cli.standing import open_clock, say_if_it_takes_long

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.identity import PaymentKey
    from workers.bootstrap import Settings

LIMIT = 1000
TIMEOUT = "60s"
COLUMNS = ("payment", "operation", "now", "result", "then", "why")
MEANINGS = {
    Outcome.EXECUTED: "the operation was executed; a create needs --reference",
    Outcome.NOT_EXECUTED: "it never was, and is not sent any more",
    Outcome.SEND_AGAIN: "it never was (create and capture), and is sent once more",
    Outcome.ACCEPT_AMOUNT: "what was paid is enough",
    Outcome.CLEAR: "the reviews named with --clear were looked at",
}
OUTCOMES = "\n".join(("\b", "Decisions:", *(f"  {name:<13}  {meaning}" for name, meaning in MEANINGS.items())))
EXAMPLES = examples(
    "payorch resolve ord-1001 --as executed --reference PSADT5CE --reason 'found it' --evidence OPS-7",
    "payorch resolve ord-1001 --as send_again --reason 'dashboard shows nothing' --evidence OPS-7",
    "payorch resolve --filter status=in_doubt --filter older-than=1h --as not_executed --dry-run \\",
    "    --reason 'provider lost the minute' --evidence 'mail of 14:02'",
    "payorch resolve ord-1001 --clear overpaid --reason 'settled with the customer' --evidence OPS-8",
)
_OPERATION = re.compile(r"create|capture|confirm_otp|refund:[A-Za-z0-9_-]{1,64}")
app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog=f"{OUTCOMES}\n\n{EXAMPLES}")
def resolve(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="intent_id, or merchant/intent_id.")] = None,
    outcome: Annotated[Outcome | None, typer.Option("--as", help="What is decided; see below.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; at least 5 characters.")] = "",
    evidence: Annotated[str, typer.Option("--evidence", help="What shows it: a ticket, a line of the dashboard.")] = "",
    operation: Annotated[
        str | None,
        typer.Option("--operation", help="create, capture, confirm_otp or refund:ID.", show_default="the one in doubt"),
    ] = None,
    reference: Annotated[str | None, typer.Option("--reference", help="The provider's id of the payment.")] = None,
    paid_minor: Annotated[
        int | None, typer.Option("--paid-minor", min=1, help="What was paid, where the provider did not say it.")
    ] = None,
    clear: Annotated[list[str] | None, typer.Option("--clear", metavar="REVIEW", help="A review looked at.")] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="NAME=VALUE", help=f"Instead of IDs: {', '.join(KEYS)}, as in list."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many of a filter.")] = LIMIT,
    merchant: Annotated[
        str | None, typer.Option("--merchant", "-m", help="Whose they are.", show_default=DEFAULT_MERCHANT)
    ] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="Who decides.", show_default="who is logged in")] = None,
    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="How long a worker has.")] = TIMEOUT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would come of it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Decide what no look at the provider can tell, after having found out; everything is written down.

    A worker applies the decision, or refuses it where it would break a promise. Exit status 0 if all were
    applied, 1 if some were refused, not found or not applied in time. The audit is the stream payorch:audit.
    """
    words = _words(
        outcome=outcome,
        operation=operation,
        actor=actor,
        reason=reason,
        evidence=evidence,
        reference=reference,
        paid_minor=paid_minor,
        clear=clear or [],
    )
    if bool(ids) == bool(filters):
        _misused("give either IDs or --filter", "ID...")
    if reference is not None and (filters or len(ids or []) > 1):
        _misused("a reference belongs to one payment", "--reference")
    keys = [payment_key(each, merchant or DEFAULT_MERCHANT) for each in dict.fromkeys(ids or [])]
    wanted = parsed_filter([*filters, *([f"merchant={merchant}"] if merchant else [])]) if filters else None
    timeout_s = seconds(timeout)
    if not (dry_run or yes or sys.stdin.isatty()):
        _misused("nobody can be asked here: give --yes, or --dry-run", "--yes")
    settings = build_settings()
    cases, is_whole = asyncio.run(_looked_up(settings, keys, wanted, words, limit))
    ready = sum(case.result == "ready" for case in cases)
    if ready and not dry_run:
        if not yes:
            _ask(cases, f"Decide {ready} of {len(cases)} as {words.outcome}?", as_json=as_json)
        cases = asyncio.run(_carried_out(settings, cases, words, timeout_s))
    _show(cases, as_json=as_json)
    if not is_whole or any(case.result not in {"applied", "ready"} for case in cases):
        raise typer.Exit(FAILED)


def _words(
    *,
    outcome: Outcome | None,
    operation: str | None,
    actor: str | None,
    reason: str,
    evidence: str,
    reference: str | None,
    paid_minor: int | None,
    clear: Sequence[str],
) -> Words:
    """What was said, as far as it can be judged without a payment; raises typer.BadParameter."""
    outcome = outcome or (Outcome.CLEAR if clear else None)
    if outcome is None:
        _misused(f"say what is decided: {', '.join(Outcome)}", "--as")
    for option, is_given, is_meant in (
        ("--clear", bool(clear), outcome is Outcome.CLEAR),
        ("--paid-minor", paid_minor is not None, outcome is Outcome.ACCEPT_AMOUNT),
        ("--reference", reference is not None, outcome is Outcome.EXECUTED),
        ("--operation", operation is not None, outcome in ON_OPERATIONS),
    ):
        if is_given and not is_meant:
            _misused(f"does not go with {outcome}", option)
    if outcome is Outcome.CLEAR and not clear:
        _misused("name the reviews that were looked at", "--clear")
    if operation is not None and not _OPERATION.fullmatch(operation):
        _misused("is one of create, capture, confirm_otp, refund:ID", "--operation")
    words = Words(
        outcome=outcome,
        operation=operation,
        actor=actor if actor is not None else user(),
        login=f"{user()}@{socket.gethostname()}",
        reason=reason.strip(),
        evidence=evidence.strip(),
        reference=reference,
        paid_minor=paid_minor,
        reviews=tuple(dict.fromkeys(clear)),
    )
    try:
        check_words(sample(words))
    except RefusedError as error:
        _misused(error.message, f"--{error.field}")
    return words


def _misused(words: str, option: str) -> NoReturn:
    raise typer.BadParameter(words, param_hint=option)


async def _looked_up(
    settings: Settings, keys: Sequence[PaymentKey], wanted: Filter | None, words: Words, limit: int
) -> tuple[list[Case], bool]:
    """Every payment that is meant with what would come of the decision; False where some cannot be read."""
    policy = policy_of(settings)
    now_ms = (await open_clock(settings)).now_ms()
    store = open_store(settings)
    try:
        if wanted is None:
            return [case_of(key, await store.load(key), words, policy=policy, now_ms=now_ms) for key in keys], True
        found = await scan(store, wanted, limit)
    finally:
        await store.close()
    if found.is_cut:
        complain(f"there are more than these {limit}; they are left out, --limit takes them in")
    if found.unreadable:
        complain(f"{found.unreadable} stored payments cannot be read by this version and are left out")
    cases = [case_of(record.key, record, words, policy=policy, now_ms=now_ms) for record in found.records]
    return cases, not found.unreadable


async def _carried_out(settings: Settings, cases: Sequence[Case], words: Words, timeout_s: float) -> list[Case]:
    clock = await open_clock(settings)
    store, audit = open_store(settings), open_audit(settings)
    patience = asyncio.create_task(say_if_it_takes_long("until a worker has applied it"))
    ready = sum(case.result == "ready" for case in cases)
    try:
        with Progress(ready) as progress:
            resolving = Resolving(
                store=store, audit=audit, clock=clock, words=words, timeout_s=timeout_s, told=progress.reached
            )
            return await resolving.carry_out(cases)
    finally:
        patience.cancel()
        await store.close()
        await audit.close()


def _ask(cases: Sequence[Case], question: str, *, as_json: bool) -> None:
    """Show what would come of it and ask; what programs read from standard output stays JSON."""
    if as_json:
        for case in cases:
            complain("  ".join(filter(None, _row(case))))
    else:
        _show(cases, as_json=False)
    typer.confirm(question, abort=True, err=True)


def _show(cases: Sequence[Case], *, as_json: bool) -> None:
    if as_json:
        for case in cases:
            say_json(case.as_json)
    elif cases:
        say_table(COLUMNS, [_row(case) for case in cases])
    else:
        say("no such payment is stored")


def _row(case: Case) -> list[str]:
    result = "would be applied" if case.result == "ready" else case.result.replace("_", " ")
    why = f"{case.code}: {case.message}" if case.code else case.message
    return [str(case.key), case.operation or "", case.now, result, case.then, why]
