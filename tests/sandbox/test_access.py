from __future__ import annotations

import pytest

from tests.sandbox.builders import APP, OTHER_APP, OTHER_SECRET, SECRET, payin_body

NOT_AUTHORISED = {"errors": {"code": "REQUIRE_LOGIN", "message": "Not Authorised"}}


@pytest.mark.parametrize(("app", "secret"), [(APP, "wrong"), ("nobody", SECRET), ("", ""), (APP, OTHER_SECRET)])
async def test_a_wrong_pair_is_answered_as_the_page_says_and_makes_nothing(desk, app, secret):
    reply = await desk.post("/api/v2/payins", payin_body(), app=app, secret=secret)
    assert (reply.status_code, reply.json()) == (401, NOT_AUTHORISED)
    assert await desk.kinds() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v2/payins"),
        ("GET", "/api/v2/payins/detail?uuid=X"),
        ("GET", "/api/v2/payins/all"),
        ("GET", "/api/v2/payins/payin_method/params"),
        ("POST", "/api/v2/payins/simulate"),
        ("POST", "/api/v2/payins/confirm_otp"),
        ("POST", "/api/v2/payins/refund"),
        ("POST", "/api/v2/cards/create_payment"),
        ("POST", "/api/v2/cards/capture_payment"),
        ("POST", "/api/v2/cards/refund_payment"),
        ("GET", "/api/v2/cards/payments"),
        ("GET", "/api/v2/cards/payments/X"),
        ("POST", "/api/v2/contacts"),
        ("GET", "/api/v2/contacts/detail?email=X"),
        ("GET", "/api/v1/payment_gateways/access_token"),
        ("POST", "/api/v1/payment_gateways/create_payment"),
        ("POST", "/api/v1/merchants/create_payment"),
        ("GET", "/api/v1/payment_requests/status?id=1"),
        ("POST", "/api/v1/payment_requests/refund"),
        ("GET", "/api/v1/payment_requests/bank_payments"),
    ],
)
async def test_every_endpoint_asks_for_the_pair(desk, method, path):
    assert (await desk.client.request(method, path)).json() == NOT_AUTHORISED


async def test_rejecting_all_credentials_is_a_switch_at_run_time(desk):
    await desk.settings(auth="reject")
    assert (await desk.post("/api/v2/payins", payin_body())).status_code == 401
    await desk.settings(auth="require")
    assert (await desk.post("/api/v2/payins", payin_body())).is_success


async def test_a_payment_belongs_to_the_app_that_made_it(desk):
    payin, card = await desk.payin(), await desk.card(token={"id": "tok_no3ds"})
    other = {"app": OTHER_APP, "secret": OTHER_SECRET}
    replies = [
        await desk.get("/api/v2/payins/detail", uuid=payin["uuid"], **other),
        await desk.get(f"/api/v2/cards/payments/{card['uuid']}", **other),
        await desk.post("/api/v2/cards/capture_payment", {"uuid": card["uuid"]}, **other),
        await desk.post("/api/v2/payins/simulate", {"uuid": payin["uuid"], "status": "completed"}, **other),
    ]
    assert [reply.status_code for reply in replies] == [404] * 4
    assert (await desk.get("/api/v2/payins/all", **other)).json()["records"] == []
    assert "capture" not in await desk.kinds()
