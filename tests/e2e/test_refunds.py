"""Refunds by command from the queue to the provider's ledger, through real workers and webhooks: each once."""

from __future__ import annotations

import uuid

import pytest

from tests.support.celery_client import send_command_task
from tests.support.intents import card, gateway_link, payid, payin
from tests.support.process import wait_for
from tests.support.subscriber import Subscriber

PATHS = {
    "payin": "/api/v2/payins/refund",
    "payid": "/api/v1/payment_requests/refund",
    "card": "/api/v2/cards/refund_payment",
}
KINDS = {"payin": payin, "payid": payid, "card": card}
ON_FLOWS = pytest.mark.parametrize("flow", sorted(KINDS))
CALLS_ARE_SHORT = {"call_timeout_read_s": "1", "call_timeout_total_s": "2", "call_timeout_connect_s": "1"}
MINOR = {"card_refund_amount_unit": "minor"}
TAKES_A_WHILE = {"refunds": "hang"}  # the refund ends when the test says so


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(settings=MINOR, sandbox=TAKES_A_WHILE)


@pytest.fixture
def refusals(stack):
    listener = Subscriber(stack.valkey.url, "refusal.#")
    yield listener
    listener.stop()


def refund(intent_id, refund_id="r-1", /, *, number="1", **fields):
    """A command whose id no other one of the merchant has."""
    who = {"merchant": "default", "intent_id": intent_id, "command_id": f"{intent_id}-{refund_id}-{number}"}
    return {"command": "refund", "refund_id": refund_id} | who | fields


def paid(stack, flow):
    intent = KINDS[flow]()
    ids = stack.submit(intent)
    stack.succeed(ids)
    return ids[0], intent["amount_minor"]


def asked(stack, intent_id):
    """The refunds of this payment that the provider made, in minor units."""
    return [entry["amount_minor"] for entry in stack.desk.ledger(kind="refund", external_id=intent_id)]


def begun(stack, intent_id, *amounts):
    """Return when the provider has made these refunds and the payment says so: it says so from the mark on."""
    wait_for(lambda: asked(stack, intent_id) == [*amounts], what=stack.tails)
    stack.wait_status([intent_id], "refund_pending")


def posts(stack, flow, intent_id):
    """The refund requests of this payment."""
    (created,) = stack.desk.ledger(kind="create", external_id=intent_id)
    return [each for each in stack.desk.requests(path=PATHS[flow]) if str(each["uuid"]) == str(created["id"])]


def end(stack, intent_id, action, status):
    stack.desk.act(intent_id, action)
    stack.wait_status([intent_id], status)


def told(stack, intent_id):
    """The codes of the refusals of this payment's commands."""
    return [letter["code"] for letter in stack.dead_letters() if intent_id in letter["body"]]


def statuses(stack, intent_id):
    """The statuses from the success on."""
    seen = stack.events.statuses(intent_id)
    return seen[seen.index("succeeded") :]


def judge(stack, intent_id):
    """No second create, and an event for each change in its place."""
    stack.judge([intent_id])
    sequences = [event["sequence"] for event in stack.events.read()[intent_id]]
    assert sequences == list(range(1, len(sequences) + 1))


@ON_FLOWS
def test_a_part_and_then_all_the_rest_go_back(stack, flow):
    intent_id, amount_minor = paid(stack, flow)

    stack.command(refund(intent_id, amount_minor=2_500, reason="one item came back"))
    begun(stack, intent_id, 2_500)
    end(stack, intent_id, "finish_refund", "partially_refunded")
    assert stack.events.last(intent_id)["refunded_minor"] == 2_500
    stack.command(refund(intent_id, "r-2"))
    begun(stack, intent_id, 2_500, amount_minor - 2_500)
    end(stack, intent_id, "finish_refund", "refunded")

    last = stack.events.last(intent_id)
    assert (last["refunded_minor"], last["paid_minor"], last["review"]) == (amount_minor, amount_minor, [])
    assert asked(stack, intent_id) == [2_500, amount_minor - 2_500]
    assert statuses(stack, intent_id) == [
        "succeeded",
        "refund_pending",
        "partially_refunded",
        "refund_pending",
        "refunded",
    ]
    judge(stack, intent_id)


@ON_FLOWS
def test_all_at_once(stack, flow):
    intent_id, amount_minor = paid(stack, flow)

    stack.command(refund(intent_id))
    begun(stack, intent_id, amount_minor)
    end(stack, intent_id, "finish_refund", "refunded")

    assert asked(stack, intent_id) == [amount_minor]
    judge(stack, intent_id)


