"""Whatever the provider says, people decide and services command: it settles, and it can be explained.

Stories are made of a seed: the same seed is the same story. A seed that ever failed is kept.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.advance import notify
from orchestrator.dialect import Dialect
from orchestrator.observation import DecisionSeen, WebhookSeen
from orchestrator.policy import Policy
from tests.unit.core.building import (
    card_body,
    card_intent,
    gateway_body,
    gateway_intent,
    gateway_reply,
    payid_body,
    payid_intent,
    payin_body,
    payin_intent,
)
from tests.unit.engine.world import (
    CARD,
    EMPTY_LIST,
    GATEWAY,
    HOUR_MS,
    LOST,
    MINUTE_MS,
    PAYID,
    PAYIN,
    World,
    said,
)
from workers.cli.explain import Found, explained_of
from workers.cli.explained import lines_of

if TYPE_CHECKING:
    from orchestrator.ports import Reply

STORIES = 200
CODE = "777123"
MANUAL = {"token": "tok_dfe1988a1ffc0d6562d3", "return_url": "https://s.example/", "capture": "manual"}
MOBILE = {"payin_method_name": "gh_mobile_money_ghs", "payin_method_params": {"account_number": "0551234567"}}
WORDS = (
    *("pending", "authorised", "waiting", "received", "expired", "failed", "canceled", "mystery"),
    *("return_pending", "return_received", "return_rejected", "return_expired", "partially_refunded", "refunded"),
    *("in_dispute", "dispute_lost"),
)
SECRETS = (CODE, "tok_", "://", "po1.", "Lovelace", "ada@")
FLOWS: dict[str, tuple[Any, ...]] = {
    "card": (CARD, card_intent(), card_body, {"uuid": "OTHER123"}),
    "manual card": (CARD, card_intent(method=MANUAL), card_body, {"uuid": "OTHER123"}),
    "payin": (PAYIN, payin_intent(), payin_body, {"uuid": "OTHER123"}),
    "mobile money": (PAYIN, payin_intent(currency="GHS", method=MOBILE), payin_body, {"uuid": "OTHER123"}),
    "payid": (PAYID, payid_intent(), payid_body, {"id": 999}),
    "gateway_link": (GATEWAY, gateway_intent(), gateway_body, {"payment_id": 777}),
}


class Story:
    """One payment to which everything happens that the dice say."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.flow = self.dice.choice(sorted(FLOWS))
        self.key, self.intent, self._body, self._other = FLOWS[self.flow]
        self.words = ("received", *self.dice.sample(WORDS, 3))  # few, so that they meet
        self.world = World(Policy(dialect=Dialect(card_refund_unit="minor")))
        for kind in ("create", "capture", "refund", "otp", "list", "card", "status", "detail"):
            self.world.provider.script(kind, *(self.reply(kind) for _ in range(self.dice.randint(1, 4))))

    def body(self, *words: str) -> dict[str, Any]:
        """What the provider says; now and then of another payment."""
        changes = self._other if self.dice.random() < 0.1 else {}
        stage = {"stage": "authorize_otp", "currency": "GHS"} if self.flow == "mobile money" else {}
        body: dict[str, Any] = self._body(self.dice.choice(words or self.words), **stage | changes)
        own_id = "order_id" if self.flow == "gateway_link" else "external_id"
        return body | {own_id: self.dice.choice([None, "ord-9"])} if self.dice.random() < 0.08 else body

    def reply(self, kind: str) -> Reply:
        """How a call is answered."""
        if self.dice.random() < 0.2:
            return LOST
        if self.dice.random() < 0.15:
            return said({"errors": {"code": "NO"}}, self.dice.choice([400, 403, 404, 409, 422, 500, 503]))
        if kind == "list":
            page = {"records": [self.body()], "per_page": 20}
            return self.dice.choice([EMPTY_LIST, said(page), said({"records": [self.body(), self.body()]})])
        if kind == "otp":
            return self.dice.choice([said({"status": "Ok"}), said({})])
        if kind == "create" and self.flow == "gateway_link":
            return said(gateway_reply(payment_id=self.dice.choice([46345, 222])))
        return said(self.body(*(("pending", "authorised", "received") if kind == "create" else ())))

    async def goes_on(self, number: int) -> None:
        """One more thing happens."""
        happens = self.dice.choice([self._hook, self._hook, self._time, self._command, self._person, self._truth])
        await happens(number)

    async def _hook(self, _: int) -> None:
        seen = WebhookSeen(attempt=self.dice.choice([1, 1, 2]), at_ms=self.world.clock.ms, body=json.dumps(self.body()))
        await notify(self.key, seen, engine=self.world.engines["w1"])
        await self.world.turn()

    async def _time(self, _: int) -> None:
        await self.world.pass_time(self.dice.choice([1_000, MINUTE_MS, 2 * MINUTE_MS, HOUR_MS]))

    async def _truth(self, _: int) -> None:
        kind = self.dice.choice(["card", "status", "detail", "list", "refund", "capture"])
        self.world.provider.script(kind, self.reply(kind))

    async def _command(self, number: int) -> None:
        name = self.dice.choice(["refund", "refund", "capture", "cancel", "confirm_otp"])
        refund = {"refund_id": f"r-{self.dice.randint(1, 3)}", "amount_minor": self.dice.choice([100, 2_500, 10_000])}
        fields: dict[str, dict[str, Any]] = {"refund": refund, "confirm_otp": {"code": CODE}}
        await self.world.command(name, key=self.key, command_id=f"c-{number}", **fields.get(name, {}))

    async def _person(self, number: int) -> None:
        payment = await self.world.payment(self.key)
        operation = self.dice.choice(sorted(payment.operations))
        outcome = self.dice.choice(["executed", "not_executed", "send_again", "accept_amount", "clear"])
        decision = DecisionSeen(
            decision_id=f"d-{number}",
            at_ms=self.world.clock.ms,
            actor="ada",
            reason="because it is so",
            evidence="OPS-7",
            outcome=outcome,
            operation=None if outcome in {"accept_amount", "clear"} else operation,
            attempt=payment.operations[operation].attempt,
            reference=str(next(iter(self._other.values()))),
            reviews=payment.review,
        )
        await notify(self.key, decision, engine=self.world.engines["w1"])
        await self.world.turn()

    async def explained(self) -> str:
        """As a person reads it."""
        record = await self.world.store.load(self.key)
        assert record is not None
        found = Found(record=record, due_at_ms=self.world.store.due(self.key), paused=None)
        return "\n".join(lines_of(explained_of(found, policy=self.world.policy, now_ms=self.world.clock.ms)))


@pytest.mark.parametrize("seed", range(STORIES))
async def test_whatever_happens_it_settles_and_can_be_explained(seed):
    story = Story(seed)
    await story.world.submit(story.intent)
    for number in range(story.dice.randint(3, 14)):
        await story.goes_on(number)
        told = await story.explained()
        assert not [secret for secret in SECRETS if secret in told]
    await story.world.pass_time(HOUR_MS)

    assert story.world.ledger.said("payment.many_steps") == 0
    await story.world.assert_consistent(story.key)
    views = [event["data"] for event in story.world.events(story.key)]
    for name in ("customer_paid", "settled", "refunded_minor"):
        assert [view[name] for view in views] == sorted(view[name] for view in views)
