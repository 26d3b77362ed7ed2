"""The table of contract 5 for create and capture."""

from __future__ import annotations

from decimal import Decimal

import pytest

from orchestrator.absorb import interpreted
from orchestrator.observe import Belief
from orchestrator.outcome import after_reply
from orchestrator.payment import CAPTURE, CREATE, OperationState, public_view
from orchestrator.policy import Policy
from orchestrator.ports import Reply
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Review, Status
from tests.unit.core.building import NOW_MS, UUID, accepted, capturing, card_body, card_intent, created, in_state

POLICY = Policy()
UNREADABLE = Reply(sent=True, http_status=200)  # not JSON, truncated or empty


def said(body: object, http_status: int = 200) -> Reply:
    return Reply(sent=True, http_status=http_status, body=body, is_json=True)


def code(http_status: int, **changes) -> Reply:
    return Reply(sent=True, http_status=http_status, **changes)


ERROR = {"errors": {"code": "INVALID", "message": "Invalid amount."}}
NOT_EXECUTED = {
    "connection refused": Reply(sent=False, error="ClientConnectorError"),
    "dns": Reply(sent=False, error="ClientConnectorDNSError"),
    "too late": Reply(sent=False, error="too_late"),
    "breaker open": Reply(sent=False, error="breaker_open"),
    "425": code(425),
    "429": code(429),
    "401": said({"errors": {"code": "REQUIRE_LOGIN", "message": "Not Authorised"}}, 401),
}
IN_DOUBT = {
    "reset before any reply byte": Reply(sent=True, error="ClientOSError"),
    "read timeout": Reply(sent=True, error="TimeoutError"),
    "2xx not JSON": UNREADABLE,
    "201 not JSON": code(201),
    "2xx null": said(None),
    "2xx list": said([card_body("pending")]),
    "2xx empty object": said({}),
    "2xx without id": said({"status": "pending"}),
    "2xx without status": said({"uuid": UUID}),
    "2xx request-shaped": said({"currency": "AUD", "amount": 100, "external_id": "ord-1001"}),
    "2xx with errors": said(ERROR),
    "2xx of another payment": said(card_body("pending", external_id="ord-9")),
    "301": code(301),
    "302": code(302),
    "307": code(307),
    "408": code(408),
    "500": said(ERROR, 500),
    "502": code(502),
    "503": code(503),
    "504": code(504),
    "520": code(520),
    "100": code(100),
    "999": code(999),
}
REFUSED = {str(status): said(ERROR, status) for status in (400, 402, 403, 404, 405, 409, 410, 422)}


def replied(payment, name, reply, *deadline_ms):
    sighting = interpreted(payment, reply.body, source=Source.REPLY, policy=POLICY, operation=name)
    of_mark = deadline_ms[0] if deadline_ms else payment.operations[name].deadline_ms
    return after_reply(
        payment,
        name,
        reply,
        sighting,
        deadline_ms=of_mark,
        belief=Belief(),
        policy=POLICY,
        now_ms=NOW_MS + 7,
    )


def sent(state=OperationState.SENDING):
    return in_state(accepted(card_intent()), CREATE, state, deadline_ms=NOW_MS + 40_000)


def capture_sent(state=OperationState.SENDING):
    payment = capturing(created(card_intent(), status=Status.PROCESSING, reason=Reason.CAPTURING), state)
    return in_state(payment, CAPTURE, state, deadline_ms=NOW_MS + 40_000)


@pytest.mark.parametrize("reply", NOT_EXECUTED.values(), ids=NOT_EXECUTED)
@pytest.mark.parametrize(("payment", "name"), [(sent(), CREATE), (capture_sent(), CAPTURE)], ids=[CREATE, CAPTURE])
def test_i1_what_certainly_did_not_happen_may_be_sent_again_after_a_pause(payment, name, reply):
    after = replied(payment, name, reply)
    operation = after.operations[name]
    assert (operation.state, operation.unsent, operation.deadline_ms) == (OperationState.READY, 1, None)
    assert operation.not_before_ms > NOW_MS + 7
    assert public_view(after).status is payment.status


@pytest.mark.parametrize("reply", IN_DOUBT.values(), ids=IN_DOUBT)
@pytest.mark.parametrize(("payment", "name"), [(sent(), CREATE), (capture_sent(), CAPTURE)], ids=[CREATE, CAPTURE])
def test_t13_what_may_have_happened_is_in_doubt(payment, name, reply):
    after = replied(payment, name, reply)
    assert after.operations[name].state is OperationState.IN_DOUBT
    assert public_view(after).status is (Status.IN_DOUBT if name == CREATE else Status.PROCESSING)


def test_an_answer_about_another_payment_is_not_attached():
    after = replied(sent(), CREATE, IN_DOUBT["2xx of another payment"])
    assert after.reference is None
    assert after.review == (Review.FOREIGN_REFERENCE,)


@pytest.mark.parametrize("reply", REFUSED.values(), ids=REFUSED)
def test_i5_an_explicit_no_to_the_first_attempt_fails_with_the_providers_words(reply):
    after = replied(sent(), CREATE, reply)
    assert after.create.state is OperationState.REFUSED
    assert public_view(after).status is Status.FAILED
    assert public_view(after).failure == {"code": "INVALID", "message": "Invalid amount."}


