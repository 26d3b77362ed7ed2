"""Each row of bad input: one dead letter, one refusal, however often it comes; the next message goes through (I9)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.intents import card, intent_id, payin
from tests.support.process import wait_for
from tests.support.stack import READ_TOKEN, SECRET_KEY, WEBHOOK_SECRET
from tests.support.subscriber import Subscriber

CARD_NUMBER = "4242 4242 4242 4242"
SOON = (datetime.now(UTC) + timedelta(minutes=19)).strftime("%Y-%m-%dT%H:%M:%SZ")


def without(field):
    return {name: value for name, value in payin().items() if name != field}


def of_customer(**fields):
    return payin(customer={"name": "Ada", "email": "ada@example.com"} | fields)


def unknown_method():
    return payin(method={"payin_method_name": "no_such_method", "payin_method_params": {}})


# Name -> the message, the stable code, the field that the sentence names.
ROWS = {
    "not JSON": ("{not json", "invalid_json", None),
    "not UTF-8": (b"\xff\xfe{}", "invalid_json", None),
    "not an object": ("[1]", "not_an_object", None),
    "unknown field": (payin(amount_minr=5), "unknown_field", "amount_minr"),
    "unknown field of the method": (
        card(method={"token": "tok_1", "return_url": "https://shop.example", "cvv": "x"}),
        "unknown_field",
        "method.cvv",
    ),
    "missing field": (without("description"), "missing_field", "description"),
    "missing amount": (without("amount_minor"), "missing_field", "amount_minor"),
    "missing customer": (of_customer(email=None), "missing_field", "customer.email"),
    "wrong type": (payin(description=7), "wrong_type", "description"),
    "float amount": (payin(amount_minor=500.5), "amount_not_integer", "amount_minor"),
    "whole float amount": (payin(amount_minor=50000.0), "amount_not_integer", "amount_minor"),
    "string amount": (payin(amount_minor="50000"), "amount_not_integer", "amount_minor"),
    "boolean amount": (payin(amount_minor=True), "amount_not_integer", "amount_minor"),
    "zero": (payin(amount_minor=0), "amount_out_of_range", "amount_minor"),
    "negative": (payin(amount_minor=-1), "amount_out_of_range", "amount_minor"),
    "too large": (payin(amount_minor=2**53), "amount_out_of_range", "amount_minor"),
    "huge": (payin(amount_minor=10**30), "amount_out_of_range", "amount_minor"),
    "unknown currency": (payin(currency="XXY"), "unknown_currency", "currency"),
    "unknown merchant": (payin(merchant="nobody"), "unknown_merchant", "merchant"),
    "unknown method": (unknown_method(), "unknown_method", "method.payin_method_name"),
    "no flow": (payin(method={}), "no_flow", "method"),
    "expires too soon": (payin(expires_at=SOON), "expires_too_soon", "expires_at"),
    "card number": (payin(metadata={"note": f"card {CARD_NUMBER} ok"}), "card_number_refused", "metadata.note"),
    "too long": (payin(metadata={"note": "x" * 65_600}), "too_large", None),
    "control character": (payin(description="a\u0007b"), "control_character", "description"),
    "line break": (payin(description="a\r\nSet-Cookie: x"), "control_character", "description"),
}


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack()


@pytest.fixture
def refusals(stack):
    listener = Subscriber(stack.valkey.url, "refusal.#")
    yield listener
    listener.stop()


def test_each_row_of_bad_input_is_refused_once_and_the_next_message_goes_through(stack, refusals):
    good = [payin() for _ in ROWS]
    for (message, _, _), next_one in zip(ROWS.values(), good, strict=True):
        stack.submit_raw(encoded(message), encoded(message))
        stack.submit(next_one)
    stack.submit_raw(*(encoded(message) for message, _, _ in ROWS.values()))  # again, much later

    stack.wait_status([intent["intent_id"] for intent in good], "requires_action")

    check_refusals(stack, refusals)
    stack.succeed([intent["intent_id"] for intent in good])
    stack.judge([intent["intent_id"] for intent in good])
    creates = stack.desk.counts("create")
    assert len(creates) == len(good)


def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stands(stack, refusals):
    first = payin()
    other = first | {"amount_minor": 60000}
    letters = len(stack.dead_letters())
    stack.submit(first)
    stack.wait_status([first["intent_id"]], "requires_action")

    stack.submit(other, other, first)

    (refusal,) = wait_for(refusals.each_once, what=stack.tails)
    assert (refusal["data"]["code"], refusal["data"]["field"]) == ("intent_conflict", "intent_id")
    stack.succeed([first["intent_id"]])
    assert stack.events.last(first["intent_id"])["amount_minor"] == first["amount_minor"]
    assert len(stack.dead_letters()) == letters + 1
    stack.judge([first["intent_id"]])


def test_a_corrected_intent_may_use_the_id_of_the_refused_one(stack, refusals):
    wanted = intent_id()
    stack.submit(payin(intent_id=wanted, amount_minor=-5))
    wait_for(lambda: refusals.events, what=stack.tails)

    stack.submit(payin(intent_id=wanted))

    stack.succeed([wanted])
    stack.judge([wanted])


def test_nothing_secret_is_in_anything_that_our_programs_say_or_keep_of_refusals(own_stack):
    stack = own_stack(settings={"log_level": "debug"})
    token = "tok_canary3dsf00d"
    ids = stack.submit(card(token), payin())
    stack.submit_raw(
        json.dumps(payin(metadata={"note": CARD_NUMBER})),
        json.dumps(payin(description=f"paid with {CARD_NUMBER.replace(' ', '')}")),
        json.dumps(card(CARD_NUMBER.replace(" ", ""))),
        f'{{"broken": "{CARD_NUMBER}"',
    )
    stack.desk.fault("lose_reply", path="/api/v2/cards/capture_payment")
    stack.succeed(ids)
    stack.post_webhook(ids[0], {"uuid": "x"}, authorization=f"wrong {WEBHOOK_SECRET}")
    wait_for(lambda: len(stack.dead_letters()) == 4, what=stack.tails)
    stack.judge(ids)
    action = next(event["next_action"] for event in stack.events.read()[ids[0]] if event["next_action"])
    for worker in stack.workers:
        assert worker.stop() == 0

    said = stack.output()
    kept = json.dumps(stack.dead_letters())
    number = CARD_NUMBER.replace(" ", "")
    for secret in (CARD_NUMBER, number, token, SECRET_KEY, WEBHOOK_SECRET, READ_TOKEN, action["url"], "po1."):
        assert secret not in said, f"{secret!r} was said"
    for secret in (CARD_NUMBER, number):
        assert secret not in kept, f"{secret!r} is kept in a dead letter"
    assert {letter["redrivable"] for letter in stack.dead_letters()} == {"false"}


def test_each_row_of_bad_input_on_rabbitmq_is_refused_once_and_the_next_message_goes_through(amqp_broker, own_stack):
    stack = own_stack(settings={"broker_url": amqp_broker.url, "namespace": amqp_broker.namespace})
    refusals = Subscriber(amqp_broker.url, "refusal.#", namespace=amqp_broker.namespace)
    try:
        good = [payin() for _ in ROWS]
        for (message, _, _), next_one in zip(ROWS.values(), good, strict=True):
            for body in (encoded(message), encoded(message), encoded(next_one)):
                amqp_broker.publish(body)

        stack.wait_status([intent["intent_id"] for intent in good], "requires_action")

        check_refusals(stack, refusals, origin="amqp")
        wait_for(lambda: amqp_broker.ready() == 0, what="the queue is not empty")
        stack.judge([intent["intent_id"] for intent in good])
    finally:
        refusals.stop()
        stack.end()


def encoded(message):
    return message if isinstance(message, str | bytes) else json.dumps(message)


def check_refusals(stack, refusals, origin="stream"):
    wait_for(lambda: len(refusals.each_once()) >= len(ROWS), what=lambda: f"{refusals.events}\n{stack.tails()}")
    letters = stack.dead_letters()
    expected = sorted((code, field or "") for _, code, field in ROWS.values())
    assert sorted((letter["code"], letter["field"]) for letter in letters) == expected
    told = [event["data"] for event in refusals.each_once()]
    assert sorted((data["code"], data["field"] or "") for data in told) == expected
    for data in told:
        assert data["message"]
        assert (data["field"] or "").rpartition(".")[2] in data["message"]
    assert {letter["origin"] for letter in letters} == {origin}
    masked = next(letter for letter in letters if letter["code"] == "card_number_refused")
    assert CARD_NUMBER not in json.dumps(letters)
    assert masked["redrivable"] == "false"
