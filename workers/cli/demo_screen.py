"""What the demo shows: settings, a live table while it runs, the summary at the end."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.statuses import Status
from workers.cli.screen import amount, complain, printable, say, say_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from workers.cli.demo_model import Order
    from workers.cli.demo_run import Result
    from workers.cli.demo_story import EventData, Story

FRAMES_PER_S = 8
LINE_EVERY_S = 2.0


class Board:
    """The live table on a terminal, a line now and then elsewhere; always on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._next_s = 0.0

    def show(self, story: Story, total: int, elapsed_s: float) -> None:
        """Draw, at most some times a second."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        if self._console.is_terminal:
            self._next_s = now_s + 1 / FRAMES_PER_S
            self._live.update(_drawn(story, total, elapsed_s), refresh=True)
        else:
            self._next_s = now_s + LINE_EVERY_S
            complain(f"{elapsed_s:5.1f} s  {_counted(story, total)}")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()


def show_settings(settings: Mapping[str, str]) -> None:
    """Tell what the run is set to, beside the defaults."""
    complain("settings of this run (its secrets are its own and not shown):")
    for name, value in settings.items():
        complain(f"  {name}={value}")


def show_summary(result: Result) -> None:
    """The table of scenarios, and what does not agree."""
    say()
    say_table(
        ("scenario", "ended", "creates", "captures", "paid", "refunded"),
        [_row(name, orders, result) for name, orders in _by_scenario(result).items()],
    )
    story, refused = result.story, Counter(str(data["code"]) for data in result.story.refusals.values())
    say()
    say(f"refused: {', '.join(f'{code} {count}' for code, count in sorted(refused.items())) or 'nothing'}")
    say(
        f"{len(result.orders)} payments, {story.heard} events ({story.redelivered} redelivered), "
        f"{len(result.ledger)} entries in the provider's ledger, {result.token_calls} access token, "
        f"{result.elapsed_s:.1f} s"
    )
    for difference in result.differences:
        say(f"  differs: {difference.about}: {difference.what}")
    say(
        f"FAILED: {len(result.differences)} differences"
        if result.differences
        else "OK: every payment ended as expected; ledger, events and stored payments agree"
    )


def summary(result: Result, *, settings: Mapping[str, str]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "ok": not result.differences,
        "elapsed_s": round(result.elapsed_s, 1),
        "payments": len(result.orders),
        "events": result.story.heard,
        "redelivered": result.story.redelivered,
        "token_calls": result.token_calls,
        "scenarios": [_figures(name, orders, result) for name, orders in _by_scenario(result).items()],
        "refusals": dict(Counter(str(data["code"]) for data in result.story.refusals.values())),
        "differences": [{"about": each.about, "what": each.what} for each in result.differences],
        "settings": dict(settings),
    }


def _by_scenario(result: Result) -> dict[str, list[Order]]:
    grouped: dict[str, list[Order]] = {}
    for order in result.orders:
        grouped.setdefault(order.scenario.name, []).append(order)
    return grouped


def _figures(name: str, orders: list[Order], result: Result) -> dict[str, Any]:
    ids = {order.intent_id for order in orders}
    last = [data for each in ids if (data := result.story.last(each)) is not None]
    kinds = Counter(str(entry["kind"]) for entry in result.ledger if entry["external_id"] in ids)
    scenario = orders[0].scenario
    return {
        "name": name,
        "flow": scenario.flow,
        "expected": scenario.status,
        "reason": scenario.reason,
        "payments": len(orders),
        "ended": dict(Counter(str(data["status"]) for data in last)),
        "creates": kinds["create"],
        "captures": kinds["capture"],
        "paid_minor": sum(int(data["paid_minor"]) for data in last),
        "refunded_minor": sum(int(data["refunded_minor"]) for data in last),
        "currency": scenario.currency,
    }


def _row(name: str, orders: list[Order], result: Result) -> tuple[str, ...]:
    figures = _figures(name, orders, result)
    money = [
        amount(figures[name], figures["currency"]) if figures[name] else "-"
        for name in ("paid_minor", "refunded_minor")
    ]
    ending = f"{figures['expected']}/{figures['reason']}" if figures["reason"] else figures["expected"]
    ended = f"{figures['ended'].get(figures['expected'], 0)}/{len(orders)} {ending}"
    return (name, ended, str(figures["creates"]), str(figures["captures"]), *money)


def _counted(story: Story, total: int) -> str:
    by_status = Counter[str]()
    for (_, status), number in story.counts().items():
        by_status[status] += number
    shown = ", ".join(f"{number} {status}" for status, number in sorted(by_status.items()))
    return f"{story.heard} events; of {total} payments: {shown or 'none heard of yet'}"


def _drawn(story: Story, total: int, elapsed_s: float) -> Group:
    counts = story.counts()
    statuses = [status for status in Status if any(status == seen for _, seen in counts)]
    table = Table("flow", *statuses, title=f"{total} payments · {story.heard} events · {elapsed_s:.1f} s")
    for flow in sorted({flow for flow, _ in counts}):
        table.add_row(flow, *(str(counts[flow, status] or "·") for status in statuses))
    return Group(table, *(Text(_line(data)) for data in story.recent))


def _line(data: EventData) -> str:
    reason = f" ({data['reason']})" if data["reason"] else ""
    worth = amount(data["amount_minor"], str(data["currency"]))
    return printable(f"  {data['intent_id']} #{data['sequence']} {data['status']}{reason} · {worth}")
