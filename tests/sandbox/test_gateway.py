from __future__ import annotations

import pytest

from tests.sandbox.builders import (
    APP,
    NOWHERE,
    OTHER_APP,
    OTHER_SECRET,
    SECRET,
    item,
    link_body,
    order_details,
    person,
    without,
)

TOKEN_PATH = "/api/v1/payment_gateways/access_token"
NOT_AUTHORISED = {"errors": {"code": "REQUIRE_LOGIN", "message": "Not Authorised"}}


async def test_a_token_is_given_for_the_pair_and_lives_an_hour(desk):
    reply = await desk.get(TOKEN_PATH)
    assert reply.json()["expires_in"] == 3600
    assert reply.json()["access_token"].count(".") == 2, "it looks like a JWT"
    assert (await desk.get(TOKEN_PATH, secret="wrong")).json() == NOT_AUTHORISED
    assert (await desk.post(TOKEN_PATH, {})).status_code == 405, "contract T-03: a GET"


async def test_token_calls_are_counted_in_the_requests_log(desk):
    await desk.token()
    await desk.token(app=OTHER_APP, secret=OTHER_SECRET)
    assert [row["app_id"] for row in await desk.requests(path=TOKEN_PATH)] == [APP, OTHER_APP]


async def test_the_create_reply_has_a_link_with_a_token_an_integer_and_the_order_id(desk):
    link = await desk.link()
    assert set(link) == {"redirect_url", "payment_id", "order_id"}
    assert isinstance(link["payment_id"], int)
    assert link["order_id"] == "order-1"
    assert link["redirect_url"].partition("?payment=")[2].count(".") == 2, "contract T-42: it carries a JWT"


async def test_the_create_call_is_logged_with_the_tokens_owner_and_the_order(desk):
    await desk.link(order_id="order-7")
    (row,) = await desk.requests(external_id="order-7")
    assert (row["app_id"], row["status"]) == (APP, 200)


async def test_the_pair_does_not_stand_in_for_the_token(desk):
    path, pair = "/api/v1/payment_gateways/create_payment", {"app-id": APP, "secret-key": SECRET}
    bearer = {"Authorization": f"Bearer {await desk.token()}"}
    for headers in (pair, bearer, {"access-token": "made.up.token"}, {"access-token": ""}):
        reply = await desk.client.post(path, json=link_body(), headers=headers)
        assert (reply.status_code, reply.json()) == (401, NOT_AUTHORISED)
    assert await desk.kinds() == []


async def test_a_token_ends_with_its_hour_on_the_sandbox_clock(desk):
    token = await desk.token()
    await desk.advance(3599)
    await desk.link(token=token)
    await desk.advance(1)
    assert (await desk.post_link(link_body(), token=token)).status_code == 401
    await desk.link(token=await desk.token())


async def test_the_life_of_tokens_is_a_setting(desk):
    await desk.settings(token_s=60)
    reply = await desk.get(TOKEN_PATH)
    assert reply.json()["expires_in"] == 60
    await desk.advance(60)
    assert (await desk.post_link(link_body(), token=reply.json()["access_token"])).status_code == 401


async def test_a_fast_clock_does_not_break_the_promise_of_expires_in(live):
    await live.settings(speed=3_600_000)
    token = await live.token()
    await live.client.post("/_sandbox/clock", json={"advance_s": 3600})
    await live.link(token=token)


async def test_all_tokens_can_be_revoked(desk):
    old = [await desk.token(), await desk.token()]
    assert (await desk.client.post("/_sandbox/tokens/revoke")).json() == {"revoked": 2}
    assert [(await desk.post_link(link_body(), token=token)).status_code for token in old] == [401, 401]
    await desk.link(token=await desk.token())


async def test_rejecting_all_credentials_covers_tokens(desk):
    token = await desk.token()
    await desk.settings(auth="reject")
    assert (await desk.post_link(link_body(), token=token)).status_code == 401
    assert (await desk.get(TOKEN_PATH)).status_code == 401


async def test_a_merchant_without_a_gateway_is_answered_404(desk):
    await desk.settings(gateway="off")
    reply = await desk.post_link(link_body(), token=await desk.token())
    assert (reply.status_code, reply.json()["errors"]) == (404, {"message": "Payment gateway not found."})


@pytest.mark.parametrize(
    "field",
    [
        "order_id",
        "amount",
        "description",
        "order_success_url",
        "payment_gateway_notification",
        "order_details",
    ],
)
async def test_each_required_field_is_named_when_it_is_missing(desk, field):
    reply = await desk.post_link(without(link_body(), field), token=await desk.token())
    assert (reply.status_code, reply.json()["errors"]) == (422, {field: "can't be blank"})
    assert await desk.kinds() == []


