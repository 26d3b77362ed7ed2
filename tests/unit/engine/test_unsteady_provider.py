"""A provider whose reads say now this, now that (table D of the faults)."""

from __future__ import annotations

import pytest

from tests.unit.core.building import payin_body, payin_intent
from tests.unit.engine.world import DAY_MS, HOUR_MS, MINUTE_MS, PAYIN, UNKNOWN_ID, World, said

QR = {"pay_code": {"qr_string": "0"}}
PENDING, RECEIVED = said(payin_body("pending", **QR)), said(payin_body("received", **QR))


async def created() -> World:
    world = World()
    world.provider.script("create", PENDING)
    await world.submit(payin_intent())
    assert world.story(PAYIN) == ["accepted", "requires_action"]
    return world


async def test_i4_reads_that_go_to_and_fro_between_pending_and_received_publish_one_success():
    world = await created()
    world.provider.script("detail", *[PENDING, RECEIVED, PENDING, PENDING, RECEIVED] * 4, PENDING)
    await world.pass_time(2 * DAY_MS)
    assert world.story(PAYIN)[2:] == ["succeeded"]
    await world.assert_consistent(PAYIN)


@pytest.mark.parametrize("after", [UNKNOWN_ID, said({}, 500), said("gone")], ids=["404", "500", "no object"])
async def test_i4_what_was_received_stays_received_when_the_provider_forgets_it(after):
    world = await created()
    world.provider.script("detail", RECEIVED, after)
    await world.pass_time(2 * MINUTE_MS)
    assert world.story(PAYIN)[2:] == ["succeeded"]
    await world.hook(payin_body("received", **QR), key=PAYIN)
    await world.pass_time(DAY_MS)
    assert world.story(PAYIN)[3:] == []


async def test_i5_a_read_that_does_not_know_a_payment_just_created_fails_nothing():
    world = await created()
    world.provider.script("detail", UNKNOWN_ID, UNKNOWN_ID, PENDING, RECEIVED)
    await world.pass_time(3 * HOUR_MS)
    assert world.story(PAYIN)[2:] == ["succeeded"]
    assert world.provider.calls["create"] == 1


async def test_i5_a_webhooks_success_that_the_read_does_not_show_yet_waits_and_is_then_published():
    world = await created()
    world.provider.script("detail", UNKNOWN_ID, PENDING, RECEIVED)
    await world.hook(payin_body("received", **QR), key=PAYIN)
    await world.pass_time(5 * MINUTE_MS)
    assert world.story(PAYIN)[2:] == ["processing/confirming", "succeeded"]


@pytest.mark.parametrize("between", [(), (said(payin_body("mystery")),), (said({}, 500),)], ids=["", "unknown", "500"])
async def test_i6_money_after_a_failure_is_found_though_the_first_reads_are_behind(between):
    world = await created()
    failed = said(payin_body("failed"))
    await world.hook(payin_body("failed"), key=PAYIN)
    world.provider.script("detail", failed, failed, *between, RECEIVED)
    await world.hook(payin_body("received"), key=PAYIN)
    assert world.story(PAYIN)[2:] == ["failed"]
    await world.pass_time(MINUTE_MS)
    assert world.story(PAYIN)[-1] == "succeeded"
    assert "late_payment" in world.last(PAYIN)["review"]
    await world.assert_consistent(PAYIN)


async def test_i6_a_word_that_nobody_knows_settles_nothing_however_long_the_reads_told_nothing():
    world = await created()
    await world.hook(payin_body("failed"), key=PAYIN)
    world.provider.script("detail", *[said({}, 503)] * 6, said(payin_body("mystery")), RECEIVED)
    await world.hook(payin_body("received"), key=PAYIN)
    await world.pass_time(HOUR_MS)
    assert world.story(PAYIN)[2:] == ["failed", "failed", "succeeded"]
    assert "unknown_status" in world.events(PAYIN)[-2]["data"]["review"]


async def test_i6_a_word_that_no_read_shows_is_looked_for_four_times_and_no_more():
    world = await created()
    await world.hook(payin_body("failed"), key=PAYIN)
    world.provider.script("detail", said(payin_body("failed")))
    before = world.provider.calls["detail"]
    await world.hook(payin_body("received"), key=PAYIN)
    await world.pass_time(DAY_MS)
    assert world.provider.calls["detail"] - before == 4
    assert world.story(PAYIN)[2:] == ["failed"]


async def test_i6_what_a_webhook_told_of_a_payment_that_is_over_is_looked_for_through_a_long_outage():
    world = await created()
    await world.hook(payin_body("failed"), key=PAYIN)
    world.provider.script("detail", said({}, 503))
    await world.hook(payin_body("received"), key=PAYIN)
    before = world.provider.calls["detail"]
    await world.pass_time(6 * HOUR_MS)
    assert world.provider.calls["detail"] - before < 20
    world.provider.script("detail", RECEIVED)
    await world.pass_time(2 * HOUR_MS)
    assert world.story(PAYIN)[2:] == ["failed", "succeeded"]
