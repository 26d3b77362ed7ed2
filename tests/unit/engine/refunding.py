"""A paid payment of any flow, its provider, and refunds of it by command."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orchestrator.dialect import Dialect
from orchestrator.lagging import BEHIND_MS
from orchestrator.payment import Operation, refund_name
from orchestrator.policy import Policy
from tests.unit.core.building import card_body, card_intent, payid_body, payid_intent, payin_body, payin_intent
from tests.unit.engine.world import CARD, PAYID, PAYIN, World, said

if TYPE_CHECKING:
    from orchestrator.ports import ProviderRequest, Reply

FLOWS = {
    "card": (CARD, card_intent, "card", card_body),
    "payid": (PAYID, payid_intent, "status", payid_body),
    "payin": (PAYIN, payin_intent, "detail", payin_body),
}
PAID_MINOR = {"card": 10_000, "payid": 10_000, "payin": 50_000}
NO_BALANCE = said({"errors": {"code": "INSUFFICIENT", "message": "Insufficient balance."}}, 422)


class Refunded:
    """What is paid is `paid_minor`; the provider says what `says` was told last, in replies and in reads."""

    def __init__(self, flow: str, *, policy: Policy | None = None) -> None:
        self.flow = flow
        self.key, self._intent, self.read, self._body = FLOWS[flow]
        self.paid_minor = PAID_MINOR[flow]
        self.world = World(policy or Policy(dialect=Dialect(card_refund_unit="minor")))

    async def begin(self, word: str = "received") -> Refunded:
        """The payment is accepted, sent and paid."""
        self.world.provider.script("create", said(self._body(word)))
        self.says(word)
        await self.world.submit(self._intent())
        assert self.world.last(self.key)["paid_minor"] == self.paid_minor
        return self

    def body(self, word: str, *, returned_minor: int | None = None, **changes: Any) -> dict[str, Any]:
        """The provider's payment object; a payin's tells no sum (T-27)."""
        if returned_minor is None or self.flow == "payin":
            return self._body(word, **changes)
        information = {"refund_amount": str(Decimal(returned_minor) / 100)}
        if self.flow == "card":
            information["total_amount"] = "100.0"
        return self._body(word, refund_information=information, **changes)

    def says(self, word: str, **changes: Any) -> None:
        """From now on every read says so."""
        self.world.provider.script(self.read, said(self.body(word, **changes)))

    def replies(self, *lines: Any) -> None:
        """What the next refunds are answered with."""
        self.world.provider.script("refund", *lines)

    def taken(self, word: str = "return_pending", *, returned_minor: int = 2_500, **changes: Any) -> Reply:
        """The reply to a refund that the provider took."""
        body = self.body(word, returned_minor=returned_minor, **changes)
        returned = str(Decimal(returned_minor) / 100)
        shown = {"total_amount": "100.0", "refund_amount": returned, "description": "torn", "payin_request": body}
        return said(shown if self.flow == "card" else body)

    async def refund(self, refund_id: str = "r-1", *, command_id: str | None = None, **fields: Any) -> None:
        """A command comes, and the worker that hears the bell; by default under a command_id of the refund's own."""
        fields = {"refund_id": refund_id} | fields
        await self.world.command("refund", key=self.key, command_id=command_id or f"c-{refund_id}", **fields)

    async def hear(self, word: str, *, means: str | None = None, at_once: bool = False, **changes: Any) -> None:
        """A webhook says one thing; a read says the same unless the provider means another.

        Some time passed since the last change, so that no read is behind, unless it comes `at_once`.
        """
        if not at_once:
            await self.world.pass_time(BEHIND_MS)
        self.says(means or word, **changes)
        await self.world.hook(self.body(word, **changes), key=self.key)

    async def operation(self, refund_id: str = "r-1") -> Operation:
        """The stored record of a refund."""
        return (await self.world.payment(self.key)).operations[refund_name(refund_id)]

    async def settle(self) -> None:
        """Everything that was published is consistent."""
        await self.world.assert_consistent(self.key)

    @property
    def asked(self) -> list[ProviderRequest]:
        """The refunds that were sent."""
        return [request for kind, request in self.world.provider.requests if kind == "refund"]

    @property
    def story(self) -> list[str]:
        """The published statuses from the success on."""
        return self.world.story(self.key)[2:]

    @property
    def last(self) -> dict[str, Any]:
        """The view that was published last."""
        return self.world.last(self.key)

    @property
    def refusals(self) -> list[str]:
        """The codes of what was refused, in order."""
        return [code for _, code in self.world.refusals()]

    def told(self) -> list[dict[str, Any]]:
        """The events of what was refused."""
        return [json.loads(letter.event) for letter in self.world.store.dead_letters]
