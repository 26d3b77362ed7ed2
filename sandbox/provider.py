"""The provider: its payments, its clock, and what it says when one of them changes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sandbox import views
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.payments import Payment
from sandbox.replies import RefusalError, unprocessable
from sandbox.schedule import Schedule
from sandbox.settings import SandboxSettings
from sandbox.webhooks import Courier

WEBHOOK_BODIES = {"payin": views.payin_webhook, "card": views.card_webhook}


class Provider:
    """Holds everything in memory; a restart forgets it."""

    def __init__(self, *, settings: SandboxSettings, clock: Clock) -> None:
        """Start without payments."""
        self.settings = settings
        self.clock = clock
        self.schedule = Schedule(clock=clock)
        self.faults = Faults()
        self.ledger = Ledger(clock=clock)
        self.payments: dict[str, Payment] = {}
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
        self.done("create", payment, announce=False)

    def done(
        self, kind: str, payment: Payment, *, amount_minor: int | None = None, announce: bool | None = None
    ) -> None:
        """Write a deed into the ledger and announce it; by default as the pages say which status is."""
        self.ledger.write(kind, payment, amount_minor)
        if self._is_announced(payment) if announce is None else announce:
            self.courier.announce(payment, WEBHOOK_BODIES[payment.flow](payment, self.settings))

    def find(self, app_id: str, uuid: str, *, flow: str) -> Payment:
        """Return the app's own payment; refuses any other as if it did not exist."""
        payment = self.payments.get(uuid)
        if payment is None or payment.app_id != app_id or payment.flow != flow:
            raise RefusalError(self.settings.not_found_status, {"message": "Payment not found."})
        return payment

    def of_app(self, app_id: str, *, flow: str) -> list[Payment]:
        """Return the app's payments of a flow, newest first."""
        return [row for row in reversed(self.payments.values()) if row.app_id == app_id and row.flow == flow]

    def refuse_duplicate(self, app_id: str, external_id: str, *, flow: str) -> None:
        """Refuse a second payment of the same external id, if the sandbox is set to be so strict."""
        if not self.settings.unique_external_ids or not external_id:
            return
        if any(payment.external_id == external_id for payment in self.of_app(app_id, flow=flow)):
            raise unprocessable(external_id="has already been taken")

    def _is_announced(self, payment: Payment) -> bool:
        return payment.flow == "card" or payment.status in self.settings.payin_announces
