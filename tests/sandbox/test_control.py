from __future__ import annotations

import pytest

from tests.sandbox.builders import SECRET


async def test_health_counts(desk):
    await desk.payin()
    body = (await desk.client.get("/_sandbox/health")).json()
    assert (body["status"], body["payments"], body["requests"]) == ("ok", 1, 1)


async def test_the_ledger_holds_each_deed_with_its_amount_in_both_units(desk):
    payin, card = await desk.payin(gst=True), await desk.card(external_id="order-2")
    entries = (await desk.client.get("/_sandbox/ledger")).json()["entries"]
    assert [entry["seq"] for entry in entries] == [1, 2]
    assert {key: entries[0][key] for key in ("kind", "flow", "uuid", "external_id", "amount", "amount_minor")} == {
        "kind": "create",
        "flow": "payin",
        "uuid": payin["uuid"],
        "external_id": "order-1",
        "amount": "550.0",
        "amount_minor": 55000,
    }
    assert (entries[1]["uuid"], entries[1]["amount"], entries[1]["amount_minor"]) == (
        card["uuid"],
        "10.0",
        1000,
    )


async def test_a_refused_request_is_in_the_log_and_not_in_the_ledger(desk):
    await desk.post("/api/v2/payins", {"external_id": "order-9"})
    (request,) = await desk.requests(external_id="order-9")
    assert (request["method"], request["path"], request["status"]) == ("POST", "/api/v2/payins", 422)
    assert await desk.kinds() == []


async def test_requests_name_the_payment_they_are_about(desk):
    uuid = (await desk.card(token={"id": "tok_no3ds"}))["uuid"]
    await desk.capture(uuid)
    await desk.get(f"/api/v2/cards/payments/{uuid}")
    await desk.get("/api/v2/payins/detail", uuid=uuid)
    assert [request["path"].rpartition("/")[2] for request in await desk.requests(uuid=uuid)] == [
        "capture_payment",
        uuid,
        "detail",
    ]


@pytest.mark.parametrize(
    ("actions", "refused"),
    [
        (["decline"], "expire"),
        (["pay"], "pay"),
        (["pay"], "decline"),
        (["pay"], "abandon"),
        (["pay"], "deliver_pay_code"),
        (["expire"], "settle"),
        ([], "settle"),
        ([], "win_dispute"),
        (["pay", "dispute", "lose_dispute"], "refund"),
        (["pay"], "finish_refund"),
        (["pay"], "cancel_refund"),
    ],
)
async def test_what_the_status_forbids_is_a_conflict_and_changes_nothing(desk, actions, refused):
    uuid = (await desk.payin())["uuid"]
    for action in actions:
        assert (await desk.act(uuid, action)).is_success
    before, deeds = await desk.seen(uuid), await desk.kinds()
    assert (await desk.act(uuid, refused)).status_code == 409
    assert (await desk.seen(uuid), await desk.kinds()) == (before, deeds)


@pytest.mark.parametrize(("uuid", "action"), [("NOSUCHID", "pay"), (None, "explode")])
async def test_an_unknown_payment_or_action_is_not_found(desk, uuid, action):
    uuid = uuid or (await desk.payin())["uuid"]
    assert (await desk.act(uuid, action)).status_code == 404


async def test_settings_are_shown_without_secrets(desk):
    reply = await desk.settings(latency_ms=0)
    assert SECRET not in reply.text
    assert not {"credentials", "default_webhook_authorization"} & set(reply.json())


@pytest.mark.parametrize("changes", [{"speed": -1}, {"auth": "maybe"}, {"colour": "red"}, {"webhooks": 5}])
async def test_a_wrong_setting_is_refused_and_changes_nothing(desk, changes):
    before = (await desk.client.get("/_sandbox/settings")).json()
    assert (await desk.settings(latency_ms=7, **changes)).status_code == 422
    assert (await desk.client.get("/_sandbox/settings")).json() == before


@pytest.mark.parametrize("seconds", [-1, "soon", None])
async def test_the_clock_goes_forward_only(desk, seconds):
    assert (await desk.client.post("/_sandbox/clock", json={"advance_s": seconds})).status_code == 422
