"""A provider that says no, that does not know us, that is busy, that is away (I2, I5, I9)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.support.intents import card, payin
from tests.support.process import wait_for

CREATE = "/api/v2/payins"


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(settings={"unauthorised_pause_s": "2"})


@pytest.mark.parametrize("status", [400, 403, 422])
def test_an_explicit_no_to_the_first_create_fails_the_payment_with_the_providers_words(stack, status):
    intent = payin()
    words = f"the bank is closed {status}"
    options = {"status": status, "body": {"message": words}}
    stack.desk.fault("status", external_id=intent["intent_id"], options=options)

    ids = stack.submit(intent)

    stack.wait_status(ids, "failed")
    assert words in stack.events.last(ids[0])["failure"]["message"]
    assert len(stack.desk.requests(external_id=ids[0])) == 1
    assert stack.desk.counts("create")[ids[0]] == 0


def test_a_token_that_the_provider_does_not_know_fails_the_payment(stack):
    ids = stack.submit(card("tok_unknown"))

    stack.wait_status(ids, "failed")

    assert "Token ID not found" in stack.events.last(ids[0])["failure"]["message"]


def test_refused_credentials_fail_no_payment_pause_the_merchant_and_it_resumes_by_itself(stack):
    stack.desk.change(auth="reject")
    began = len(stack.desk.requests())
    ids = stack.submit(*(payin() for _ in range(5)), card())
    wait_for(lambda: '"merchant.paused"' in stack.output(), what=stack.tails)
    paused_s = time.monotonic()

    wait_for(lambda: time.monotonic() - paused_s > 5, within_s=6)
    asked = len(stack.desk.requests()) - began
    assert {stack.events.last(each)["status"] for each in ids} == {"accepted"}
    # A call of each payment may have been under way when the first was refused; then one or two a pause.
    assert asked <= 3 * len(ids), f"{asked} calls in 5 s of pauses of 2 s"
    stack.desk.change(auth="require")

    stack.succeed(ids)
    stack.judge(ids)


def in_seconds(moment):
    return "5", lambda asked: asked + timedelta(seconds=5)


def as_date(moment):
    whole = moment.replace(microsecond=0) + timedelta(seconds=8)
    return format_datetime(whole, usegmt=True), lambda _: whole


@pytest.mark.parametrize("form", [in_seconds, as_date])
def test_a_429_holds_up_all_of_its_merchant_until_its_retry_after_and_is_then_sent_again(stack, form):
    intent = payin()
    retry_after, resumes_at = form(datetime.now(UTC))
    options = {"status": 429, "headers": {"Retry-After": retry_after}}
    stack.desk.fault("status", external_id=intent["intent_id"], options=options)

    ids = stack.submit(intent)
    wait_for(lambda: stack.redis.exists("payorch:{limit:default}:pause"), what=stack.tails)
    others = stack.submit(payin(), card())

    stack.succeed([*ids, *others])
    first, second = (datetime.fromisoformat(row["at"]) for row in stack.desk.requests(external_id=ids[0]))
    assert second >= resumes_at(first)
    for other in others:
        (asked,) = stack.desk.requests(external_id=other)
        assert datetime.fromisoformat(asked["at"]) >= resumes_at(first)
    stack.judge([*ids, *others])


def test_a_provider_that_refuses_connections_for_a_while_costs_only_time(own_stack):
    stack = own_stack()
    stack.sandbox.stop()
    ids = stack.submit(payin(), card())
    wait_for(lambda: stack.workers[0].output.count('"sent": false') >= 4, what=stack.tails)
    assert {stack.events.last(each)["status"] for each in ids} == {"accepted"}

    stack.sandbox.start()

    stack.succeed(ids)
    assert all("in_doubt" not in stack.events.statuses(each) for each in ids)
    stack.judge(ids)


def test_replies_lost_in_a_row_leave_payments_in_doubt_until_the_list_is_read_and_nothing_is_sent_again(stack):
    intents = [payin(), card(), payin(), card()]
    for intent, fault in zip(intents, ("lose_reply", "garbage", "truncate", "done_then_status"), strict=True):
        stack.desk.fault(fault, external_id=intent["intent_id"])

    ids = stack.submit(*intents)

    stack.succeed(ids)
    for intent_id in ids:
        assert len(stack.desk.requests(external_id=intent_id)) == 1
    stack.judge(ids)


def test_a_create_that_hangs_is_in_doubt_at_its_deadline_and_found_in_the_list(own_stack):
    stack = own_stack(
        settings={"call_timeout_total_s": "2", "call_timeout_read_s": "2", "call_timeout_connect_s": "1"},
        sandbox={"webhooks": "off"},
    )
    intents = [payin(), card()]
    for intent in intents:
        stack.desk.fault("hang", external_id=intent["intent_id"])

    ids = stack.submit(*intents)

    stack.succeed(ids)
    assert [stack.events.statuses(each)[:3] for each in ids] == [["accepted", "in_doubt", "requires_action"]] * 2
    stack.judge(ids)


def test_a_capture_whose_reply_is_lost_is_read_and_not_sent_again(stack):
    intents = [card() for _ in range(4)]
    capture = "/api/v2/cards/capture_payment"
    for fault in ("lose_reply", "garbage", "truncate", "done_then_status"):
        stack.desk.fault(fault, path=capture)

    ids = stack.submit(*intents)

    stack.succeed(ids)
    uuids = stack.desk.uuids()
    assert [len(stack.desk.requests(path=capture, uuid=uuids[each])) for each in ids] == [1] * 4
    stack.judge(ids)
