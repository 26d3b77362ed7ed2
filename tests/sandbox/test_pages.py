from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import urlsplit

import pytest

from tests.sandbox.builders import link_body

HOME = "/_sandbox/"
BROWSER = {"Accept": "text/html", "Origin": "http://sandbox.test"}
EVIL_ID = "<script>alert(1)</script>"


async def press(desk, path, fields, **headers):
    return await desk.client.post(path, data=fields, headers={**BROWSER, **headers})


def path_of(url) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def link_page(desk, **changes) -> str:
    return path_of((await desk.link(**changes))["redirect_url"])


async def test_the_home_page_shows_payments_ledger_and_requests(desk):
    payin = await desk.payin(external_id="order-one")
    await desk.act(payin["uuid"], "pay")
    page = (await desk.client.get(HOME)).text
    for text in ("order-one", "ph_ewallet_gcash_php", "received", "PHP 500.00", "POST /api/v2/payins", "Refund half"):
        assert text in page
    assert f'href="/pay/{payin["uuid"]}"' in page


async def test_the_home_page_of_an_empty_sandbox_says_so(desk):
    assert "None yet." in (await desk.client.get(HOME)).text


async def test_payments_are_found_by_a_part_of_their_order(desk):
    for order in ("order-one", "order-two"):
        await desk.payin(external_id=order)
    page = (await desk.client.get(HOME, params={"external_id": "-two"})).text
    payments = page.partition('id="ledger"')[0]
    assert ("order-two" in payments, "order-one" in payments) == (True, False)


@pytest.mark.parametrize("where", ["home", "pay"])
async def test_nothing_a_merchant_sends_becomes_markup(desk, where):
    texts = dict.fromkeys(("external_id", "name", "description"), EVIL_ID)
    payin = await desk.payin(**texts)
    reply = await desk.client.get(HOME if where == "home" else f"/pay/{payin['uuid']}")
    assert "<script" not in reply.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in reply.text


async def test_what_is_searched_for_does_not_break_out_of_its_field(desk):
    page = (await desk.client.get(HOME, params={"external_id": '"><script>'})).text
    assert 'value="&quot;&gt;&lt;script&gt;"' in page


@pytest.mark.parametrize("path", [HOME, "/pay/NOSUCHID"])
async def test_a_page_may_run_and_load_nothing_but_its_own_style(desk, path):
    reply = await desk.client.get(path)
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    (style,) = re.findall(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert not re.search(r"(src|href)=\"(https?:)?//", reply.text)
    assert reply.headers["cache-control"] == "no-store"


async def test_a_button_plays_its_action_and_returns_to_the_payment(desk):
    uuid = (await desk.payin())["uuid"]
    reply = await press(desk, f"/_sandbox/payments/{uuid}/pay", {})
    assert (reply.status_code, reply.headers["location"]) == (303, f"/_sandbox/#{uuid}")
    reply = await press(desk, f"/_sandbox/payments/{uuid}/refund", {"amount": "250.0"})
    assert reply.status_code == 303
    entries = (await desk.client.get("/_sandbox/ledger", params={"uuid": uuid})).json()["entries"]
    assert [(row["kind"], row["amount"]) for row in entries][1:] == [("pay", "500.0"), ("refund", "250.0")]


async def test_the_forms_of_the_home_page_carry_what_they_do(desk):
    uuid = (await desk.payin())["uuid"]
    await desk.act(uuid, "pay")
    page = (await desk.client.get(HOME)).text
    form = re.search(r'<form method="post" action="([^"]*/refund)"><input type="hidden" ([^>]*)>', page)
    assert form is not None
    assert form[1] == f"/_sandbox/payments/{uuid}/refund"
    assert form[2] == 'name="amount" value="250.0"'


@pytest.mark.parametrize(
    ("path", "fields", "status", "text"),
    [
        ("settle", {}, 409, "cannot become settled"),
        ("explode", {}, 404, "no such payment or action"),
        ("underpay", {"amount": "501"}, 422, "is not less than what is due"),
    ],
)
async def test_a_button_that_came_too_late_is_answered_with_a_page(desk, path, fields, status, text):
    uuid = (await desk.payin())["uuid"]
    reply = await press(desk, f"/_sandbox/payments/{uuid}/{path}", fields)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert text in reply.text


async def test_the_clock_is_pushed_by_a_button(desk):
    uuid = (await desk.payin())["uuid"]
    reply = await press(desk, "/_sandbox/clock", {"advance_s": "86400"})
    assert (reply.status_code, reply.headers["location"]) == (303, HOME)
    assert (await desk.seen(uuid))["status"] == "expired"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://sandbox.test:81"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://sandbox.test"},
    ],
)
@pytest.mark.parametrize("where", ["control", "pay"])
async def test_a_page_of_another_site_presses_no_button(desk, where, headers):
    uuid = (await desk.payin())["uuid"]
    path = f"/_sandbox/payments/{uuid}/pay" if where == "control" else f"/pay/{uuid}"
    reply = await desk.client.post(path, data={"action": "pay"}, headers={"Accept": "text/html", **headers})
    assert reply.status_code == 403
    assert (await desk.seen(uuid))["status"] == "pending"


async def test_a_page_of_another_site_orders_no_faults_either(desk):
    await desk.fault("hang")
    reply = await desk.client.delete("/_sandbox/faults", headers={"Origin": "https://evil.example"})
    assert reply.status_code == 403
    assert len((await desk.client.get("/_sandbox/faults")).json()["faults"]) == 1