@pytest.mark.parametrize("reply", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("state", [OperationState.SENDING, OperationState.IN_DOUBT])
def test_t12_a_no_to_a_repeat_is_no_failure(reply, state):
    repeat = in_state(sent(), CREATE, state, attempt=2, deadline_ms=NOW_MS + 40_000)
    after = replied(repeat, CREATE, reply)
    assert after.create.state is OperationState.IN_DOUBT
    assert public_view(after).status is Status.IN_DOUBT


@pytest.mark.parametrize("reply", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("state", [OperationState.SENDING, OperationState.IN_DOUBT])
def test_t37_a_no_to_a_capture_may_mean_already_captured(reply, state):
    after = replied(capture_sent(state), CAPTURE, reply)
    assert after.operations[CAPTURE].state is OperationState.IN_DOUBT
    assert (after.status, after.reason) == (Status.PROCESSING, Reason.CAPTURING)


@pytest.mark.parametrize("reply", REFUSED.values(), ids=REFUSED)
def test_an_explicit_no_to_the_first_attempt_is_one_however_late_it_comes(reply):
    after = replied(sent(OperationState.IN_DOUBT), CREATE, reply)
    assert (after.create.state, after.status) == (OperationState.REFUSED, Status.FAILED)


@pytest.mark.parametrize("reply", NOT_EXECUTED.values(), ids=NOT_EXECUTED)
def test_who_knows_that_this_sending_was_not_executed_lifts_the_doubt_it_left(reply):
    after = replied(sent(OperationState.IN_DOUBT), CREATE, reply)
    assert after.create.state is OperationState.READY


@pytest.mark.parametrize("reply", [*NOT_EXECUTED.values(), *REFUSED.values()], ids=[*NOT_EXECUTED, *REFUSED])
@pytest.mark.parametrize("state", [OperationState.SENDING, OperationState.IN_DOUBT])
@pytest.mark.parametrize("deadline_ms", [NOW_MS + 39_000, None])
def test_i1_a_late_reply_to_another_sending_lifts_no_doubt(reply, state, deadline_ms):
    assert replied(sent(state), CREATE, reply, deadline_ms) == sent(state)


@pytest.mark.parametrize("reply", [*NOT_EXECUTED.values(), *REFUSED.values()], ids=[*NOT_EXECUTED, *REFUSED])
def test_i1_what_a_webhook_proved_no_reply_disproves(reply):
    proven = in_state(sent(), CREATE, OperationState.IN_DOUBT, deadline_ms=NOW_MS + 40_000, is_proven=True)
    assert replied(proven, CREATE, reply) == proven


@pytest.mark.parametrize("http_status", [200, 201, 202])
@pytest.mark.parametrize("state", [OperationState.SENDING, OperationState.IN_DOUBT])
def test_d08_any_2xx_with_id_and_status_is_executed(http_status, state):
    body = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})
    after = replied(sent(state), CREATE, said(body, http_status))
    assert after.create.state is OperationState.DONE
    assert (after.status, after.reference) == (Status.REQUIRES_ACTION, f"uuid:{UUID}")


def test_t26_the_wrapped_example_is_executed_too():
    assert replied(sent(), CREATE, said({"example": card_body("pending")})).create.state is OperationState.DONE


def test_a_capture_that_was_answered_is_done():
    after = replied(capture_sent(), CAPTURE, said(card_body("waiting", pay_code={"3ds_url": "https://x.example"})))
    assert after.operations[CAPTURE].state is OperationState.DONE
    assert (after.status, after.reason) == (Status.PROCESSING, Reason.SETTLING)


def test_a_capture_answered_with_the_old_status_is_in_doubt():
    after = replied(capture_sent(), CAPTURE, said(card_body("authorised")))
    assert after.operations[CAPTURE].state is OperationState.IN_DOUBT


@pytest.mark.parametrize("reply", [*IN_DOUBT.values(), *REFUSED.values(), *NOT_EXECUTED.values()])
def test_i4_a_late_reply_to_an_operation_that_is_done_changes_nothing(reply):
    payment = created(card_intent(), status=Status.REQUIRES_ACTION)
    after = replied(payment, CREATE, reply)
    assert after == payment or after.review == (Review.FOREIGN_REFERENCE,)


def test_the_pauses_of_a_call_that_cannot_be_made_grow_to_half_a_minute():
    payment, pauses = sent(), []
    for _ in range(7):
        payment = replied(payment, CREATE, Reply(sent=False))
        pauses.append(payment.create.not_before_ms - NOW_MS - 7)
        payment = in_state(payment, CREATE, OperationState.SENDING, deadline_ms=NOW_MS + 40_000)
    assert pauses == [1_000, 2_000, 5_000, 15_000, 30_000, 30_000, 30_000]


@pytest.mark.parametrize(
    ("reply", "pause_ms"),
    [
        (code(429, retry_after_s=120), 120_000),
        (code(429, retry_after_s=0), 1_000),
        (code(429), 1_000),
        (code(401), 30_000),
        (code(401, retry_after_s=60), 60_000),
    ],
)
def test_vector_16_retry_after_is_honoured(reply, pause_ms):
    assert replied(sent(), CREATE, reply).create.not_before_ms == NOW_MS + 7 + pause_ms


def test_a_refusal_without_a_body_names_its_http_status():
    after = replied(sent(), CREATE, code(400))
    assert public_view(after).failure == {"code": "http_400", "message": "HTTP 400 without an explanation"}


def test_vector_5_the_providers_422_is_kept_as_it_was_said():
    body = {"errors": {"message": "Invalid amount. Please enter a value greater than 0.5."}}
    after = replied(sent(), CREATE, said(body, 422))
    assert public_view(after).failure == {
        "code": "http_422",
        "message": "Invalid amount. Please enter a value greater than 0.5.",
    }


def test_amounts_of_a_reply_may_be_decimals():
    body = card_body("pending", amount=Decimal("100.0"), total=Decimal("100.0"), paid_amount=Decimal("0.0"))
    assert replied(sent(), CREATE, said(body)).review == ()
