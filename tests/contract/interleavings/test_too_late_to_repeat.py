"""The send's deadlines hold for a repeat as for the first: too late is expired, or left in doubt, and not sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from orchestrator.policy import Policy
from tests.unit.core.building import gateway_intent, payid_intent, payin_intent
from tests.unit.engine.world import DAY_MS, GATEWAY, HOUR_MS, LOST, MINUTE_MS, PAYID, PAYIN, said

if TYPE_CHECKING:
    from tests.contract.interleavings.stage import Stage

OWN = {"type": "payid", "emails": ["desk@shop.com"]}
GRACE_ENDS_MS = 100_000
LEAST_LEFT_MS = 16 * MINUTE_MS
FLOWS = {"payin": (PAYIN, payin_intent, {}), "payid": (PAYID, payid_intent, {"method": OWN})}


@pytest.fixture(params=sorted(FLOWS))
def flow(request):
    return FLOWS[request.param]


@pytest.fixture
def policy() -> Policy:
    return Policy(payid_own_mailboxes=frozenset({"desk@shop.com"}))


async def lost(stage: Stage, worker, flow, *, left_ms: int):
    """A create was lost whose payment has so much time left when the grace is over."""
    key, intent, changes = flow
    stage.desk.script("create", LOST)
    deadline_ms = stage.ground.clock.now_ms() + GRACE_ENDS_MS + left_ms
    expires_at = datetime.fromtimestamp(deadline_ms // 1000, tz=UTC).isoformat().replace("+00:00", "Z")
    await worker.submit(intent(expires_at=expires_at, **changes))
    return key


async def paused(stage: Stage, for_ms: int) -> None:
    await stage.gate.pause("default", for_ms=for_ms, reason="outage")


async def test_with_enough_time_left_it_is_sent_once_more(stage, w1, flow):
    await lost(stage, w1, flow, left_ms=LEAST_LEFT_MS + 5 * MINUTE_MS)

    await stage.settle(w1, for_ms=GRACE_ENDS_MS + 2_000)

    assert stage.calls["create"] == 2


async def test_with_less_than_sixteen_minutes_left_it_is_expired_and_not_sent(stage, w1, flow):
    key = await lost(stage, w1, flow, left_ms=LEAST_LEFT_MS + 3 * MINUTE_MS)
    await paused(stage, GRACE_ENDS_MS + 4 * MINUTE_MS)

    await stage.settle(w1, for_ms=HOUR_MS)

    assert stage.calls["create"] == 1
    assert await stage.story(key) == ["accepted", "in_doubt", "expired/not_sent"]


async def test_who_stands_before_the_mark_until_the_time_ran_short_does_not_send(stage, w1, flow):
    key = await lost(stage, w1, flow, left_ms=LEAST_LEFT_MS + 4 * MINUTE_MS)
    await stage.ground.pass_ms(GRACE_ENDS_MS + 1_000)
    halt = w1.halt("before mark")
    turn = stage.start(w1.take())
    await halt.reached()

    await stage.ground.pass_ms(5 * MINUTE_MS)
    halt.go()
    await stage.finish(turn)
    await stage.settle(w1, for_ms=HOUR_MS)

    assert stage.calls["create"] == 1
    assert (await stage.story(key))[-1] == "expired/not_sent"


@pytest.mark.parametrize("send_within_s", [60, 120])
async def test_a_link_whose_customer_left_stays_in_doubt_and_is_not_sent_again(stage, w1, send_within_s):
    stage.desk.script("create", LOST)
    await w1.submit(gateway_intent(send_within_s=send_within_s))
    await paused(stage, GRACE_ENDS_MS + MINUTE_MS)

    await stage.settle(w1, for_ms=2 * DAY_MS)

    assert stage.calls["create"] == 1
    assert (await stage.views(GATEWAY))[-1]["review"] == ["in_doubt_aged"]


async def test_late_money_of_an_expired_repeat_is_money(stage, w1, web, flow):
    key = await lost(stage, w1, flow, left_ms=LEAST_LEFT_MS + 3 * MINUTE_MS)
    await paused(stage, GRACE_ENDS_MS + 4 * MINUTE_MS)
    await stage.settle(w1, for_ms=HOUR_MS)
    body = {"uuid": "FIRST111", "external_id": key.intent_id, "currency": "PHP", "amount": 500, "total": 500}
    if key == PAYID:
        body = {"id": 111, "external_id": key.intent_id, "amount": "100.0", "total": "100.0"}
    received = body | {"status": "received", "paid_amount": 500}
    stage.desk.script("detail", said(received))
    stage.desk.script("status", said(received))

    await stage.hook(web, received, key)
    await stage.settle(w1, for_ms=MINUTE_MS)

    view = (await stage.views(key))[-1]
    assert (view["status"], view["review"]) == ("succeeded", ["late_payment"])
