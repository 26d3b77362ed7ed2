"""The provider: its payments, its clock, and what it says when one of them changes."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator

from sandbox import views, views_v1
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.payments import Payment
from sandbox.replies import Json, RefusalError, unprocessable
from sandbox.schedule import Schedule
from sandbox.settings import SandboxSettings
from sandbox.tokens import Tokens
from sandbox.webhooks import Courier

WEBHOOK_BODIES = {
    "payin": views.payin_webhook,
    "card": views.card_webhook,
    "payid": views_v1.payid_object,
    "gateway_link": views_v1.gateway_webhook,
}
NUMBERED = ("payid", "gateway_link")


class Provider:
    """Holds everything in memory; a restart forgets it."""

    def __init__(self, *, settings: SandboxSettings, clock: Clock) -> None:
        """Start without payments."""
        self.settings = settings
        self.clock = clock
        self.schedule = Schedule(clock=clock)
        self.faults = Faults()
        self.ledger = Ledger(clock=clock)
        self.tokens = Tokens(clock=clock)
        self.contacts: dict[tuple[str, str], Json] = {}
        self.payments: dict[str, Payment] = {}
        self._known: dict[tuple[str, str], Payment] = {}
        # Both flows count from one start, so that their numbers overlap as they may at the provider.
        start = random.randrange(100_000, 900_000)
        self._numbers = {flow: itertools.count(start) for flow in NUMBERED}
        self.courier = Courier(clock=clock, schedule=self.schedule, faults=self.faults, settings=lambda: self.settings)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let time pass: due jobs start and webhooks leave as long as this is open."""
        runner = asyncio.create_task(self.schedule.run())
        try:
            yield
        finally:
            runner.cancel()
            await asyncio.gather(runner, return_exceptions=True)
            await self.schedule.close()
            await self.courier.close()

    def change_settings(self, settings: SandboxSettings) -> None:
        """Take other settings from now on."""
        self.settings = settings
        self.clock.set_speed(settings.speed)
        self.schedule.ring()

    def admit(self, payment: Payment) -> None:
        """Keep a new payment; this is the moment it is made."""
        self.payments[payment.uuid] = payment
        for key in filter(None, (str(payment.id), payment.pay_id)):
            self._known[payment.flow, key] = payment
        self.done("create", payment, announce=False)

    def done(
        self, kind: str, payment: Payment, *, amount_minor: int | None = None, announce: bool | None = None
    ) -> None:
        """Write a deed into the ledger and announce it; by default as the pages say which status is."""
        self.ledger.write(kind, payment, amount_minor)
        if self._is_announced(payment) if announce is None else announce:
            self.courier.announce(payment, WEBHOOK_BODIES[payment.flow](payment, self.settings))

    def number(self, flow: str) -> int:
        """Return the next id of a flow that counts its payments."""
        return next(self._numbers[flow])

    def find(self, app_id: str, key: str, *, flow: str) -> Payment:
        """Return the app's own payment by the id (or the PayID) the merchant knows; refuses any other."""
        payment = self.lookup(app_id, key, flow=flow)
        if payment is None:
            raise RefusalError(self.settings.not_found_status, {"message": "Payment not found."})
        return payment

    def lookup(self, app_id: str, key: str, *, flow: str) -> Payment | None:
        """Return the app's own payment by the id (or the PayID) the merchant knows; None if there is none."""
        payment = self._known.get((flow, key))
        return payment if payment is not None and payment.app_id == app_id else None

    def of_app(self, app_id: str, *, flow: str) -> list[Payment]:
        """Return the app's payments of a flow, newest first."""
        return [row for row in reversed(self.payments.values()) if row.app_id == app_id and row.flow == flow]

    def refuse_duplicate(self, app_id: str, external_id: str, *, flow: str, field: str = "external_id") -> None:
        """Refuse a second payment of the same external id, if the sandbox is set to be so strict."""
        if not self.settings.unique_external_ids or not external_id:
            return
        if any(payment.external_id == external_id for payment in self.of_app(app_id, flow=flow)):
            raise unprocessable(**{field: "has already been taken"})

    def _is_announced(self, payment: Payment) -> bool:
        announced = {"payin": self.settings.payin_announces, "gateway_link": self.settings.gateway_announces}
        return payment.flow not in announced or payment.status in announced[payment.flow]