async def test_programs_and_the_own_page_may_press(desk):
    for headers in ({}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://sandbox.test"}):
        uuid = (await desk.payin())["uuid"]
        assert (await desk.client.post(f"/_sandbox/payments/{uuid}/pay", headers=headers)).status_code == 200


async def test_pages_are_neither_logged_as_requests_nor_hit_by_faults(desk):
    uuid = (await desk.card())["uuid"]
    await desk.fault("status", status=500)
    for path in (HOME, f"/pay/{uuid}", "/favicon.ico"):
        assert (await desk.client.get(path)).status_code in {200, 404}
    assert len(await desk.requests()) == 1
    assert len((await desk.client.get("/_sandbox/faults")).json()["faults"]) == 1


async def test_pay_codes_lead_to_the_page_when_the_public_url_is_the_sandbox(desk):
    await desk.settings(public_url="http://sandbox.test/")
    card, payin, link = await desk.card(), await desk.payin(), await desk.link(order_id="order-3")
    for url in (card["pay_code"]["3ds_url"], payin["pay_code"]["pay_url"], link["redirect_url"]):
        assert url.startswith("http://sandbox.test/pay/")
        assert (await desk.client.get(url)).status_code == 200


@pytest.mark.parametrize(("action", "status"), [("pay", "authorised"), ("decline", "failed"), ("abandon", "pending")])
async def test_3ds_ends_at_the_return_url_whatever_the_customer_does(desk, action, status):
    card = await desk.card(return_url="https://shop.example/back?order=1")
    path = path_of(card["pay_code"]["3ds_url"])
    page = await desk.client.get(path)
    assert "form-action 'self' https://shop.example;" in page.headers["content-security-policy"]
    reply = await press(desk, path, {"action": action})
    assert (reply.status_code, reply.headers["location"]) == (303, "https://shop.example/back?order=1")
    assert (await desk.seen(card["uuid"]))["status"] == status


@pytest.mark.parametrize(
    ("action", "happy"), [("pay", True), ("overpay", True), ("decline", False), ("abandon", False)]
)
async def test_a_checkout_sends_only_who_paid_to_the_success_url(desk, action, happy):
    path = await link_page(desk)
    reply = await press(desk, path, {"action": action})
    assert reply.headers["location"] == (link_body()["order_success_url"] if happy else path)


async def test_a_checkout_is_open_to_the_holder_of_its_token_only(desk):
    path = await link_page(desk)
    for wrong in (path.partition("?")[0], f"{path}x"):
        assert (await desk.client.get(wrong)).status_code == 404
        assert (await press(desk, wrong, {"action": "pay"})).status_code == 404
    assert "pay" not in await desk.kinds()


async def test_a_payin_returns_to_its_callback_url(desk):
    shop = {"callback_url": "https://shop.example/thanks"}
    uuid = (await desk.payin("id_ewallet_dana_idr", payin_method_params=shop))["uuid"]
    reply = await press(desk, f"/pay/{uuid}", {"action": "pay"})
    assert reply.headers["location"] == "https://shop.example/thanks"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a.b; script-src *", "//evil.example", "data:,x"])
async def test_what_is_no_address_is_neither_linked_nor_followed(desk, url):
    uuid = (await desk.card(return_url=url))["uuid"]
    page = await desk.client.get(f"/pay/{uuid}")
    assert "Back to the shop" not in page.text
    assert "form-action 'self';" in page.headers["content-security-policy"]
    reply = await press(desk, f"/pay/{uuid}", {"action": "pay"})
    assert reply.headers["location"] == f"/pay/{uuid}"


async def test_an_address_cannot_add_to_the_policy(desk):
    uuid = (await desk.card(return_url="https://a.b;script-src*/"))["uuid"]
    page = await desk.client.get(f"/pay/{uuid}")
    assert "script-src" not in page.headers["content-security-policy"]


async def test_the_payid_page_shows_the_payid_and_no_way_to_decline(desk):
    payid = await desk.payid()
    page = (await desk.client.get(f"/pay/{await desk.key(payid['id'], 'payid')}")).text
    assert payid["request_payid"] in page
    assert 'value="unmatched_nonce"' in page
    assert 'value="decline"' not in page


@pytest.mark.parametrize("action", ["settle", "refund", "", "nonsense"])
async def test_the_customer_presses_only_what_the_page_offers(desk, action):
    uuid = (await desk.payin())["uuid"]
    reply = await press(desk, f"/pay/{uuid}", {"action": action})
    assert reply.status_code == 409
    assert (await desk.seen(uuid))["status"] == "pending"


async def test_a_paid_payment_offers_nothing_more(desk):
    uuid = (await desk.payin())["uuid"]
    await desk.act(uuid, "pay")
    page = (await desk.client.get(f"/pay/{uuid}")).text
    assert "nothing to do here" in page
    assert "<button" not in page


async def test_the_deliveries_of_webhooks_are_shown(desk, receiver):
    receiver.answers = [503]
    payin = await desk.payin(webhook_notification=receiver.notification)
    await desk.act(payin["uuid"], "pay")
    await desk.advance(900)
    page = (await desk.client.get(HOME)).text
    assert "Webhooks: 2, last answered 200" in page
    assert "<td>503</td>" in page
    assert "secret of this payment" not in page
