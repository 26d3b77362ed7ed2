"""The gateway's access tokens: one a credential set, kept until shortly before they end, fetched once for all."""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.ports import ProviderRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.ports import Clock

    Permit = Callable[[], Awaitable[int]]

_SENDABLE = re.compile(r"[\x21-\x7e]+")
LIFETIME_S = 3600  # where the provider names none, and at most


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenCall:
    """How a token is fetched and sent; only a fuller copy of the page says so (contract 4.2, 4.3)."""

    path: str = "/v1/payment_gateways/access_token"
    method: str = "GET"
    header: str = "access-token"
    margin_s: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Token:
    value: str = field(repr=False)
    ends_s: float


class AccessTokens:
    """Memory of one process; belongs to one event loop. `fetch` makes the token call (T-03: by GET)."""

    def __init__(self, *, clock: Clock, fetch: Callable[[ProviderRequest], Awaitable[Reply]], call: TokenCall) -> None:
        self._clock = clock
        self._fetch = fetch
        self._call = call
        self._tokens: dict[str, _Token] = {}
        self._fetching: dict[str, asyncio.Task[Reply | None]] = {}

    def current(self, credentials: str) -> str | None:
        """The token to send now, or None where there is none or it is about to end."""
        token = self._tokens.get(credentials)
        return token.value if token is not None and self._clock.monotonic_s() < token.ends_s else None

    async def ensure(self, credentials: str, *, permit: Permit) -> Reply | None:
        """See to a current token, with one call for any number of callers; the provider's reply where it gave none."""
        if self.current(credentials) is not None:
            return None
        fetching = self._fetching.get(credentials)
        if fetching is None:
            fetching = asyncio.create_task(self._refresh(credentials, permit))
            self._fetching[credentials] = fetching
            fetching.add_done_callback(lambda _: self._fetching.pop(credentials, None))
        return await asyncio.shield(fetching)

    def drop(self, credentials: str, value: str) -> None:
        """Forget a token that the provider did not accept, unless it was replaced since."""
        token = self._tokens.get(credentials)
        if token is not None and token.value == value:
            del self._tokens[credentials]

    async def _refresh(self, credentials: str, permit: Permit) -> Reply | None:
        wait_ms = await permit()
        if wait_ms:
            return Reply(sent=False, error="no_permit", retry_after_s=math.ceil(wait_ms / 1000))
        # Taken before the request: the provider's clock starts when it answers, never earlier.
        asked_s = self._clock.monotonic_s()
        reply = await self._fetch(
            ProviderRequest(operation="token", credentials=credentials, method=self._call.method, path=self._call.path)
        )
        is_answered = reply.http_status is not None and reply.http_status // 100 == 2
        body = reply.body if is_answered and isinstance(reply.body, dict) else {}
        value = body.get("access_token")
        if not isinstance(value, str) or not _SENDABLE.fullmatch(value):
            return reply
        self._tokens[credentials] = _Token(value=value, ends_s=asked_s + self._kept_s(body.get("expires_in")))
        return None

    def _kept_s(self, expires_in: object) -> float:
        lifetime_s = LIFETIME_S
        if isinstance(expires_in, int) and not isinstance(expires_in, bool) and expires_in > 0:
            lifetime_s = min(expires_in, LIFETIME_S)
        # A token that lives no longer than the margin is still good for the call it was fetched for.
        return max(lifetime_s - self._call.margin_s, lifetime_s / 2)
