"""The model provider keeps to the contract: it is what the engine is judged by."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from orchestrator.flows import FLOWS
from orchestrator.intent import parse_intent
from orchestrator.payment import new_payment
from tests.simulator.courier import RETRIES
from tests.simulator.provider import LAG_MAX_S
from tests.simulator.world import BEGINS_S, World
from tests.unit.core.building import card_intent, gateway_intent, payid_intent, payin_intent

if TYPE_CHECKING:
    from collections.abc import Iterator

INTENTS = {"card": card_intent(), "payin": payin_intent(), "payid": payid_intent(), "gateway_link": gateway_intent()}
DAY_S = 86_400
CALM_SEED = 42


@pytest.fixture
def world(monkeypatch) -> Iterator[World]:
    """A world without workers, orders and faults, in which no payer says no."""
    monkeypatch.setattr("tests.simulator.world.Shop.open", lambda _: None)
    world = World(CALM_SEED)
    world.clear_up()
    monkeypatch.setattr(world.payer, "refuses", lambda _: False)
    monkeypatch.setattr(world.truth, "charged", lambda *_: None)
    monkeypatch.setattr(world.truth, "refunding", lambda *_: None)
    yield world
    world.end()


def request_of(world, flow, *, attempt=1):
    payment = new_payment(parse_intent(INTENTS[flow]), now_ms=int(BEGINS_S * 1000))
    return FLOWS[flow].create(payment, world.webhooks.notification(payment.key, attempt), world.policy.dialect)


def create(world, flow, *, attempt=1):
    status, body = world.provider.execute(request_of(world, flow, attempt=attempt))
    assert status == 200
    assert json.loads(json.dumps(body)) == body
    return world.provider.charges[-1]


def pass_time(world, seconds):
    world.loop.run(until_s=world.loop.time() + seconds, is_over=lambda: False)


@pytest.mark.parametrize("flow", INTENTS)
def test_a_create_is_written_into_the_ledger_under_its_attempt(world, flow):
    charge = create(world, flow)
    assert world.provider.creates[charge.intent, 1] == 1
    assert (charge.external_id, charge.merchant) == (INTENTS[flow]["intent_id"], "default")
    assert charge.amount == INTENTS[flow]["amount_minor"]


@pytest.mark.parametrize("flow", INTENTS)
def test_a_second_create_is_another_charge_or_refused(world, flow):
    first = create(world, flow)
    status, _ = world.provider.execute(request_of(world, flow, attempt=2))
    assert status in {200, 422}
    assert len(world.provider.charges) == (2 if status == 200 else 1)
    assert world.provider.charges[0] is first


@pytest.mark.parametrize("flow", INTENTS)
def test_what_reads_show_is_behind_for_less_than_the_grace(world, flow):
    world.provider.lag_s = LAG_MAX_S
    charge = create(world, flow)
    pass_time(world, LAG_MAX_S)
    assert world.provider._visible(charge) is not None
    assert world.policy.grace_ms > LAG_MAX_S * 1000


def test_a_card_is_captured_once_and_only_when_it_is_authorised(world):
    charge = create(world, "card")
    capture = FLOWS["card"].operations["capture"]
    payment = new_payment(parse_intent(INTENTS["card"]), now_ms=0)
    object.__setattr__(payment, "reference", f"uuid:{charge.reference}")
    charge.status = "pending"
    assert world.provider.execute(capture(payment))[0] == 422
    charge.status = "authorised"
    assert world.provider.execute(capture(payment))[0] == 200
    assert (charge.status, charge.paid, charge.captures) == ("waiting", charge.total, 1)
    assert world.provider.execute(capture(payment))[0] == 422
    assert world.provider.captures[charge.reference] == 1


def refund_of(world, charge):
    charge.status, charge.paid = "received", charge.total
    body = {"uuid": charge.reference, "description": "Reason", "amount": charge.total}
    request = SimpleNamespace(path="/v2/cards/refund_payment", body=body)
    return world.provider.execute(request)[0]


def test_a_refund_that_the_provider_does_not_take_moves_nothing(world):
    charge = create(world, "card")
    world.provider._refusing = 1.0
    assert refund_of(world, charge) == 422
    assert (charge.status, charge.refunds, world.provider.refunds) == ("received", [], {})


def test_a_webhook_that_was_taken_and_not_heard_to_be_comes_again(world, monkeypatch):
    taken = []

    def take(_, __, body, answer):
        taken.append(body)
        answer.set_result(200)

    monkeypatch.setattr(world.web, "take", take)
    monkeypatch.setattr(world.truth, "webhook_taken", lambda *_, **__: None)
    monkeypatch.setattr(world.weather, "brings", lambda kind: kind == "webhook answer lost")
    charge = create(world, "gateway_link")
    world.courier.announce(charge)
    pass_time(world, 3600)
    assert len(taken) == 1 + RETRIES
    assert (len(set(taken)), world.courier.on_the_way, world.courier.lost) == (1, 0, set())


@pytest.mark.parametrize("flow", INTENTS)
def test_every_charge_comes_to_rest(world, flow):
    charge = create(world, flow)
    pass_time(world, 5 * DAY_S)
    assert world.payer.plans == 0
    assert charge.running is None
    assert flow == "gateway_link" or charge.status not in {"pending", "authorised", "waiting", "in_dispute"}


def test_nobody_pays_what_nobody_was_shown(world):
    for _ in range(20):
        create(world, "gateway_link")
        world.provider.charges[-1].intent = f"default/another-{len(world.provider.charges)}"
    pass_time(world, 5 * DAY_S)
    assert {charge.status for charge in world.provider.charges} == {"pending"}
