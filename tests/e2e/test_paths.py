from __future__ import annotations

import json

import pytest

from tests.support.celery_client import send_task
from tests.support.intents import card, payin

ACTIONS = {
    "ph_bank_maya_php": "redirect",
    "vn_other_vietqr_vnd": "show_qr",
    "ng_bank_ngn": "show_bank_details",
    "jp_bank_jpy": "show_bank_details",  # comes by webhook after a while
}


@pytest.fixture(scope="module")
def redis_stack(make_stack):
    return make_stack()


@pytest.mark.parametrize("method", ACTIONS)
def test_a_payin_from_the_stream_asks_the_customer_and_succeeds(redis_stack, method):
    ids = redis_stack.submit(payin(method))

    redis_stack.succeed(ids)

    assert steps(redis_stack, ids[0]) == ["accepted", "requires_action", "succeeded"]
    shown = [event["next_action"] for event in redis_stack.events.read()[ids[0]] if event["next_action"]]
    assert shown[0]["type"] == ACTIONS[method]
    last = redis_stack.events.last(ids[0])
    assert (last["settled"], last["customer_paid"], last["paid_minor"]) == (True, True, last["amount_minor"])
    redis_stack.judge(ids)


def test_a_card_from_the_stream_passes_3ds_is_captured_once_and_succeeds(redis_stack):
    ids = redis_stack.submit(card())

    redis_stack.succeed(ids)

    assert steps(redis_stack, ids[0]) == ["accepted", "requires_action", "succeeded"]
    assert redis_stack.desk.counts("capture")[ids[0]] == 1
    redis_stack.judge(ids)


def test_a_declined_card_fails_with_the_providers_words(redis_stack):
    ids = redis_stack.submit(card("tok_decline"))

    redis_stack.wait_status(ids, "failed")

    assert redis_stack.events.last(ids[0])["failure"]["code"] == "issuer_declined"
    redis_stack.judge(ids)


def test_an_intent_inside_a_cloudevent_is_taken_and_the_same_intent_bare_is_known(redis_stack):
    intent = payin()
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.placed", "data": intent}

    redis_stack.submit_raw(json.dumps(event))
    redis_stack.wait_status([intent["intent_id"]], "requires_action")
    redis_stack.submit(intent)
    redis_stack.succeed([intent["intent_id"]])

    redis_stack.judge([intent["intent_id"]])


def test_a_celery_task_on_redis_submits_an_intent(redis_stack):
    intent = card()

    send_task(redis_stack.valkey.url, "", intent)

    redis_stack.succeed([intent["intent_id"]])
    redis_stack.judge([intent["intent_id"]])


def steps(stack, intent_id):
    """The statuses without `processing`: a poll may see the end before a webhook does, or the other way round."""
    return [status for status in stack.events.statuses(intent_id) if status != "processing"]
