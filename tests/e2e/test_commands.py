"""Commands from outside to the provider's ledger: what they do is done once, what cannot be done is refused once."""

from __future__ import annotations

import json

import pytest

from tests.support.celery_client import send_command_task
from tests.support.intents import card, gateway_link, intent_id, mobile_money, payid, payin
from tests.support.process import wait_for

# Certainly not executed, and told to come back later: the payment stays unsent.
HELD_BACK = {"status": 425, "headers": {"Retry-After": "60"}}
CREATES = {
    "payin": "/api/v2/payins",
    "card": "/api/v2/cards/create_payment",
    "payid": "/api/v1/merchants/create_payment",
    "gateway_link": "/api/v1/payment_gateways/create_payment",
}
KINDS = {"payin": payin, "card": card, "payid": payid, "gateway_link": gateway_link}


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack()


def command(name, intent_id_, number="1", **fields):
    """Its id is no other command's of the merchant: a refusal is told once for each id."""
    who = {"merchant": "default", "intent_id": intent_id_, "command_id": f"{intent_id_}-{number}"}
    return {"command": name} | who | fields


def manual_card():
    return card(method={"token": "tok_canary3ds", "return_url": "https://shop.example/back", "capture": "manual"})


def authorised(stack):
    ids = stack.submit(manual_card())
    stack.wait_status(ids, "requires_action")
    stack.desk.act(ids[0], "pay")
    stack.wait_status(ids, "requires_capture")
    return ids[0]


def refusals(stack, code):
    return [letter for letter in stack.dead_letters() if letter["code"] == code]


def send_by_stream(stack, wanted):
    stack.command(wanted)


def send_by_celery(stack, wanted):
    send_command_task(stack.valkey.url, "", wanted)


@pytest.mark.parametrize("send", [send_by_stream, send_by_celery])
def test_a_capture_by_command_that_is_sent_three_times_captures_once(stack, send):
    authorised_id = authorised(stack)

    for _ in range(3):
        send(stack, command("capture", authorised_id))

    stack.wait_status([authorised_id], "succeeded")
    assert stack.desk.counts("capture")[authorised_id] == 1
    stack.judge([authorised_id])


def test_a_manual_card_payment_without_a_command_is_not_captured(stack):
    authorised_id = authorised(stack)

    stack.desk.act(authorised_id, "expire")

    stack.wait_status([authorised_id], "expired")
    assert stack.desk.counts("capture")[authorised_id] == 0


@pytest.mark.parametrize("fault", ["lose_reply", "done_then_status", "hang"])
def test_a_commanded_capture_whose_answer_is_lost_is_looked_up_and_not_sent_again(own_stack, fault):
    stack = own_stack(settings={"call_timeout_read_s": "1", "call_timeout_total_s": "2", "call_timeout_connect_s": "1"})
    authorised_id = authorised(stack)
    stack.desk.fault(fault, path="/api/v2/cards/capture_payment")

    stack.command(command("capture", authorised_id))

    stack.wait_status([authorised_id], "succeeded")
    assert len(stack.desk.requests(path="/api/v2/cards/capture_payment")) == 1
    stack.judge([authorised_id])


@pytest.mark.parametrize("send", [send_by_stream, send_by_celery])
def test_a_code_by_command_is_entered_once_and_the_customer_confirms_on_the_phone(stack, send):
    ids = stack.submit(mobile_money())
    stack.wait_status(ids, "requires_action")
    assert stack.events.last(ids[0])["next_action"] == {"type": "otp"}

    send(stack, command("confirm_otp", ids[0], "wrong", code="000000"))
    wait_for(lambda: "refused" in stack.events.last(ids[0])["next_action"], what=stack.tails)
    for _ in range(2):
        send(stack, command("confirm_otp", ids[0], "right", code="424242"))
    wait_for(lambda: stack.events.last(ids[0])["next_action"] == {"type": "stk_push"}, what=stack.tails)

    stack.desk.act(ids[0], "pay")
    stack.wait_status(ids, "succeeded")
    assert stack.desk.counts("confirm_otp")[ids[0]] == 1
    assert len(stack.desk.requests(path="/api/v2/payins/confirm_otp", uuid=stack.desk.uuids()[ids[0]])) == 2
    assert "424242" not in stack.output()
    stack.judge(ids)


@pytest.mark.parametrize("flow", KINDS)
def test_a_payment_that_was_not_sent_is_canceled_and_never_sent(stack, flow):
    intent = KINDS[flow]()
    stack.desk.fault("status", times=50, external_id=intent["intent_id"], options=HELD_BACK)
    ids = stack.submit(intent)
    wait_for(lambda: stack.desk.requests(external_id=ids[0]), what=stack.tails)

    stack.command(command("cancel", ids[0]), command("cancel", ids[0], "2"))

    stack.wait_status(ids, "canceled")
    assert stack.events.statuses(ids[0]) == ["accepted", "canceled"]
    assert stack.desk.counts("create")[ids[0]] == 0


def test_a_cancel_that_comes_before_its_intent_is_kept_and_wins(stack):
    intent = payin()
    stack.command(command("cancel", intent["intent_id"]))
    wait_for(lambda: stack.redis.keys(f"payorch:*:observations:default/{intent['intent_id']}"), what=stack.tails)

    ids = stack.submit(intent)

    stack.wait_status(ids, "canceled")
    assert stack.desk.requests(external_id=ids[0]) == []


def test_what_cannot_be_done_is_refused_once_and_the_payment_goes_on(stack):
    ids = stack.submit(payin())
    stack.wait_status(ids, "requires_action")

    for _ in range(2):
        stack.command(
            command("cancel", ids[0], "1"),
            command("capture", ids[0], "2"),
            command("confirm_otp", ids[0], "3", code="424242"),
            command("refund", ids[0], "4", refund_id="r-1"),
            command("explode", ids[0], "5"),
        )

    codes = ["already_sent", "not_capturable", "not_awaiting_otp", "not_refundable", "unknown_command"]
    wait_for(lambda: sorted(told(stack, ids[0])) == sorted(codes), what=lambda: told(stack, ids[0]))
    stack.succeed(ids)
    assert sorted(told(stack, ids[0])) == sorted(codes)
    stack.judge(ids)


def test_another_command_under_a_known_id_is_refused_and_the_first_stands(stack):
    ids = stack.submit(mobile_money())
    stack.wait_status(ids, "requires_action")
    stack.command(command("confirm_otp", ids[0], code="424242"))
    wait_for(lambda: stack.events.last(ids[0])["next_action"] == {"type": "stk_push"}, what=stack.tails)

    stack.command(command("confirm_otp", ids[0], code="171717"))

    wait_for(lambda: told(stack, ids[0]) == ["command_conflict"], what=stack.tails)
    assert stack.desk.counts("confirm_otp")[ids[0]] == 1


def test_a_card_number_in_a_command_is_refused_and_stored_nowhere(stack):
    number = "4111111111111111"

    stack.command(command("confirm_otp", intent_id(), code=number))

    wait_for(lambda: refusals(stack, "card_number_refused"), what=stack.tails)
    assert number not in json.dumps(stack.dead_letters())
    assert number not in stack.output()


def told(stack, intent_id_):
    """The codes of the refusals of this payment's commands."""
    return [letter["code"] for letter in stack.dead_letters() if intent_id_ in letter["body"]]
