"""What a payment's history says of each thing that was said: what it claimed, what became of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.commands import parse_command
from orchestrator.doubt import abandoned, in_doubt
from orchestrator.errors import RefusedError
from orchestrator.history import Entry, Verdict, What, entry_of
from orchestrator.notes import called, commanded, decided, moved, noted, parked, replied, sighted
from orchestrator.observation import DecisionSeen
from orchestrator.observe import observe
from orchestrator.outcome import after_reply
from orchestrator.payment import CAPTURE, CREATE, OperationState, Payment
from orchestrator.policy import Policy
from orchestrator.ports import Reply
from orchestrator.sighting import Sighting, Source
from orchestrator.statuses import Reason, Review, Status
from tests.unit.core.building import (
    BELIEF,
    NOW_MS,
    accepted,
    capturing,
    card_body,
    card_intent,
    created,
    gateway_intent,
    in_state,
    sighting_of,
)

POLICY = Policy()
ACTION = created(card_intent(), status=Status.REQUIRES_ACTION, next_action={"type": "redirect", "url": "https://x"})
SUCCEEDED = created(
    card_intent(),
    status=Status.SUCCEEDED,
    settled=True,
    customer_paid=True,
    paid_minor=10000,
    provider_status="received",
)
REFUNDED = replace(SUCCEEDED, status=Status.REFUNDED, refunded_minor=10000, provider_status="refunded")
SENDING = in_state(accepted(card_intent()), CREATE, OperationState.SENDING, deadline_ms=NOW_MS + 40_000)


def last(payment: Payment) -> Entry:
    return entry_of(payment.history[-1])


def told(payment: Payment, body: object, source: Source = Source.WEBHOOK, **fields) -> Entry:
    """The line that a webhook or a read leaves behind."""
    sighting = replace(sighting_of(payment, body, source), **fields)
    after = observe(payment, sighting, belief=BELIEF, now_ms=NOW_MS)
    entry = last(sighted(payment, after, sighting, now_ms=NOW_MS))
    assert entry.what == {Source.WEBHOOK: "webhook", Source.READ: "read", Source.SCAN: "scan"}[source]
    return entry


def became(entry: Entry) -> tuple[str, str, str]:
    return entry.said, entry.verdict, entry.detail


# What a webhook, a read, a scan said


def test_what_is_applied_names_the_status_it_led_to():
    assert became(told(ACTION, card_body("waiting"))) == ("waiting", Verdict.APPLIED, "processing/settling")


def test_what_was_known_already_is_nothing_new():
    assert became(told(SUCCEEDED, card_body("received"))) == ("received", Verdict.SAME, "")


@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.READ])
def test_a_stale_word_after_the_end_is_out_of_order(source):
    assert became(told(SUCCEEDED, card_body("pending"), source)) == ("pending", Verdict.STALE, "")


def test_a_success_that_a_webhook_tells_waits_for_a_read():
    entry = told(ACTION, card_body("received"))
    assert became(entry) == ("received", Verdict.TO_CONFIRM, "processing/confirming")
    claimed = observe(ACTION, sighting_of(ACTION, card_body("received")), belief=BELIEF, now_ms=NOW_MS)
    assert told(claimed, card_body("received")).verdict == Verdict.TO_CONFIRM


def test_late_truth_from_a_webhook_waits_for_a_read_too():
    failed = created(card_intent(), status=Status.FAILED, failure={"code": "x", "message": "x"})
    assert became(told(failed, card_body("received"))) == ("received", Verdict.TO_CONFIRM, "")


def test_a_read_that_does_not_show_a_success_that_was_told_says_so():
    claimed = observe(ACTION, sighting_of(ACTION, card_body("received")), belief=BELIEF, now_ms=NOW_MS)
    assert became(told(claimed, card_body("pending"), Source.READ)) == ("pending", Verdict.ABSENT, "")
    assert told(claimed, card_body("received"), Source.READ).detail == "succeeded"


def test_a_read_that_does_not_show_a_capture_in_doubt_says_so():
    payment = capturing(created(card_intent(), status=Status.REQUIRES_CAPTURE))
    assert became(told(payment, card_body("authorised"), Source.READ)) == ("authorised", Verdict.ABSENT, "")
    assert told(payment, card_body("waiting"), Source.READ).detail == "processing/settling, capture#1 done"


def test_what_tells_nothing_is_of_no_use():
    assert became(told(ACTION, {"errors": {}})) == ("", Verdict.UNUSABLE, "")
    assert became(told(ACTION, None, Source.READ)) == ("", Verdict.UNUSABLE, "")


def test_the_third_unusable_read_lets_a_told_success_stand():
    claimed = observe(ACTION, sighting_of(ACTION, card_body("received")), belief=BELIEF, now_ms=NOW_MS)
    assert claimed.claimed is not None
    claimed = replace(claimed, claimed=replace(claimed.claimed, unusable_reads=2))
    assert became(told(claimed, None, Source.READ)) == ("", Verdict.APPLIED, "succeeded, +unconfirmed")


def test_a_list_without_the_payment_shows_no_trace_of_it():
    doubted = in_doubt(accepted(card_intent()), accepted(card_intent()).create, now_ms=NOW_MS)
    sighting = Sighting(source=Source.SCAN, usable=False)
    assert became(last(sighted(doubted, doubted, sighting, now_ms=NOW_MS, answers="in part"))) == (
        "in part",
        Verdict.ABSENT,
        "",
    )


def test_a_list_that_holds_it_settles_the_doubt():
    doubted = in_doubt(accepted(card_intent()), accepted(card_intent()).create, now_ms=NOW_MS)
    entry = told(doubted, card_body("pending"), Source.SCAN)
    assert became(entry) == ("pending", Verdict.APPLIED, "processing/awaiting_provider, create#1 done")


def test_what_speaks_of_another_payment_is_not_ours():
    assert became(told(ACTION, card_body("received", external_id="ord-9"))) == (
        "received",
        Verdict.NOT_OURS,
        "+foreign_reference",
    )
    assert told(SUCCEEDED, card_body("received", uuid="OTHER123")).verdict == Verdict.NOT_OURS


def test_the_end_of_an_earlier_link_is_not_that_of_the_link_which_the_customer_has():
    second = in_state(created(gateway_intent(), status=Status.REQUIRES_ACTION), CREATE, OperationState.DONE, attempt=2)
    ended = {"order_id": second.key.intent_id, "status": "expired"}
    assert told(second, ended, attempt=1).verdict == Verdict.NOT_OURS
    assert told(second, ended, attempt=2).verdict == Verdict.APPLIED


def test_a_status_that_nobody_documents_is_unknown():
    assert became(told(ACTION, card_body("teleported"))) == ("teleported", Verdict.UNKNOWN, "+unknown_status")


def test_a_refund_that_is_over_is_not_followed_back():
    assert told(REFUNDED, card_body("return_pending"), Source.READ).verdict == Verdict.STALE


def test_another_amount_is_said_and_the_reviews_it_gives():
    entry = told(ACTION, card_body("received", amount="50.0", total="50.0"), Source.READ)
    assert became(entry) == (
        "received, another amount",
        Verdict.APPLIED,
        "processing/amount_review, +amount_mismatch",
    )


def test_attributes_that_change_without_the_status_are_named():
    settling = created(card_intent(), status=Status.PROCESSING, reason=Reason.SETTLING)
    assert became(told(settling, card_body("waiting"))) == ("waiting", Verdict.APPLIED, "customer_paid, paid_minor")


def test_the_path_of_a_later_attempt_is_named():
    assert told(SUCCEEDED, card_body("received"), attempt=2).said == "#2 received"


def test_what_waited_long_before_it_was_applied_says_how_long():
    sighting = sighting_of(ACTION, card_body("waiting"))
    for waited_ms, said in ((4_999, "waiting"), (65_000, "waiting (came 65 s before)")):
        assert last(sighted(ACTION, ACTION, sighting, now_ms=NOW_MS, came_ms=NOW_MS - waited_ms)).said == said


# Calls and replies


def reply_to(payment: Payment, reply: Reply, name: str = CREATE) -> Entry:
    sighting = sighting_of(payment, reply.body, Source.REPLY, operation=name)
    deadline_ms = payment.operations[name].deadline_ms
    after = after_reply(
        payment, name, reply, sighting, deadline_ms=deadline_ms, belief=BELIEF, policy=POLICY, now_ms=NOW_MS
    )
    entry = last(replied(payment, after, name, reply, sighting, now_ms=NOW_MS))
    assert entry.what == What.REPLY
    return entry


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            Reply(
                sent=True, http_status=201, body=card_body("pending", pay_code={"3ds_url": "https://bank.example/s"})
            ),
            ("create#1 HTTP 201 pending, action redirect", Verdict.APPLIED, "requires_action"),
        ),
        (
            Reply(sent=False, error="ClientConnectorError"),
            ("not sent (ClientConnectorError)", Verdict.NOT_EXECUTED, ""),
        ),
        (
            Reply(sent=False, error="ClientConnectorError/ConnectionRefusedError/ECONNREFUSED"),
            ("not sent (ClientConnectorError/ConnectionRefusedError/ECONNREFUSED)", Verdict.NOT_EXECUTED, ""),
        ),
        (
            Reply(sent=True, error="TimeoutError/CancelledError"),
            ("no answer (TimeoutError/CancelledError)", Verdict.IN_DOUBT, "in_doubt"),
        ),
        (Reply(sent=True, http_status=429), ("HTTP 429", Verdict.NOT_EXECUTED, "")),
        (Reply(sent=True, http_status=401), ("HTTP 401", Verdict.NOT_EXECUTED, "")),
        (
            Reply(sent=True, error="ServerTimeoutError"),
            ("no answer (ServerTimeoutError)", Verdict.IN_DOUBT, "in_doubt"),
        ),
        (Reply(sent=True, http_status=503, body="<html>"), ("HTTP 503", Verdict.IN_DOUBT, "in_doubt")),
        (
            Reply(sent=True, http_status=422, body={"errors": {"code": "CARD_DECLINED", "message": "no"}}),
            ("HTTP 422", Verdict.REFUSED, "CARD_DECLINED"),
        ),
        (Reply(sent=True, http_status=400, body={"errors": "x"}), ("HTTP 400", Verdict.REFUSED, "HTTP 400")),
    ],
    ids=lambda value: str(getattr(value, "http_status", "")),
)
def test_a_reply_says_what_became_of_its_operation(reply, expected):
    said, verdict, detail = expected
    entry = reply_to(SENDING, reply)
    assert became(entry) == (f"create#1 {said.removeprefix('create#1 ')}", verdict, detail)


def test_a_reply_to_a_sending_that_is_over_is_out_of_order():
    again = in_state(SENDING, CREATE, OperationState.READY, attempt=2, deadline_ms=None)
    assert became(reply_to(again, Reply(sent=True, http_status=503))) == ("create HTTP 503", Verdict.STALE, "")


def test_a_reply_to_an_operation_that_a_person_withdrew_is_written_down():
    reply, sighting = Reply(sent=True, http_status=503), Sighting(source=Source.REPLY, usable=False)
    entry = last(replied(ACTION, ACTION, CAPTURE, reply, sighting, now_ms=NOW_MS))
    assert became(entry) == ("capture HTTP 503", Verdict.STALE, "")


def test_a_call_names_its_operation_and_attempt():
    entry = last(called(in_state(SENDING, CREATE, OperationState.SENDING, attempt=2), CREATE, now_ms=NOW_MS))
    assert (entry.what, became(entry)) == (What.CALL, ("create#2", "", ""))


# Commands and people


def command(name: str = "cancel", **fields):
    return parse_command({"command": name, "intent_id": "ord-1001", "command_id": "c-1", **fields})


def test_a_command_is_obeyed_or_refused_by_its_code_or_known():
    payment, cancel = accepted(card_intent()), command()
    canceled = payment.moved(Status.CANCELED, None, now_ms=NOW_MS)
    known = replace(canceled, commands={"c-1": cancel.fingerprint})
    obeyed = last(commanded(payment, canceled, cancel, now_ms=NOW_MS, came_ms=NOW_MS))
    assert (obeyed.what, became(obeyed)) == (What.COMMAND, ("cancel c-1", Verdict.APPLIED, "canceled"))
    refused = RefusedError("already_sent", "no")
    entry = last(commanded(ACTION, ACTION, cancel, now_ms=NOW_MS, came_ms=NOW_MS, refused=refused))
    assert became(entry) == ("cancel c-1", Verdict.REFUSED, "already_sent")
    assert last(commanded(known, known, cancel, now_ms=NOW_MS, came_ms=NOW_MS)).verdict == Verdict.REPEATED


def test_i8_the_code_of_a_command_is_not_in_its_line():
    otp = command("confirm_otp", code="987654")
    assert "987654" not in commanded(ACTION, ACTION, otp, now_ms=NOW_MS, came_ms=NOW_MS).history[-1]


def decision(**fields) -> DecisionSeen:
    values = {
        "decision_id": "d-1",
        "at_ms": NOW_MS,
        "actor": "ada",
        "reason": "seen in the dashboard",
        "evidence": "OPS-7",
        "outcome": "executed",
        "operation": "create",
    }
    return DecisionSeen(**{**values, **fields})


def test_a_decision_names_who_decided_what_and_not_their_words():
    doubted = in_doubt(accepted(card_intent()), accepted(card_intent()).create, now_ms=NOW_MS)
    done = in_state(doubted, CREATE, OperationState.DONE)
    entry = last(decided(doubted, done, decision(), now_ms=NOW_MS))
    assert (entry.what, entry.said, entry.verdict) == (What.PERSON, "executed create by ada", Verdict.APPLIED)
    assert "create#1 done" in entry.detail
    refused = RefusedError("not_in_doubt", "no")
    assert became(last(decided(done, done, decision(), now_ms=NOW_MS, refused=refused)))[1:] == (
        Verdict.REFUSED,
        "not_in_doubt",
    )


def test_i8_an_actor_who_gives_a_card_number_for_a_name_is_not_named():
    refused = RefusedError("card_number_refused", "no")
    entry = last(decided(ACTION, ACTION, decision(actor="4111111111111111"), now_ms=NOW_MS, refused=refused))
    assert entry.said == "executed create by ?"


# Our own moves


def test_a_move_of_our_own_says_what_it_changed_and_none_is_none():
    expired = ACTION.moved(Status.EXPIRED, Reason.LINK_LAPSED, now_ms=NOW_MS).with_review(Review.STALE)
    entry = last(moved(ACTION, expired, What.CLOCK, now_ms=NOW_MS))
    assert (entry.what, became(entry)) == (What.CLOCK, ("", Verdict.APPLIED, "expired/link_lapsed, +stale"))
    assert moved(ACTION, replace(ACTION), What.CLOCK, now_ms=NOW_MS).history == ()


def test_a_call_that_was_left_behind_is_in_doubt():
    entry = last(moved(SENDING, abandoned(SENDING, now_ms=NOW_MS), What.LEFT, now_ms=NOW_MS))
    assert (entry.what, entry.detail) == (What.LEFT, "in_doubt, create#1 in_doubt")


def test_reviews_and_operations_that_go_are_said_to_go():
    payment = capturing(ACTION.with_review(Review.STALE))
    without = replace(ACTION, operations={CREATE: payment.create})
    assert last(moved(payment, without, What.PERSON, now_ms=NOW_MS)).detail == "-stale, capture withdrawn"


def test_a_parked_payment_says_why():
    entry = last(parked(ACTION, why="6 leases ran out", now_ms=NOW_MS))
    assert (entry.what, became(entry)) == (What.PARKED, ("6 leases ran out", Verdict.APPLIED, "+parked"))


def test_a_line_changes_nothing_but_the_history():
    after = noted(ACTION, What.UNREADABLE, now_ms=NOW_MS)
    assert replace(after, history=()) == ACTION
    assert after.history != ()