@pytest.mark.parametrize("send", ["stream", "celery"])
def test_a_refund_that_is_sent_five_times_goes_back_once_and_another_waits_its_turn(stack, send):
    intent_id, _ = paid(stack, "payin")
    wanted = [
        *[refund(intent_id, amount_minor=2_500)] * 4,
        refund(intent_id, amount_minor=2_500, number="2"),
        refund(intent_id, "r-2", amount_minor=1),
        refund(intent_id, amount_minor=2_501, number="3"),
    ]

    for each in wanted:
        stack.command(each) if send == "stream" else send_command_task(stack.valkey.url, "", each)

    codes = ["refund_conflict", "refund_running"]
    wait_for(lambda: sorted(told(stack, intent_id)) == codes, what=stack.tails)
    begun(stack, intent_id, 2_500)
    end(stack, intent_id, "finish_refund", "partially_refunded")
    stack.command(refund(intent_id, amount_minor=2_500, number="4"))
    stack.command(refund(intent_id, "r-3", amount_minor=60_000))
    wait_for(lambda: "refund_too_large" in told(stack, intent_id), what=stack.tails)
    assert asked(stack, intent_id) == [2_500]
    assert stack.events.last(intent_id)["status"] == "partially_refunded"
    judge(stack, intent_id)


@ON_FLOWS
def test_a_refund_that_the_provider_refuses_is_told_once_and_the_status_goes_back(stack, refusals, flow):
    intent_id, _ = paid(stack, flow)
    no_balance = {"status": 422, "body": {"errors": {"message": "Insufficient balance."}}}
    stack.desk.fault("status", path=PATHS[flow], options=no_balance)

    for _ in range(2):
        stack.command(refund(intent_id, amount_minor=2_500))

    wait_for(lambda: told(stack, intent_id) == ["http_422"], what=stack.tails)
    stack.wait_status([intent_id], "succeeded")
    assert statuses(stack, intent_id) == ["succeeded", "refund_pending", "succeeded"]
    (letter,) = [each for each in stack.dead_letters() if intent_id in each["body"]]
    assert (letter["message"], letter["origin"]) == ("Insufficient balance.", "provider")
    (event,) = wait_for(lambda: [each for each in refusals.each_once() if each["subject"] == intent_id])
    assert (event["type"], event["data"]["command"]) == ("command.refused", "refund")
    stack.command(refund(intent_id, "r-2", amount_minor=2_500))
    begun(stack, intent_id, 2_500)
    assert told(stack, intent_id) == ["http_422"]
    judge(stack, intent_id)


@ON_FLOWS
@pytest.mark.parametrize("ending", ["reject_refund", "expire_refund"])
def test_a_refund_that_falls_through_leads_back(stack, flow, ending):
    intent_id, _ = paid(stack, flow)
    stack.command(refund(intent_id, amount_minor=2_500))
    begun(stack, intent_id, 2_500)

    end(stack, intent_id, ending, "succeeded")

    assert stack.events.last(intent_id)["refunded_minor"] == 0
    stack.command(refund(intent_id, amount_minor=2_500, number="2"))
    wait_for(lambda: told(stack, intent_id) == ["refund_conflict"], what=stack.tails)
    assert asked(stack, intent_id) == [2_500]


def test_a_dispute_and_a_refund_exclude_each_other(stack):
    intent_id, _ = paid(stack, "card")
    stack.desk.act(intent_id, "dispute")
    stack.wait_status([intent_id], "disputed")

    stack.command(refund(intent_id))

    wait_for(lambda: told(stack, intent_id) == ["not_refundable"], what=stack.tails)
    assert asked(stack, intent_id) == []
    end(stack, intent_id, "win_dispute", "succeeded")
    stack.command(refund(intent_id, "r-2"))
    begun(stack, intent_id, 10_000)


def test_what_has_no_documented_refund_and_what_is_not_paid_is_refused(stack):
    ids = stack.submit(gateway_link(), payin())
    stack.succeed(ids[:1])
    stack.wait_status(ids[1:], "requires_action")

    stack.command(*(refund(each) for each in ids))

    wait_for(lambda: [told(stack, each) for each in ids] == [["refund_unsupported"], ["not_refundable"]], what=told)


def test_a_card_is_not_refunded_while_nobody_has_confirmed_the_unit(own_stack):
    stack = own_stack()
    intent_id, _ = paid(stack, "card")

    stack.command(refund(intent_id, amount_minor=2_500))

    wait_for(lambda: told(stack, intent_id) == ["refund_unit_unconfigured"], what=stack.tails)
    assert (asked(stack, intent_id), posts(stack, "card", intent_id)) == ([], [])


@pytest.mark.parametrize("shows", ["current", "earlier"])
def test_a_card_that_settles_is_refunded_in_major_units_too_whatever_its_reply_still_says(own_stack, shows):
    sandbox = {"card_reply_unit": "major", "card_refund_status": shows, "settle_s": "3600", **TAKES_A_WHILE}
    stack = own_stack(settings={"card_refund_amount_unit": "major"}, sandbox=sandbox)
    ids = stack.submit(card())
    stack.wait_status(ids, "requires_action")
    stack.desk.act(ids[0], "pay")
    wait_for(lambda: stack.events.last(ids[0]).get("reason") == "settling", what=stack.tails)

    stack.command(refund(ids[0], amount_minor=2_550))

    begun(stack, ids[0], 2_550)
    end(stack, ids[0], "finish_refund", "partially_refunded")
    assert (asked(stack, ids[0]), stack.events.last(ids[0])["refunded_minor"]) == ([2_550], 2_550)


