"""One scan of the provider's list answers for every payment in doubt that it covers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.flows import FLOWS
from orchestrator.intent import parse_intent
from orchestrator.payment import CREATE, OperationState, new_payment
from tests.unit.core.building import NOW_MS, payin_intent
from tests.unit.engine.world import MINUTE_MS, UNAUTHORISED, World, said

SCAN = FLOWS["payin"].scan


def in_doubt(number, *, at_ms=NOW_MS):
    payment = new_payment(parse_intent(payin_intent(intent_id=f"ord-{number}")), now_ms=NOW_MS)
    return payment.with_operation(replace(payment.create, state=OperationState.IN_DOUBT, at_ms=at_ms))


def pages(count):
    """A list of full pages and a last one with a single record; each answer lets others run meanwhile."""

    async def answer(request):
        await asyncio.sleep(0)
        page = int(dict(request.query)["page"])
        ids = range((page - 1) * 20, page * 20 if page < count else (page - 1) * 20 + 1)
        records = [{"uuid": f"U{n}", "status": "pending", "external_id": f"ord-{n}"} for n in ids]
        return said({"records": records, "per_page": 20})

    return answer


async def scan(world, payment):
    return await world.engines["w1"].list_scans.scan(payment, SCAN, engine=world.engines["w1"])


async def test_i10_fifty_payments_in_doubt_cost_one_scan():
    world = World()
    world.provider.script("list", pages(3))
    scans = await asyncio.gather(*(scan(world, in_doubt(number)) for number in range(41)))
    assert world.provider.calls["list"] == 3
    assert {listed.found[f"ord-{number}"][0]["uuid"] for number, listed in enumerate(scans)} == {
        f"U{number}" for number in range(41)
    }


async def test_i1_a_scan_that_began_before_the_doubt_answers_for_nobody_later():
    world = World()
    world.provider.script("list", pages(1))
    await scan(world, in_doubt(1))
    await scan(world, in_doubt(2, at_ms=NOW_MS + 1))
    assert world.provider.calls["list"] == 2


async def test_a_scan_grows_stale_and_does_not_reach_back_further_than_it_did():
    world = World()
    world.provider.script("list", pages(1))
    await scan(world, in_doubt(1))
    old = replace(in_doubt(2), accepted_at_ms=NOW_MS - 2 * MINUTE_MS)
    await scan(world, old)
    assert world.provider.calls["list"] == 2
    world.clock.ms += MINUTE_MS
    await scan(world, in_doubt(1))
    assert world.provider.calls["list"] == 3


async def test_a_scan_that_began_before_the_grace_was_over_does_not_answer_after_it():
    world = World()
    world.provider.script("list", pages(1))
    grace_is_over_in_a_moment = in_doubt(1, at_ms=NOW_MS - world.policy.call_total_ms - world.policy.grace_ms + 1)
    await scan(world, grace_is_over_in_a_moment)
    await scan(world, grace_is_over_in_a_moment)
    assert world.provider.calls["list"] == 2
    await scan(world, grace_is_over_in_a_moment)
    assert world.provider.calls["list"] == 2


async def test_a_scan_that_has_answered_for_a_payment_does_not_answer_for_it_twice():
    world = World()
    world.provider.script("list", pages(1))
    first = await scan(world, in_doubt(1))
    await scan(world, replace(in_doubt(1), looked_at_ms=first.started_ms))
    assert world.provider.calls["list"] == 2


async def test_a_permit_that_is_missing_for_a_moment_does_not_start_the_scan_over():
    world = World()
    world.provider.script("list", pages(3))

    asked: list[object] = []

    async def every_other_is_missing(call_class):
        asked.append(call_class)
        world.gate.before = every_other_is_missing
        if len(asked) % 2:
            await world.gate.pause("default", for_ms=800, reason="rate")

    world.gate.before = every_other_is_missing
    listed = await scan(world, in_doubt(1))
    assert len(asked) == 6
    assert (world.provider.calls["list"], listed.wait_ms, len(listed.found)) == (3, 0, 41)


@pytest.mark.parametrize("paused", [True, False])
async def test_a_merchant_that_may_not_call_is_left_until_then(paused):
    world = World()
    if paused:
        await world.gate.pause("default", for_ms=MINUTE_MS, reason="outage")
    world.provider.script("list", UNAUTHORISED)
    listed = await scan(world, in_doubt(1))
    assert listed.wait_ms >= 30_000
    assert world.provider.calls["list"] == (0 if paused else 1)
    assert in_doubt(1).operations[CREATE].state is OperationState.IN_DOUBT
