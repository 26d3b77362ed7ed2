"""The endpoint of interface 3 as a process: its answers in their order, and what becomes of what it kept."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.support.intents import card, intent_id, payin
from tests.support.process import wait_for
from tests.support.stack import READ_TOKEN, Stack, signed


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("stack"), settings={"poll_schedule_s": "600"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def paid(stack):
    """A payment that reached its end."""
    ids = stack.submit(payin())
    stack.succeed(ids)
    return ids[0]


BIG = b"[" + b"1," * 40_000 + b"1]"


@pytest.mark.parametrize(
    ("body", "right", "status"),
    [
        (BIG, False, 413),
        (BIG, True, 413),
        (b"no json", False, 401),
        (b"{}", False, 401),
        (b"no json", True, 400),
        (b"[]", True, 400),
        (b"\xff", True, 400),
        (b'"text"', True, 400),
        (b"[" * 60_000, True, 400),
        (b"{}", True, 200),
        (b'{"nobody": "knows"}', True, 200),
    ],
)
def test_size_comes_before_authorization_and_authorization_before_json(stack, paid, body, right, status):
    authorization = None if right else "po1.00000000.wrong"

    assert stack.post_webhook(paid, body, authorization=authorization) == status


def test_the_answer_for_an_unknown_payment_and_for_a_wrong_header_is_the_same(stack, paid):
    unknown = intent_id()

    answers = [
        httpx.post(
            f"{stack.web_url}/webhooks/hello-clever/default/{intent}/{attempt}",
            json={"status": "received"},
            headers={"Authorization": header},
        )
        for intent, attempt, header in [
            (paid, "1", ""),
            (paid, "1", "po1.00000000.wrong"),
            (paid, "1", signed(unknown)),
            (paid, "2", signed(paid)),
            (paid, "x", signed(paid)),
            (paid, "99999999999999999999", signed(paid)),
            (unknown, "1", signed(paid)),
            (unknown, "1", "Bearer x"),
            (paid, "1", signed(paid).lower()),
        ]
    ]

    assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}


def test_duplicates_are_answered_200_and_change_nothing_twice(stack):
    ids = stack.submit(card())
    stack.wait_status(ids, "requires_action")
    stack.desk.fault("hold_webhooks", times=10, external_id=ids[0])
    stack.desk.act(ids[0], "pay")
    body = {"uuid": stack.desk.uuids()[ids[0]], "external_id": ids[0], "status": "authorised"}

    assert [stack.post_webhook(ids[0], body) for _ in range(10)] == [200] * 10

    wait_for(lambda: stack.desk.ledger(kind="settle", external_id=ids[0]), what=stack.tails)
    stack.desk.release_webhooks()
    stack.wait_status(ids, "succeeded")
    stack.judge(ids)


def test_a_webhook_that_overtakes_the_reply_to_the_create_counts(stack):
    intent = card("tok_no3ds")
    stack.desk.fault("delay_ms", external_id=intent["intent_id"], options={"delay_ms": 1000, "after": True})

    ids = stack.submit(intent)

    stack.wait_status(ids, "succeeded")
    assert {delivery["answer"] for delivery in stack.desk.deliveries(ids[0])} == {200}
    stack.judge(ids)


def test_a_webhook_for_an_id_that_is_not_stored_is_kept_and_its_intent_starts_in_doubt_and_is_not_created(stack):
    intent = payin()
    body = {"uuid": "11111111-2222-3333-4444-555555555555", "external_id": intent["intent_id"], "status": "pending"}

    assert stack.post_webhook(intent["intent_id"], body) == 200
    assert '"webhook.orphaned"' in stack.web.output
    ids = stack.submit(intent)

    wait_for(lambda: "unexpected_observation" in stack.events.last(ids[0]).get("review", []), what=stack.tails)
    assert stack.desk.requests(external_id=ids[0]) == []
    assert stack.desk.counts("create")[ids[0]] == 0


def test_an_unreadable_orphan_puts_the_create_in_doubt_too(stack):
    intent = payin()

    assert stack.post_webhook(intent["intent_id"], {"nobody": "knows"}) == 200
    ids = stack.submit(intent)

    stack.wait_status(ids, "in_doubt")
    assert "unexpected_observation" in stack.events.last(ids[0])["review"]
    assert stack.desk.counts("create")[ids[0]] == 0


def test_the_public_view_is_shown_to_who_has_a_read_token(stack, paid):
    url = f"{stack.web_url}/v1/payments/default/{paid}"

    shown = httpx.get(url, headers={"Authorization": f"Bearer {READ_TOKEN}"})

    assert shown.status_code == 200
    last = stack.events.last(paid)
    assert shown.json() == {
        name: value for name, value in last.items() if name not in {"previous_status", "observed_by"}
    }
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {READ_TOKEN}"}):
        assert httpx.get(url, headers=headers).status_code == 401


def test_an_unknown_payment_is_404_only_for_who_may_read(stack):
    url = f"{stack.web_url}/v1/payments/default/{intent_id()}"

    assert httpx.get(url, headers={"Authorization": f"Bearer {READ_TOKEN}"}).status_code == 404
    assert httpx.get(url).status_code == 401


def test_with_redis_down_a_webhook_is_answered_503_and_the_provider_sends_it_again(tmp_path):
    with Stack(tmp_path, settings={"poll_schedule_s": "600"}, sandbox={"webhook_retry_s": "5"}) as stack:
        ids = stack.submit(payin())
        stack.wait_status(ids, "requires_action")
        stack.valkey.kill()

        assert stack.post_webhook(ids[0], {"status": "received"}) == 503
        assert httpx.get(f"{stack.web_url}/readyz").json()["missing"] == ["redis"]
        assert httpx.get(f"{stack.web_url}/healthz").status_code == 200
        headers = {"Authorization": f"Bearer {READ_TOKEN}"}
        assert httpx.get(f"{stack.web_url}/v1/payments/default/{ids[0]}", headers=headers).status_code == 503
        stack.desk.act(ids[0], "pay")
        wait_for(lambda: stack.desk.deliveries(ids[0]), what=stack.tails)
        stack.valkey.start()

        stack.wait_status(ids, "succeeded", within_s=40)
        stack.judge(ids)
        assert json.dumps(ids[0]) in json.dumps(stack.events.last(ids[0]))
