from __future__ import annotations

import pytest

from tests.sandbox.builders import payin_body

RETRY_S = 900


async def test_a_received_payin_is_announced_as_the_page_shows_it(desk, receiver):
    payin = await desk.payin(gst=True, amount=1000, webhook_notification=receiver.notification)
    await desk.act(payin["uuid"], "pay")
    await desk.advance(0)
    (call,) = receiver.calls
    assert call.authorization == receiver.notification["authorization_header"]
    assert call.body["webhook_notification"] == {"endpoint_url": receiver.url, "authorization_header": "****"}
    assert b'"total": 1100.0, "paid_amount": 1100.0' in call.raw
    assert not {"stage", "payment_method", "created_at"} & set(call.body)
    assert "secret" not in call.raw.decode()


async def test_payins_announce_only_the_documented_statuses(desk, receiver):
    for action in ("decline", "expire"):
        payin = await desk.payin(webhook_notification=receiver.notification)
        await desk.act(payin["uuid"], action)
    await desk.settings(payin_settle_s=60)
    payin = await desk.payin(webhook_notification=receiver.notification)
    await desk.act(payin["uuid"], "pay")
    await desk.advance(0)
    assert receiver.statuses == []
    await desk.advance(60)
    await desk.act(payin["uuid"], "refund")
    await desk.advance(24 * 3600)
    assert receiver.statuses == ["received", "return_pending", "return_received"]


async def test_what_payins_announce_is_a_setting(desk, receiver):
    await desk.settings(payin_announces=["expired"])
    payin = await desk.payin(webhook_notification=receiver.notification)
    await desk.act(payin["uuid"], "expire")
    await desk.advance(0)
    assert receiver.statuses == ["expired"]


async def test_a_card_announces_every_change_with_its_token(desk, receiver):
    uuid = (await desk.card(webhook_notification=receiver.notification))["uuid"]
    await desk.advance(0)
    await desk.act(uuid, "pay")
    await desk.advance(0)
    await desk.capture(uuid)
    await desk.advance(4 * 3600)
    assert receiver.statuses == ["authorised", "waiting", "received"]
    assert receiver.calls[0].body["token"] == {"id": "tok_dfe1988a1ffc0d6562d3", "type": "card"}
    assert receiver.calls[-1].body["paid_amount"] == "1000.0"


async def test_a_card_without_an_endpoint_uses_the_merchants_default(desk, receiver):
    default = receiver.notification
    await desk.settings(
        default_webhook_url=default["endpoint_url"],
        default_webhook_authorization=default["authorization_header"],
    )
    await desk.card(token={"id": "tok_no3ds"})
    await desk.payin()
    await desk.advance(0)
    assert [call.authorization for call in receiver.calls] == [default["authorization_header"]]


@pytest.mark.parametrize("answer", [201, 202, 204, 301, 400, 401, 500])
async def test_anything_but_200_is_sent_again_three_times_15_minutes_apart(desk, receiver, answer):
    receiver.answers = [answer] * 10
    payin = await desk.payin(webhook_notification=receiver.notification)
    await desk.act(payin["uuid"], "pay")
    counts = []
    for step in (0, RETRY_S - 1, 1, RETRY_S, RETRY_S, RETRY_S, 10 * RETRY_S):
        await desk.advance(step)
        counts.append(len(receiver.calls))
    assert counts == [1, 1, 2, 3, 4, 4, 4]
    assert len({call.raw for call in receiver.calls}) == 1, "each attempt carries the same bytes"
    deliveries = (await desk.seen(payin["uuid"]))["deliveries"]
    assert [(row["attempt"], row["answer"]) for row in deliveries] == [(n, answer) for n in (1, 2, 3, 4)]


async def test_200_ends_the_retries(desk, receiver):
    receiver.answers = [503, 200]
    payin = await desk.payin(webhook_notification=receiver.notification)
    await desk.act(payin["uuid"], "pay")
    await desk.advance(10 * RETRY_S)
    assert len(receiver.calls) == 2


async def test_an_endpoint_that_is_down_is_tried_again(desk, unused_port):
    nowhere = {"endpoint_url": f"http://127.0.0.1:{unused_port()}/", "authorization_header": "x"}
    payin = await desk.payin(webhook_notification=nowhere)
    await desk.act(payin["uuid"], "pay")
    await desk.advance(10 * RETRY_S)
    deliveries = (await desk.seen(payin["uuid"]))["deliveries"]
    assert [(row["answer"], row["error"]) for row in deliveries] == [(None, "ClientConnectorError")] * 4


async def test_webhooks_off_sends_nothing_and_forgets(desk, receiver):
    await desk.settings(webhooks="off")
    payin = await desk.payin(webhook_notification=receiver.notification)
    await desk.act(payin["uuid"], "pay")
    await desk.settings(webhooks="on")
    await desk.advance(10 * RETRY_S)
    assert receiver.calls == []


async def test_duplicates_can_be_ordered(desk, receiver):
    await desk.fault("duplicate_webhook", match={"external_id": "order-1", "status": "received"}, copies=3)
    payin = await desk.payin(webhook_notification=receiver.notification)
    await desk.act(payin["uuid"], "pay")
    await desk.advance(0)
    assert receiver.statuses == ["received"] * 3


async def test_a_webhook_can_be_lost(desk, receiver):
    await desk.fault("drop_webhook")
    payin = await desk.payin(webhook_notification=receiver.notification)
    await desk.act(payin["uuid"], "pay")
    await desk.advance(10 * RETRY_S)
    assert receiver.calls == []


async def test_held_webhooks_can_come_out_of_order(desk, receiver):
    await desk.fault("hold_webhooks", times=3)
    uuid = (await desk.card(token={"id": "tok_no3ds"}, webhook_notification=receiver.notification))["uuid"]
    await desk.capture(uuid)
    await desk.act(uuid, "settle")
    await desk.advance(0)
    assert receiver.calls == []
    released = await desk.client.post("/_sandbox/webhooks/release", json={"backwards": True})
    assert released.json() == {"released": 3}
    await receiver.until(3)
    assert sorted(receiver.statuses) == ["authorised", "received", "waiting"]


async def test_webhooks_leave_by_themselves_on_a_running_clock(live, receiver):
    await live.settings(speed=3600)
    receiver.answers = [500]
    reply = await live.post("/api/v2/payins", payin_body(webhook_notification=receiver.notification))
    await live.act(reply.json()["uuid"], "pay")
    assert [call.body["status"] for call in await receiver.until(2)] == ["received", "received"]
