"""Table E of the faults: what may come to the webhooks' address besides what the provider means to send."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.intents import card, payin
from tests.support.process import wait_for
from tests.support.stack import Stack, signed
from workers.web import BODY_WITHIN_S

BURST = 1000


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


def url_of(stack, intent_id):
    return f"{stack.web_url}/webhooks/hello-clever/default/{intent_id}/1"


def post(stack, intent_id, content, **headers):
    right = {"Authorization": signed(intent_id)}
    return httpx.post(url_of(stack, intent_id), content=content, headers=right | headers, timeout=30)


@pytest.mark.parametrize(
    "header",
    [
        b"x" * 8192,
        b"po1." + b"0" * 8192,
        "po1.schlüssel.ä".encode(),
        b"po1.\xff\xfe.\x80",
        b"po1..",
        b"po1",
        b"Basic cG8xOg==",
    ],
)
def test_no_shape_of_a_wrong_authorization_is_more_than_a_401(stack, paid, header):
    answer = httpx.post(url_of(stack, paid), content=b"{}", headers=[(b"Authorization", header)])

    assert (answer.status_code, answer.json()) == (401, {"outcome": "unauthorised"})


def chunks(count, size=1024):
    yield b'{"note": "'
    for _ in range(count):
        yield b"x" * size
    yield b'"}'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"1", 400, id="one byte"),
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"{}" + b" " * (10 << 20), 413, id="10 MB"),
        pytest.param(chunks(60), 200, id="in chunks"),
        pytest.param(chunks(10_000), 413, id="in chunks without an end in sight"),
        pytest.param(b'{"status": "pending", "status": "expired"}', 200, id="a key twice"),
        pytest.param(b'{"__proto__": {"status": "failed"}, "constructor": 1, "__class__": "x"}', 200, id="odd keys"),
        pytest.param(b'{"amount": NaN}', 200, id="not quite JSON, for the reader to refuse"),
        pytest.param(b'\xef\xbb\xbf{"status": "failed"}', 400, id="a byte order mark"),
        pytest.param(b'{"status": "fail\xffed"}', 400, id="invalid UTF-8"),
    ],
)
def test_each_shape_of_a_body_has_its_answer_and_none_moves_a_payment_that_is_over(stack, paid, body, status):
    before = stack.events.last(paid)

    assert post(stack, paid, body, **{"Content-Type": "text/plain"}).status_code == status

    known = {"status", "paid_minor", "settled", "failure"}
    after = stack.events.last(paid)
    assert {name: after[name] for name in known} == {name: before[name] for name in known}


def test_a_body_that_does_not_come_is_given_up_and_holds_up_nobody(stack, paid):
    parts = urlsplit(url_of(stack, paid))
    head = f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nAuthorization: {signed(paid)}\r\nContent-Length: 100\r\n\r\n{{"
    slow = [socket.create_connection((parts.hostname, parts.port), 10) for _ in range(20)]
    began_s = time.monotonic()
    try:
        for connection in slow:
            connection.sendall(head.encode())

        assert post(stack, paid, b"{}").status_code == 200
        assert time.monotonic() - began_s < BODY_WITHIN_S
        for connection in slow:
            connection.settimeout(BODY_WITHIN_S + 20)
            assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")
    finally:
        for connection in slow:
            connection.close()


def test_ten_of_the_same_at_once_are_all_answered_200_and_change_something_once(stack):
    ids = stack.submit(card())
    stack.wait_status(ids, "requires_action")
    stack.desk.fault("hold_webhooks", times=10, external_id=ids[0])
    stack.desk.act(ids[0], "pay")
    body = {"uuid": stack.desk.uuids()[ids[0]], "external_id": ids[0], "status": "authorised"}

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: stack.post_webhook(ids[0], body), range(10)))

    assert answers == [200] * 10
    wait_for(lambda: stack.desk.ledger(kind="settle", external_id=ids[0]), what=stack.tails)
    stack.desk.release_webhooks()
    stack.wait_status(ids, "succeeded")
    stack.judge(ids)


@pytest.mark.parametrize("word", ["pending", "received", "expired", "failed"])
def test_what_is_said_again_after_the_end_changes_nothing(stack, paid, word):
    before = len(stack.events.read()[paid])
    body = {"uuid": stack.desk.uuids()[paid], "external_id": paid, "status": word, "amount": 500, "currency": "PHP"}

    assert stack.post_webhook(paid, body) == 200
    others = stack.submit(payin())
    stack.wait_status(others, "requires_action")  # the worker has long been at that webhook, too

    assert {event["status"] for event in stack.events.read()[paid][before:]} <= {"succeeded"}
    assert stack.events.last(paid)["paid_minor"] == 50_000


def test_the_right_authorization_with_the_body_of_another_payment_pays_neither(stack):
    first, second = ids = stack.submit(payin(), payin())
    stack.wait_status(ids, "requires_action")
    uuids = stack.desk.uuids()
    body = {"uuid": uuids[second], "external_id": second, "status": "received", "amount": 500, "currency": "PHP"}

    assert stack.post_webhook(first, body) == 200

    wait_for(lambda: stack.events.last(first)["review"], what=stack.tails)
    assert stack.events.last(first)["paid_minor"] == 0
    assert stack.events.last(second)["status"] == "requires_action"
    stack.desk.act_on_all(ids, "pay")
    stack.wait_status(ids, "succeeded")


def test_a_burst_is_kept_to_the_last(stack):
    ids = stack.submit(*(payin() for _ in range(10)))
    stack.wait_status(ids, "requires_action")
    uuids = stack.desk.uuids()
    headers = {each: {"Authorization": signed(each)} for each in ids}

    with httpx.Client(timeout=30, limits=httpx.Limits(max_connections=20)) as client, ThreadPoolExecutor(20) as pool:

        def tell(number):
            each = ids[number % len(ids)]
            body = {"uuid": uuids[each], "external_id": each, "status": "pending", "note": number}
            return client.post(url_of(stack, each), json=body, headers=headers[each]).status_code

        answers = list(pool.map(tell, range(BURST)))

    assert answers == [200] * BURST
    stack.desk.act_on_all(ids, "pay")
    stack.wait_status(ids, "succeeded", within_s=40)
    stack.judge(ids)


@pytest.mark.parametrize("method", ["jp_bank_jpy"])
def test_a_pay_code_that_comes_by_webhook_alone_reaches_the_customer(stack, method):
    ids = stack.submit(payin(method))

    stack.wait_status(ids, "requires_action")

    assert stack.events.last(ids[0])["next_action"]
    assert stack.events.last(ids[0])["observed_by"] == "webhook"
