"""Payments against the provider: what is asked, how often, and what is reported of one that changes meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.invariants import ProviderFact
from orchestrator.payment import Operation, Payment
from orchestrator.ports import CallClass
from orchestrator.sighting import Source
from orchestrator.statuses import Stage, Status
from tests.unit.core.building import (
    card_body,
    card_intent,
    created,
    gateway_intent,
    payid_body,
    payid_intent,
    payin_body,
    payin_intent,
)
from tests.unit.engine.world import LOST, PAYID, PAYIN, World, said
from workers.audit_findings import Audited, Findings
from workers.audit_provider import ProviderAudit, fact_in

if TYPE_CHECKING:
    from orchestrator.engine import Engine

PAY_CODE = {"pay_url": "https://pay.example/1"}
PENDING = payin_body("pending", pay_code=PAY_CODE)
PAID = payin_body("received", pay_code=PAY_CODE)


def listing(*records: dict[str, Any]) -> Any:
    """The list, whose second page is empty."""
    pages = {"1": list(records)}
    return lambda request: said({"records": pages.get(dict(request.query)["page"], [])})


class Desk:
    """One audit of what a world stores."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.audited = Audited()
        self.found: list[tuple[str, str]] = []
        self._findings = Findings(self.audited, lambda each: self.found.append((each.invariant, each.sentence)))

    async def run(self) -> list[tuple[str, str]]:
        audit = ProviderAudit(self.world.engines["w2"])
        async for record in self.world.store.scan():
            await audit.look(await self.world.payment(record.key), self._findings, self.audited)
        await audit.finish(self._findings, self.audited, on_progress=lambda _: None)
        return self.found

    @property
    def figures(self) -> tuple[int, int, int]:
        return self.audited.at_the_provider, self.audited.not_asked, self.audited.unsettled


@pytest.fixture
async def world() -> World:
    """A payin that waits for its customer."""
    world = World()
    world.provider.script("create", said(PENDING))
    await world.submit(payin_intent())
    assert world.story(PAYIN)[-1] == "requires_action"
    return world


@pytest.fixture
def engine() -> Engine:
    return World().engines["w1"]


@pytest.fixture
def desk(world) -> Desk:
    return Desk(world)


async def test_a_payment_that_the_list_shows_is_not_read_one_by_one(world, desk):
    world.provider.script("list", listing(PENDING))
    assert await desk.run() == []
    assert desk.figures == (1, 0, 0)
    assert world.provider.calls["detail"] == 0


async def test_a_payment_that_the_list_does_not_show_is_read(world, desk):
    world.provider.script("detail", said(PENDING))
    assert await desk.run() == []
    assert desk.figures == (1, 0, 0)


async def test_only_what_the_merchants_limit_leaves_over_is_taken(world, desk):
    world.gate.given.clear()
    world.provider.script("list", listing(PENDING))
    await desk.run()
    assert {call_class for call_class, times in world.gate.given.items() if times} == {CallClass.LOOK}


async def test_i6_a_look_that_is_ahead_excuses_and_one_that_is_overdue_does_not(world, desk):
    world.provider.script("list", listing(PAID))
    world.provider.script("detail", said(PAID))
    assert await desk.run() == []
    world.clock.ms += 600_000  # nobody took it when it came due
    assert await desk.run() == [("I6", "the provider says succeeded, but we say requires_action")]


async def test_i1_everything_under_an_id_is_counted(world, desk):
    world.provider.script("list", listing(PENDING, PENDING | {"uuid": "PSOTHER1"}))
    world.provider.script("detail", said(PENDING))
    assert await desk.run() == [("I1", "the provider holds 2 payments for it, 1 may have been made")]


async def test_what_seems_wrong_is_read_again_before_it_is_reported(world, desk):
    """The list was read before the payment moved on."""
    world.provider.script("detail", said(PAID))
    await world.pass_time(600_000)
    assert world.story(PAYIN)[-1] == "succeeded"
    world.provider.script("list", listing(PENDING))
    assert await desk.run() == []
    assert desk.figures == (1, 0, 0)


async def test_who_changes_whenever_it_is_looked_at_is_no_finding(world, desk):
    world.clock.ms += 600_000

    def meanwhile(_: Any) -> Any:
        world.store._payments[PAYIN].version += 1
        return said(PAID)

    world.provider.script("detail", meanwhile)
    assert await desk.run() == []
    assert desk.figures == (1, 0, 1)


async def test_a_provider_that_gives_no_answer_proves_nothing(world, desk):
    world.provider.script("list", LOST)
    world.provider.script("detail", LOST)
    assert await desk.run() == []
    assert desk.figures == (0, 1, 0)


async def test_a_limit_that_gives_nothing_is_not_waited_for_for_ever(world, desk):
    await world.gate.pause("default", for_ms=3_600_000, reason="unauthorised")
    calls = dict(world.provider.calls)
    assert await desk.run() == []
    assert desk.figures == (0, 1, 0)
    assert dict(world.provider.calls) == calls


def test_the_sum_of_one_refund_of_several_and_a_sum_of_nothing_are_none_told(engine):
    refunds = {f"refund:{number}": Operation(name=f"refund:{number}", amount_minor=3000) for number in (1, 2)}
    plain = created(payid_intent(), status=Status.SUCCEEDED)
    refunded = replace(plain, operations={**plain.operations, **refunds}, refunded_minor=6000)

    def sums(payment: Payment, status: str, **body: Any) -> tuple[int | None, int | None]:
        fact = fact_in(payment, payid_body(status, **body), Source.READ, engine)
        assert fact is not None
        return fact.paid_minor, fact.refunded_minor

    assert sums(refunded, "partially_refunded", refund_information={"refund_amount": "30.0"}) == (None, None)
    assert sums(refunded, "partially_refunded", refund_information={"refund_amount": "60.0"}) == (None, 6000)
    assert sums(refunded, "partially_refunded", refund_information={"refund_amount": "0.0"}) == (None, None)
    card = created(card_intent(), status=Status.SUCCEEDED)
    received = fact_in(card, card_body("received"), Source.READ, engine)
    assert received == ProviderFact(reference="uuid:PSADT5CE", stage=Stage.SUCCEEDED, paid_minor=10000)
    nothing = fact_in(card, card_body("received", paid_amount="0.0"), Source.READ, engine)
    assert nothing == replace(received, paid_minor=None)


@pytest.mark.parametrize(
    "body", [None, {}, {"errors": {}}, card_body("a_word_nobody_documents"), card_body("return_rejected")]
)
def test_what_tells_no_status_that_we_know_is_no_fact(engine, body):
    assert fact_in(created(card_intent()), body, Source.READ, engine) is None


async def test_a_payment_without_a_list_is_read_and_one_without_a_read_is_not_asked_about():
    world = World()
    world.provider.script("create", said(payid_body("pending")))
    await world.submit(payid_intent())
    world.provider.script("status", said(payid_body("pending")))
    await world.submit(gateway_intent())
    desk = Desk(world)
    await desk.run()
    assert desk.found == []
    assert desk.audited.at_the_provider == 1
    assert world.story(PAYID)[-1] == "requires_action"


async def test_what_was_never_sent_is_not_asked_about():
    world = World()
    await world.gate.pause("default", for_ms=3_600_000, reason="unauthorised")
    await world.submit(payin_intent())
    desk = Desk(world)
    assert await desk.run() == []
    assert desk.figures == (0, 0, 0)
