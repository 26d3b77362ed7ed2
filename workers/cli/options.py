"""Options and arguments that several commands take."""

from __future__ import annotations

import getpass
import re
from contextlib import suppress
from typing import Annotated

import typer

from orchestrator.identity import DEFAULT_MERCHANT, PaymentKey

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,9})([smhd]?)")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Merchant = Annotated[str, typer.Option("--merchant", "-m", help="Whose payment it is.")]
IntentId = Annotated[str, typer.Argument(metavar="ID", help="The intent_id, or merchant/intent_id.")]


def examples(*lines: str) -> str:
    """The end of a command's help, whose lines are not joined."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def payment_key(intent_id: str, merchant: str = DEFAULT_MERCHANT) -> PaymentKey:
    """The payment that was meant; the form of events and logs, merchant/intent_id, is understood."""
    if "/" in intent_id:
        return PaymentKey.parse(intent_id)
    return PaymentKey(merchant=merchant, intent_id=intent_id)


def user() -> str:
    """Who is logged in; empty where the system has no name for them."""
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return ""


def seconds(text: str) -> int:
    """`90`, `90s`, `10m`, `2h`, `7d` in seconds; raises typer.BadParameter."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter("give a time such as 90s, 10m, 2h or 7d")
    return int(match[1]) * _UNITS_S[match[2]]
