"""Gateway links and PayIDs from the queue to the provider's ledger."""

from __future__ import annotations

import pytest

from tests.support.intents import gateway_link, payid
from tests.support.process import wait_for

TOKEN = "/api/v1/payment_gateways/access_token"
LINK = "/api/v1/payment_gateways/create_payment"
LINKS = 50


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(settings={"gateway_link_ttl_s": "60"})


def test_a_gateway_link_is_shown_and_paid(stack):
    ids = stack.submit(gateway_link())
    stack.wait_status(ids, "requires_action")
    action = stack.events.last(ids[0])["next_action"]
    assert (action["type"], action["url"].startswith("https://")) == ("redirect", True)

    stack.desk.act(ids[0], "pay")

    stack.wait_status(ids, "succeeded")
    last = stack.events.last(ids[0])
    assert (last["paid_minor"], last["settled"], last["review"], last["observed_by"]) == (10000, True, [], "webhook")
    stack.judge(ids)


def test_fifty_gateway_links_at_once_take_one_token(own_stack):
    stack = own_stack(sandbox={"latency_ms": "300"})

    ids = stack.submit(*(gateway_link() for _ in range(LINKS)))

    stack.succeed(ids)
    assert len(stack.desk.requests(path=TOKEN)) == 1
    assert len(stack.desk.requests(path=LINK)) == LINKS
    stack.judge(ids)


def test_a_revoked_token_costs_one_more_token_and_one_more_request(own_stack):
    stack = own_stack()
    stack.succeed(stack.submit(gateway_link()))
    stack.desk.revoke_tokens()

    ids = stack.submit(gateway_link())

    stack.succeed(ids)
    assert len(stack.desk.requests(path=TOKEN)) == 2
    assert [each["status"] for each in stack.desk.requests(path=LINK, external_id=ids[0])] == [401, 200]
    assert "merchant.paused" not in stack.output()
    stack.judge(ids)


def test_a_link_that_nobody_pays_lapses_by_our_clock_and_late_money_is_money(own_stack):
    stack = own_stack(settings={"gateway_link_ttl_s": "2"})
    ids = stack.submit(gateway_link(), gateway_link())
    stack.wait_status(ids, "expired")
    assert {stack.events.last(each)["reason"] for each in ids} == {"link_lapsed"}

    stack.desk.act(ids[0], "pay")

    stack.wait_status(ids[:1], "succeeded")
    assert set(stack.events.last(ids[0])["review"]) == {"late_payment", "unconfirmed"}
    assert stack.events.last(ids[1])["status"] == "expired"
    stack.judge(ids)


def test_a_merchant_without_a_gateway_fails_no_payment_and_tries_again(own_stack):
    stack = own_stack(sandbox={"gateway": "off"})
    ids = stack.submit(gateway_link())
    wait_for(lambda: stack.desk.requests(path=LINK, status="404"), what=stack.tails)
    assert stack.events.statuses(ids[0]) == ["accepted"]

    stack.desk.change(gateway="on")

    stack.succeed(ids)
    stack.judge(ids)


@pytest.mark.parametrize(
    ("deeds", "review", "ledger"),
    [
        (["pay"], [], [10000]),
        (["underpay", "complete"], ["underpaid"], [5000, 5000]),
        (["overpay", "complete"], ["overpaid"], [11000]),
        (["unmatched_nonce", "complete"], ["unmatched_nonce"], [10000]),
        (["expire", "pay"], ["late_payment"], [10000]),
    ],
)
@pytest.mark.parametrize("webhooks", ["on", "off"])
def test_a_payid_is_paid_in_each_way(payid_stacks, webhooks, deeds, review, ledger):
    stack = payid_stacks[webhooks]
    ids = stack.submit(payid())
    stack.wait_status(ids, "requires_action")
    action = stack.events.last(ids[0])["next_action"]
    assert (action["type"], action["total_minor"]) == ("payid", 10000)

    for deed in deeds:
        known = stack.events.last(ids[0])
        stack.desk.act(ids[0], deed)
        wait_for_another_event(stack, known)

    stack.wait_status(ids, "succeeded")
    last = stack.events.last(ids[0])
    assert (last["paid_minor"], last["review"]) == (10000, review)
    assert [each["amount_minor"] for each in stack.desk.ledger(kind="pay", external_id=ids[0])] == ledger
    stack.judge(ids)


def wait_for_another_event(stack, known):
    wait_for(lambda: stack.events.last(known["intent_id"]) != known, what=stack.tails)


@pytest.fixture(scope="module")
def payid_stacks(stack, make_stack):
    return {"on": stack, "off": make_stack(sandbox={"webhooks": "off"})}


def test_a_payid_with_tax_asks_for_the_total(stack):
    ids = stack.submit(payid(method={"type": "payid", "gst": True}))

    stack.succeed(ids)

    last = stack.events.last(ids[0])
    assert (last["amount_minor"], last["total_minor"], last["paid_minor"]) == (10000, 11000, 11000)
    stack.judge(ids)


def test_a_payid_for_an_address_that_the_provider_does_not_take_is_refused_by_its_field(stack):
    intent = payid(customer={"name": "Ada Lovelace", "email": "ada@shop.com.au"})

    stack.submit(intent)

    wait_for(lambda: [each for each in stack.dead_letters() if intent["intent_id"] in each["body"]], what=stack.tails)
    (letter,) = (each for each in stack.dead_letters() if intent["intent_id"] in each["body"])
    assert letter["code"] == "email_unsupported_by_provider"
    assert stack.desk.requests(external_id=intent["intent_id"]) == []
