"""Whether calls for a merchant have stopped: paused by somebody, or because the provider is away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers.bootstrap import open_limiter, terms_of
from workers.cli.checks import Finding

if TYPE_CHECKING:
    from workers.bootstrap import Settings

_ADVICE = {
    "operator": "celery -A workers.app control payorch_resume {account}",
    "unauthorised": "the provider refuses app-id or secret-key of {account}: put them right",
    "rate_limited": "it resumes by itself; lower the limit of {account} if this comes again",
    "unavailable": "it resumes by itself",
}


def check_merchants(settings: Settings) -> list[Finding]:
    """The merchants and accounts whose calls wait, and why; raises StoreUnavailableError."""
    return asyncio.run(_check(settings))


async def _check(settings: Settings) -> list[Finding]:
    terms = terms_of(settings)
    limiter = open_limiter(settings)
    try:
        paused = await limiter.paused()
        outages = await limiter.outages(terms.credentials)
    finally:
        await limiter.close()
    found = [
        Finding.warning("accounts", f"{account} is paused: {reason}", _ADVICE.get(reason, "").format(account=account))
        for account, reason in paused.items()
    ]
    for account, since_ms in outages.items():
        since = datetime.fromtimestamp(since_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        said = f"no calls for {account} since {since}: the provider does not answer"
        found.append(Finding.warning("accounts", said, "workers ask again by themselves; see the check `provider`"))
    return found or [Finding.ok("accounts", f"{len(terms.names)} configured, none is paused")]