@pytest.mark.parametrize("field", [*without(person(), "company", "state")])
async def test_each_detail_of_the_payer_is_required_but_company_and_state(desk, field):
    details = order_details(billing_details=without(person(), field, "company", "state"))
    reply = await desk.post_link(link_body(order_details=details), token=await desk.token())
    assert (reply.status_code, set(reply.json()["errors"])) == (422, {f"billing_details.{field}"})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "100"}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": 10.005}, "amount"),
        ({"order_success_url": "javascript:alert(1)"}, "order_success_url"),
        ({"payment_gateway_notification": without(NOWHERE, "authorization_header")}, "authorization_header"),
        ({"payment_gateway_notification": without(NOWHERE, "endpoint_url")}, "endpoint_url"),
        ({"payment_gateway_notification": "https://a.b"}, "payment_gateway_notification"),
        ({"order_details": []}, "order_details"),
        ({"order_details": {}}, "billing_details"),
        ({"order_details": order_details(shipping_details="here")}, "shipping_details"),
        (
            {"order_details": order_details(billing_details=person(country_code="AUS"))},
            "billing_details.country_code",
        ),
        ({"order_details": order_details(billing_details=person(state=5))}, "billing_details.state"),
        ({"order_details": order_details(items={})}, "items"),
        ({"order_details": order_details(items=["pen"])}, "items[0]"),
        ({"order_details": order_details(items=[item(quantity=2)])}, "items[0].quantity"),
        ({"order_details": order_details(items=[item(), item(price=25.0)])}, "items[1].price"),
        ({"order_details": order_details(items=[item(enable_cashback="yes")])}, "items[0].enable_cashback"),
    ],
)
async def test_a_wrong_value_is_refused_with_its_field(desk, changes, field):
    reply = await desk.post_link(link_body(**changes), token=await desk.token())
    assert (reply.status_code, list(reply.json()["errors"])) == (422, [field])


async def test_shipping_and_items_may_be_left_out(desk):
    assert (await desk.link(order_details={"billing_details": person()}))["payment_id"]


async def test_a_repeated_order_id_makes_a_second_link_unless_ids_are_unique(desk):
    first, second = await desk.link(), await desk.link()
    assert first["payment_id"] != second["payment_id"]
    await desk.settings(unique_external_ids=True)
    reply = await desk.post_link(link_body(), token=await desk.token())
    assert (reply.status_code, reply.json()["errors"]) == (422, {"order_id": "has already been taken"})


async def test_only_success_is_announced_with_the_given_authorization(desk, receiver):
    for action in ("decline", "expire", "pay"):
        link = await desk.link(order_id=action, payment_gateway_notification=receiver.notification)
        assert (await desk.act(await desk.key(link["payment_id"], "gateway_link"), action)).is_success
    await desk.advance(0)
    (call,) = receiver.calls
    assert call.authorization == receiver.notification["authorization_header"]
    assert call.body == {"payment_id": link["payment_id"], "order_id": "pay", "status": "received"}


async def test_which_statuses_are_announced_is_a_setting(desk, receiver):
    await desk.settings(gateway_announces="received,expired")
    await desk.link(payment_gateway_notification=receiver.notification)
    await desk.advance(24 * 3600)
    assert receiver.statuses == ["expired"]


async def test_a_gateway_payment_cannot_be_read_unless_switched_on(desk):
    link = await desk.link()
    number = link["payment_id"]
    await desk.act(await desk.key(number, "gateway_link"), "pay")
    assert (await desk.get("/api/v2/payins/detail", uuid=number)).status_code == 404
    await desk.settings(detail_knows_links=True)
    detail = await desk.detail(str(number))
    assert (detail["uuid"], detail["external_id"], detail["status"]) == (str(number), "order-1", "received")
    assert str(detail["paid_amount"]) == "100.0"


async def test_the_ledger_has_the_deeds_of_a_link_under_its_flow_and_number(desk):
    number = (await desk.link())["payment_id"]
    uuid = await desk.key(number, "gateway_link")
    await desk.act(uuid, "pay")
    await desk.act(uuid, "refund", amount="40")
    await desk.act(uuid, "finish_refund")
    entries = (await desk.client.get("/_sandbox/ledger", params={"flow": "gateway_link"})).json()["entries"]
    assert [(row["kind"], row["amount"], row["id"]) for row in entries] == [
        ("create", "100.0", number),
        ("pay", "100.0", number),
        ("refund", "40.0", number),
        ("refund_done", "40.0", number),
    ]


async def test_numbers_of_links_and_payids_overlap(desk):
    link, payid = await desk.link(), await desk.payid()
    assert link["payment_id"] == payid["id"], "contract D-17: the number alone does not name a payment"
    await desk.act(await desk.key(payid["id"], "payid"), "pay")
    assert (await desk.seen(await desk.key(link["payment_id"], "gateway_link")))["status"] == "pending"
