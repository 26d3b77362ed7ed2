"""The courier: hands webhooks over, again after 15 minutes unless the answer is exactly 200."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import aiohttp

from sandbox.clock import Clock
from sandbox.dates import with_z
from sandbox.faults import WEBHOOK_FAULTS, Faults
from sandbox.payments import Delivery, Payment
from sandbox.replies import Json, encode
from sandbox.schedule import Schedule
from sandbox.settings import SandboxSettings

RETRIES = 3
AT_ONCE_MOST = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """One announcement; every attempt carries the same bytes."""

    payment: Payment
    status: str
    body: bytes
    attempt: int = 1


class Courier:
    """Delivers letters on the schedule and notes each attempt on its payment."""

    def __init__(
        self, *, clock: Clock, schedule: Schedule, faults: Faults, settings: Callable[[], SandboxSettings]
    ) -> None:
        """Start with an empty bag."""
        self._clock, self._schedule, self._faults, self._settings = clock, schedule, faults, settings
        self._session: aiohttp.ClientSession | None = None
        self._room = asyncio.Semaphore(AT_ONCE_MOST)
        self.held: list[Letter] = []

    def announce(self, payment: Payment, body: Json) -> None:
        """Send `body` to the payment's endpoint soon, unless webhooks are off or it has none."""
        if not payment.endpoint_url or not self._settings().webhooks:
            return
        letter = Letter(payment=payment, status=payment.status, body=encode(body))
        facts = {"external_id": payment.external_id, "uuid": payment.uuid, "status": payment.status}
        fault = self._faults.take({**facts, "app_id": payment.app_id}, WEBHOOK_FAULTS)
        if fault is None:
            self._post(letter)
        elif fault.name == "hold_webhooks":
            self.held.append(letter)
        elif fault.name == "duplicate_webhook":
            copies = fault.options.get("copies", 2)
            for _ in range(copies if isinstance(copies, int) else 2):
                self._post(letter)

    def release(self, *, backwards: bool) -> int:
        """Send the held letters, newest first if `backwards`; returns their number."""
        letters, self.held = self.held, []
        for letter in reversed(letters) if backwards else letters:
            self._post(letter)
        return len(letters)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _post(self, letter: Letter, delay_s: float = 0.0) -> None:
        self._schedule.after(delay_s, partial(self._deliver, letter))

    async def _deliver(self, letter: Letter) -> None:
        if not self._settings().webhooks:
            return
        async with self._room:
            status, error = await self._send(letter)
        letter.payment.deliveries.append(
            Delivery(
                at=with_z(self._clock.now()),
                status=letter.status,
                attempt=letter.attempt,
                answer=status,
                error=error,
            )
        )
        if status != 200 and letter.attempt <= RETRIES:
            self._post(replace(letter, attempt=letter.attempt + 1), self._settings().webhook_retry_s)

    async def _send(self, letter: Letter) -> tuple[int | None, str | None]:
        headers = {"Content-Type": "application/json"}
        if letter.payment.authorization_header:
            headers["Authorization"] = letter.payment.authorization_header
        timeout = aiohttp.ClientTimeout(total=self._settings().webhook_timeout_s)
        try:
            async with self._connections().post(
                letter.payment.endpoint_url,
                data=letter.body,
                headers=headers,
                allow_redirects=False,
                timeout=timeout,
            ) as reply:
                await reply.read()
                return reply.status, None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return None, type(error).__name__

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            # A kept connection that the receiver has closed meanwhile would look like a failed delivery.
            connector = aiohttp.TCPConnector(limit=AT_ONCE_MOST, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session