# Doubt


@ON_FLOWS
@pytest.mark.parametrize("fault", ["lose_reply", "done_then_status", "hang", "garbage", "truncate"])
def test_a_refund_whose_answer_is_lost_is_found_and_not_sent_again(doubtful, flow, fault):
    intent_id, _ = paid(doubtful, flow)
    doubtful.desk.fault(fault, path=PATHS[flow])

    for _ in range(2):
        doubtful.command(refund(intent_id, amount_minor=2_500))

    begun(doubtful, intent_id, 2_500)
    end(doubtful, intent_id, "finish_refund", "partially_refunded")
    assert (asked(doubtful, intent_id), len(posts(doubtful, flow, intent_id))) == ([2_500], 1)
    assert (doubtful.events.last(intent_id)["refunded_minor"], told(doubtful, intent_id)) == (2_500, [])
    judge(doubtful, intent_id)


@pytest.fixture(scope="module")
def doubtful(make_stack):
    """Short calls, and nothing is heard but what is asked for."""
    return make_stack(settings=MINOR | CALLS_ARE_SHORT, sandbox=TAKES_A_WHILE | {"webhooks": "off"})


def test_a_refund_that_may_have_been_sent_and_did_not_arrive_is_never_sent_again(doubtful):
    intent_id, _ = paid(doubtful, "payin")
    known_id = doubtful.desk.uuids()[intent_id]
    doubtful.desk.fault("drop_before", path=PATHS["payin"])

    doubtful.command(refund(intent_id, amount_minor=2_500))

    doubtful.wait_status([intent_id], "refund_pending")
    wait_for(lambda: doubtful.desk.requests(path=PATHS["payin"], uuid=known_id), what=doubtful.tails)
    doubtful.command(refund(intent_id, "r-2", amount_minor=1))
    wait_for(lambda: told(doubtful, intent_id) == ["refund_running"], what=doubtful.tails)
    looks = len(doubtful.desk.requests(method="GET", uuid=known_id))
    wait_for(lambda: len(doubtful.desk.requests(method="GET", uuid=known_id)) > looks, within_s=40, what=doubtful.tails)
    assert asked(doubtful, intent_id) == []
    assert len(doubtful.desk.requests(path=PATHS["payin"], uuid=known_id)) == 1
    assert doubtful.events.last(intent_id)["status"] == "refund_pending"


def test_refunds_on_the_wire_when_their_worker_is_killed_are_made_once(own_stack):
    stack = own_stack(settings=MINOR, sandbox={"latency_ms": "300", "webhooks": "off", **TAKES_A_WHILE})
    flows = [*KINDS] * 2
    ids = stack.submit(*(KINDS[flow]() for flow in flows))
    stack.succeed(ids)
    commands = [refund(each, amount_minor=2_500) for each in ids]
    stack.command(*commands)
    wait_for(lambda: len(refund_requests(stack)) == len(ids), what=stack.tails)
    stack.workers[0].kill()
    stack.start_worker()
    stack.command(*commands)

    stack.wait_status(ids, "refund_pending")
    wait_for(lambda: all(asked(stack, each) == [2_500] for each in ids), what=stack.tails)
    stack.desk.act_on_all(ids, "finish_refund")
    stack.wait_status(ids, "partially_refunded", within_s=60)

    assert [asked(stack, each) for each in ids] == [[2_500]] * len(ids)
    assert len(refund_requests(stack)) == len(ids)
    for each in ids:
        assert stack.events.last(each)["refunded_minor"] == 2_500
        judge(stack, each)


def refund_requests(stack):
    return [each for path in PATHS.values() for each in stack.desk.requests(path=path)]


def test_refunds_whose_worker_is_killed_between_the_mark_and_the_call_are_never_doubled(own_stack):
    stack = own_stack(settings=MINOR, sandbox=TAKES_A_WHILE)
    stack.start_worker()
    ids = stack.submit(*(payin() for _ in range(20)))
    stack.succeed(ids)
    stack.command(*(refund(each, f"r-{uuid.uuid4().hex[:8]}", amount_minor=2_500) for each in ids))
    wait_for(lambda: refund_requests(stack), what=stack.tails)
    stack.workers[0].kill()
    stack.wait_status(ids, "refund_pending", within_s=60)
    made = [each for each in ids if asked(stack, each)]
    assert made

    # What was marked only stays in doubt: nobody can tell it from what is on the wire.
    stack.desk.act_on_all(made, "finish_refund")
    stack.wait_status(made, "partially_refunded")
    assert all(asked(stack, each) in ([2_500], []) for each in ids)
    assert len(refund_requests(stack)) == len({each["uuid"] for each in refund_requests(stack)})
