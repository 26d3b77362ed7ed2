"""Remote control: `celery -A workers.app control payorch_pause shop 600`, `… inspect payorch_stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.worker.control import control_command, inspect_command

from orchestrator.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

UNTIL_RESUMED_S = 10 * 365 * 86_400.0


@control_command(args=[("merchant", str), ("for_s", float)], signature="<merchant> [seconds]")
def payorch_pause(state: Any, merchant: str, for_s: float = UNTIL_RESUMED_S) -> dict[str, str]:
    """Make no calls for a merchant, or for one of its accounts (`shop:JPY`), for so long or until it is resumed."""
    if not for_s > 0:
        return {"error": "the number of seconds must be positive"}
    for_ms = int(min(for_s, UNTIL_RESUMED_S) * 1000)
    return _told(state, merchant, lambda: state.app.payorch.pause(merchant, for_ms=for_ms), "paused")


@control_command(args=[("merchant", str)], signature="<merchant>")
def payorch_resume(state: Any, merchant: str) -> dict[str, str]:
    """End a pause of a merchant or an account, whatever its reason."""
    return _told(state, merchant, lambda: state.app.payorch.pause(merchant, for_ms=0), "resumed")


@inspect_command()
def payorch_stats(state: Any) -> dict[str, Any]:
    """What each part of this worker says of itself, who is paused and which breakers are open."""
    process = state.app.payorch
    try:
        paused: object = dict(process.paused())
    except (StoreUnavailableError, TimeoutError):
        paused = "Redis does not answer"
    return {**process.about(), "paused": paused}


def _told(state: Any, merchant: str, act: Callable[[], None], done: str) -> dict[str, str]:
    """Every worker is told; the pause is one of all, so that it does not matter who does it, or how often."""
    if not state.app.payorch.has_account(merchant):
        return {"error": f"no merchant {merchant!r} is configured"}
    try:
        act()
    except (StoreUnavailableError, TimeoutError):
        return {"error": "Redis does not answer; nothing is known to have changed"}
    return {"ok": f"{merchant} {done}"}
