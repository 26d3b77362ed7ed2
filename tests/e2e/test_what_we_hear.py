"""A payment ends whichever way the provider's word reaches us, and in whatever order (I2, I4, I6)."""

from __future__ import annotations

import threading

import pytest

from tests.support.intents import METHODS, card, payin
from tests.support.process import wait_for


def every_kind():
    return [*(payin(method) for method in METHODS if method != "jp_bank_jpy"), card(), card("tok_no3ds")]


def test_with_webhooks_off_every_payment_ends_by_polling(own_stack):
    stack = own_stack(sandbox={"webhooks": "off"})
    ids = stack.submit(*every_kind(), payin("jp_bank_jpy"), card("tok_decline"))
    waiting = [each for each, status in ends(stack, ids).items() if status == "requires_action"]

    stack.desk.act_on_all(waiting, "pay")

    stack.wait_status(ids[:-1], "succeeded")
    stack.wait_status(ids[-1:], "failed")
    assert "webhook" not in heard(stack, ids)
    assert "poll" in heard(stack, ids)
    stack.judge(ids)


def test_with_polling_off_every_payment_ends_by_webhooks(own_stack):
    stack = own_stack(settings={"polling": "off"})
    ids = stack.submit(*every_kind(), payin("jp_bank_jpy"), card("tok_decline"))
    waiting = [each for each, status in ends(stack, ids).items() if status == "requires_action"]

    stack.desk.act_on_all(waiting, "pay")

    stack.wait_status(ids[:-1], "succeeded")
    stack.wait_status(ids[-1:], "failed")
    assert "webhook" in heard(stack, ids)
    stack.judge(ids)


def test_with_polling_off_nothing_but_what_was_announced_is_read(own_stack):
    stack = own_stack(settings={"polling": "off", "confirm_success_by_read": "false"})
    ids = stack.submit(*every_kind())
    ends(stack, ids)

    stack.desk.act_on_all([each for each in ids if stack.events.last(each)["status"] == "requires_action"], "pay")

    stack.wait_status(ids, "succeeded")
    assert [request for request in stack.desk.requests() if request["method"] == "GET"] == []
    stack.judge(ids)


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(settings={"poll_schedule_s": "600"}, sandbox={"settle_s": "3"})


def test_the_authorised_webhook_that_comes_after_the_capture_does_not_lead_to_a_second_capture(stack):
    intent = card()
    stack.desk.fault("hold_webhooks", times=5, status="authorised", external_id=intent["intent_id"])
    ids = stack.submit(intent)
    stack.wait_status(ids, "requires_action")
    stack.desk.act(ids[0], "pay")
    wait_for(lambda: stack.desk.ledger(kind="authorise", external_id=ids[0]), what=stack.tails)
    # The provider's own word of it is held; a first copy starts the capture, all others come after it.
    post_webhook(stack, ids[0], "authorised")
    wait_for(lambda: stack.desk.counts("capture")[ids[0]], what=stack.tails)

    assert stack.desk.release_webhooks() >= 1
    for _ in range(5):
        post_webhook(stack, ids[0], "authorised")

    stack.wait_status(ids, "succeeded")
    post_webhook(stack, ids[0], "authorised")
    wait_for(lambda: applied(stack, ids[0]), what=stack.tails)
    assert stack.events.last(ids[0])["status"] == "succeeded"
    assert stack.desk.counts("capture")[ids[0]] == 1
    assert "requires_action" not in stack.events.statuses(ids[0])[2:]
    stack.judge(ids)


@pytest.mark.parametrize("fault", ["lose_reply", "delay_ms"])
def test_the_authorised_webhook_while_the_capture_is_on_the_wire_does_not_send_another(stack, fault):
    intent = card()
    stack.desk.fault(fault, path="/api/v2/cards/capture_payment", options={"delay_ms": 1500})
    stack.desk.fault("duplicate_webhook", status="authorised", external_id=intent["intent_id"], options={"copies": 5})
    ids = stack.submit(intent)
    stack.wait_status(ids, "requires_action")
    stack.desk.act(ids[0], "pay")
    wait_for(lambda: captures_asked(stack, ids[0]), what=stack.tails)

    for _ in range(3):
        post_webhook(stack, ids[0], "authorised")

    stack.wait_status(ids, "succeeded")
    assert captures_asked(stack, ids[0]) == 1
    stack.judge(ids)


def test_webhooks_in_reverse_order_and_each_twice_lead_to_the_same_end(stack):
    intent = card()
    stack.desk.fault("hold_webhooks", times=20, external_id=intent["intent_id"])
    ids = stack.submit(intent)
    stack.wait_status(ids, "requires_action")
    stack.desk.act(ids[0], "pay")
    post_webhook(stack, ids[0], "authorised")
    wait_for(lambda: stack.desk.ledger(kind="settle", external_id=ids[0]), what=stack.tails)

    stack.desk.release_webhooks(backwards=True)

    stack.wait_status(ids, "succeeded")
    stack.judge(ids)


def test_bells_that_never_stop_do_not_keep_what_is_due_from_being_looked_at(own_stack):
    stack = own_stack(sandbox={"webhooks": "off"})
    ending = threading.Event()
    ringing = threading.Thread(target=ring, args=(stack, ending))
    ringing.start()
    try:
        ids = stack.submit(payin(), card())
        stack.succeed(ids)
    finally:
        ending.set()
        ringing.join()

    stack.judge(ids)


def ring(stack, ending):
    """As webhooks do at a few hundred a second."""
    while not ending.wait(0.01):
        stack.redis.publish("payorch:bell", 0)


def ends(stack, ids):
    """Every payment's status as soon as none is on its way to the customer any more."""

    def settled():
        events = stack.events.read()
        last = {each: events[each][-1] if events[each] else {"status": "accepted", "reason": None} for each in ids}
        waits = any(event["status"] == "accepted" or event["reason"] == "awaiting_pay_code" for event in last.values())
        return None if waits else {each: event["status"] for each, event in last.items()}

    return wait_for(settled, what=stack.tails)


def heard(stack, ids):
    return {event["observed_by"] for each in ids for event in stack.events.read()[each]}


def captures_asked(stack, intent_id):
    uuid = stack.desk.uuids()[intent_id]
    return len(stack.desk.requests(path="/api/v2/cards/capture_payment", uuid=uuid))


def applied(stack, intent_id):
    """No observation waits any more: what was posted had its effect, whatever that was."""
    return not stack.redis.keys(f"payorch:*:observations:default/{intent_id}")


def post_webhook(stack, intent_id, status):
    """A webhook as the provider sends it: a card object under the Authorization it was given."""
    stack.post_webhook(intent_id, {"uuid": stack.desk.uuids()[intent_id], "status": status, "external_id": intent_id})
