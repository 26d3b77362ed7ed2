"""The provider's limit, shared by all workers through Redis and granted in blocks."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.permit_line import PermitLine
from orchestrator.adapters.permits import BLOCK_MS, FULL_WAIT_MS, HELD_MS, Ask, Grant, Standing
from orchestrator.adapters.redis_calls import RedisCalls
from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.adapters.redis_scripts import OUTCOME, PAUSE, PERMIT
from orchestrator.adapters.shared_limit import merchant_of, position_of
from orchestrator.breaker import (
    FORGOTTEN_AFTER_MS,
    OPENS_AT,
    PROBE_FIRST_MS,
    PROBE_MAX_MS,
    PROBES_PER_OUTAGE,
    RAMP_FROM,
    RAMP_MS,
    Turn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from redis.asyncio import Redis

    from orchestrator.adapters.call_rate import CallRate
    from orchestrator.ports import CallClass

_BREAKER = (PROBE_FIRST_MS, PROBE_MAX_MS, PROBES_PER_OUTAGE, RAMP_MS, RAMP_FROM)


class RedisLimiter:
    """Limiter on Redis TIME; belongs to one event loop. Calls that ask Redis raise StoreUnavailableError.

    `rate_of` is asked for a merchant's rate each time. `held_ms` is longer than any call lasts: so long the calls of
    a worker that is gone count as being on the wire. A permit whose reply is lost was used up; nothing else comes of
    it.
    """

    def __init__(
        self,
        client: Redis,
        *,
        namespace: str = "",
        rate_of: Callable[[str], CallRate],
        held_ms: int = HELD_MS,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = RedisCalls(client)
        self._keys = RedisKeys(namespace=namespace)
        self._rate_of = rate_of
        self._held_ms = held_ms
        self._now_s = now_s
        self._id = uuid.uuid4().hex[:12]
        self._lines: dict[str, PermitLine] = {}

    async def close(self) -> None:
        """Let the calls under way end, then close the client's connections."""
        await asyncio.gather(*(line.close() for line in self._lines.values()))
        await self._calls.close()

    async def permit(self, account: str, call_class: CallClass) -> int:
        """0 where the call may be made now, else milliseconds to wait before asking again."""
        return await self._line(account).permit(position_of(call_class))

    def ended(self, account: str) -> None:
        """A call that had a permit is over, or was not made."""
        self._line(account).ended()

    async def outcome(self, account: str, *, is_alive: bool) -> Turn | None:
        """Tell the breaker whether the provider answered; what that changed. Asks Redis only where it matters."""
        line = self._line(account)
        if is_alive and not line.failures:
            return None
        line.failures = max(line.failures, 1)
        times = (FORGOTTEN_AFTER_MS, PROBE_FIRST_MS, RAMP_MS)
        breaker = self._keys.limit(account)[5]
        changed = await self._calls.script(OUTCOME, (breaker,), (int(is_alive), OPENS_AT, *times))
        if changed:
            line.void()
        return Turn(changed.decode()) if changed else None

    def rationed(self) -> Mapping[str, float]:
        """The merchants that were refused a permit just now, and how many calls a second they may begin."""
        now_s = self._now_s()
        rations: dict[str, float] = {}
        free: set[str] = set()
        for account, line in self._lines.items():
            merchant = merchant_of(account)
            if line.rationed_until_s <= now_s:
                free.add(merchant)  # its other accounts are not held up
            rate_per_s = self._rate_of(merchant).rate_per_s if line.standing is Standing.OPEN else 0.0
            rations[merchant] = max(rate_per_s, rations.get(merchant, 0.0))
        return {merchant: rate_per_s for merchant, rate_per_s in rations.items() if merchant not in free}

    def broken(self) -> Sequence[str]:
        """The accounts whose breaker was open when this process last asked."""
        return tuple(account for account, line in self._lines.items() if line.standing is Standing.BROKEN)

    async def pause(self, account: str, *, for_ms: int, reason: str) -> None:
        """Refuse all permits of a merchant, or of one of its accounts; a longer pause stays, 0 ends any.

        Other workers use up what they were given for the block.
        """
        for line in self._lines.values():
            line.void()
        *_, pause, _ = self._keys.limit(account)
        await self._calls.command("SADD", self._keys.ever_paused, account)
        await self._calls.script(PAUSE, (pause,), (for_ms, reason))

    async def paused(self) -> Mapping[str, str]:
        """The merchants and accounts paused now and why."""
        ever = await self._calls.command("SMEMBERS", self._keys.ever_paused)
        accounts = sorted(name.decode() for name in ever)
        reasons = await asyncio.gather(
            *(self._calls.command("GET", self._keys.limit(account)[4]) for account in accounts)
        )
        return {
            account: reason.decode() for account, reason in zip(accounts, reasons, strict=True) if reason is not None
        }

    async def outages(self, accounts: Iterable[str]) -> Mapping[str, int]:
        """Those of these accounts whose breaker is open, and since when, in milliseconds; whoever opened it."""
        named = sorted(accounts)
        opened = await asyncio.gather(
            *(self._calls.command("HGET", self._keys.limit(account)[5], "opened") for account in named)
        )
        return {account: int(since) for account, since in zip(named, opened, strict=True) if since is not None}

    def _line(self, account: str) -> PermitLine:
        line = self._lines.get(account)
        if line is None:
            line = self._lines[account] = PermitLine(
                account,
                holder=f"{self._id}/{account}",
                ask=self._ask,
                interval_s=lambda: 1 / self._rate_of(merchant_of(account)).rate_per_s,
                now_s=self._now_s,
            )
        return line

    async def _ask(self, ask: Ask) -> Grant:
        rate = self._rate_of(merchant_of(ask.account))
        arguments = (
            *(rate.interval_us, rate.burst, rate.look_interval_us),
            *(rate.max_concurrency, ask.holder, ask.on_wire, self._held_ms, BLOCK_MS, FULL_WAIT_MS),
            *_BREAKER,
            *ask.wanted,
            *ask.ahead,
        )
        answer: Any = await self._calls.script(PERMIT, self._keys.limit(ask.account), arguments)
        given, wait_ms, standing, failures = answer
        return Grant(given=tuple(given), wait_ms=tuple(wait_ms), standing=Standing(standing), failures=failures)
