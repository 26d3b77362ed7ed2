"""The limiter's twin in memory: the same limits on the clock's time, asked for each call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.permits import CLASSES, Ask, Standing
from orchestrator.adapters.shared_limit import SharedLimit, merchant_of, position_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.breaker import Turn
    from orchestrator.ports import CallClass, Clock

RATIONED_MS = 3_000


class MemoryLimiter:
    """Limiter within one process; deterministic, never raises, never waits."""

    def __init__(
        self,
        *,
        clock: Clock,
        rate_per_s: float = 1.0,
        burst: int = 1,
        rate_of: Callable[[str], CallRate] | None = None,
    ) -> None:
        rate = CallRate(rate_per_s=rate_per_s, burst=burst)
        self._clock = clock
        self._rate_of = rate_of or (lambda _: rate)
        self._shared = SharedLimit(clock=clock, rate_of=self._rate_of)
        self._on_wire: dict[str, int] = {}
        self._rationed: dict[str, tuple[int, float]] = {}
        self._broken: dict[str, None] = {}

    async def close(self) -> None:
        """Nothing is held open."""

    async def permit(self, account: str, call_class: CallClass) -> int:
        """0 where the call may be made now, else milliseconds to wait before asking again."""
        position = position_of(call_class)
        wanted = tuple(int(each is call_class) for each in CLASSES)
        on_wire = self._on_wire.get(account, 0)
        grant = self._shared.grant(
            Ask(account=account, holder=account, wanted=(wanted[0], wanted[1], wanted[2]), on_wire=on_wire)
        )
        if grant.standing is Standing.BROKEN:
            self._broken[account] = None
        else:
            self._broken.pop(account, None)
        if grant.given[position]:
            self._on_wire[account] = on_wire + 1
            return 0
        merchant = merchant_of(account)
        calls_per_s = self._rate_of(merchant).rate_per_s if grant.standing is Standing.OPEN else 0.0
        self._rationed[merchant] = (self._clock.now_ms() + RATIONED_MS, calls_per_s)
        return grant.wait_ms[position]

    def ended(self, account: str) -> None:
        """A call that had a permit is over, or was not made."""
        self._on_wire[account] = max(0, self._on_wire.get(account, 0) - 1)

    async def outcome(self, account: str, *, is_alive: bool) -> Turn | None:
        """Tell the breaker whether the provider answered; what that changed."""
        return self._shared.outcome(account, is_alive=is_alive)

    def rationed(self) -> Mapping[str, float]:
        """The merchants that were refused a permit just now, and how many calls a second they may begin."""
        now_ms = self._clock.now_ms()
        return {merchant: rate for merchant, (until_ms, rate) in self._rationed.items() if until_ms > now_ms}

    def broken(self) -> Sequence[str]:
        """The accounts whose breaker is open, as far as was seen."""
        return tuple(self._broken)

    async def pause(self, account: str, *, for_ms: int, reason: str) -> None:
        """Refuse all permits of a merchant, or of one of its accounts; a longer pause stays, 0 ends any."""
        self._shared.pause(account, for_ms=for_ms, reason=reason)

    async def paused(self) -> Mapping[str, str]:
        """The merchants and accounts paused now and why."""
        return self._shared.paused()
