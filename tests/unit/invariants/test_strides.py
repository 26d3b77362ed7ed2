"""Two successive states: what one commit may change, and the name of what it may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.payment import CAPTURE, CONFIRM_OTP, CREATE, OperationState
from orchestrator.statuses import Reason, Stage, Status
from tests.unit.core.building import NOW_MS, card_intent, created, gateway_intent, in_state, payid_intent, payin_intent
from tests.unit.invariants.sound import DEADLINE_MS, GRACE_ENDS_MS, POLICY, card_course, on_the_wire, stepped

READY, SENDING, DONE, REFUSED, IN_DOUBT = OperationState
COURSE = card_course()
PAID = COURSE[-1]
LOST = in_state(on_the_wire(gateway_intent()), CREATE, IN_DOUBT)
LISTED = in_state(on_the_wire(payin_intent()), CREATE, IN_DOUBT, absent_since_ms=GRACE_ENDS_MS)


def test_i4_no_commit_leads_back_behind_success():
    for row, reason in ((Status.FAILED, None), (Status.PROCESSING, Reason.SETTLING), (Status.REQUIRES_ACTION, None)):
        back = replace(PAID, status=row, reason=reason, failure={"code": "x", "message": "y"})
        assert any(name == "I4" for name, _ in stepped(PAID, back)), row


def test_i4_late_money_after_an_end_is_along_the_matrix():
    expired = replace(PAID, status=Status.EXPIRED, reason=Reason.PROVIDER, customer_paid=False, paid_minor=0)
    assert stepped(expired, PAID) == []
    canceled = replace(expired, status=Status.CANCELED, reason=None)
    assert stepped(expired, canceled) == [("I4", f"it moved from {Stage.EXPIRED} back to {Stage.CANCELED}")]


def test_i4_what_is_known_is_not_forgotten():
    assert ("I4", "customer_paid was true and is not any more") in stepped(PAID, replace(PAID, customer_paid=False))
    assert ("I4", "settled was true and is not any more") in stepped(PAID, replace(PAID, settled=False))


def test_i4_the_deadline_and_the_reference_stay():
    timed = replace(COURSE[2], expires_at_ms=NOW_MS)
    assert stepped(COURSE[2], timed) == []
    assert stepped(timed, replace(timed, expires_at_ms=NOW_MS + 1)) == [("I4", "its deadline was moved")]
    other = replace(COURSE[2], reference="uuid:PSOTHER1")
    assert stepped(COURSE[2], other) == [("I4", "its reference at the provider was forgotten")]
    assert stepped(COURSE[2], replace(other, aliases=(COURSE[2].reference or "",))) == []


def test_i7_what_was_asked_stays():
    more = replace(COURSE[2], amount_minor=1)
    assert ("I7", "its amount_minor is not what was accepted") in stepped(COURSE[2], more)
    assert ("I4", "its terms is not what was accepted") in stepped(COURSE[2], replace(COURSE[2], terms={}))


@pytest.mark.parametrize("state", [READY, SENDING, IN_DOUBT, REFUSED])
def test_i1_what_is_done_stays_done(state):
    undone = in_state(COURSE[2], CREATE, state, deadline_ms=DEADLINE_MS)
    assert ("I1", f"create was done and is {state} again") in stepped(COURSE[2], undone)


def test_i1_a_refused_create_is_not_sent_again_but_may_be_found_after_all():
    failed = replace(COURSE[0], status=Status.FAILED, failure={"code": "x"})
    refused = in_state(failed, CREATE, REFUSED)
    assert stepped(refused, replace(PAID, failure={"code": "x"})) == []
    assert ("I1", "create was refused and is ready again") in stepped(refused, in_state(refused, CREATE, READY))


def test_i1_no_record_of_an_operation_is_lost():
    forgotten = replace(PAID, operations={CREATE: PAID.create})
    assert stepped(PAID, forgotten) == [("I1", "the record of capture is gone: it could be sent again")]


@pytest.mark.parametrize("state", [SENDING, IN_DOUBT])
def test_i1_a_call_that_may_have_arrived_is_not_sent_again(state):
    sent = in_state(on_the_wire(card_intent()), CREATE, state)
    again = in_state(sent, CREATE, SENDING, deadline_ms=DEADLINE_MS + 1)
    words = f"create was {state} and was sent again: nobody said that it had not arrived"
    assert stepped(sent, again) == [("I1", words)]
    assert stepped(sent, in_state(again, CREATE, SENDING, unsent=1)) == []


def test_i1_a_lost_link_is_made_again_once_its_call_cannot_arrive_any_more():
    again = in_state(LOST, CREATE, READY, attempt=2, deadline_ms=None, at_ms=GRACE_ENDS_MS)
    assert stepped(LOST, again) == []
    early = in_state(again, CREATE, READY, at_ms=GRACE_ENDS_MS - 1)
    assert stepped(LOST, early) == [("I1", "create is made again, but the lost call may still arrive")]


def test_i1_a_lost_payin_is_made_again_only_after_a_list_without_it():
    again = in_state(LISTED, CREATE, READY, attempt=2, at_ms=GRACE_ENDS_MS, absent_since_ms=None)
    assert stepped(LISTED, again) == []
    unlisted = in_state(LISTED, CREATE, IN_DOUBT, absent_since_ms=None)
    assert stepped(unlisted, again) == [("I1", "create is made again, but no whole list was read without it")]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"is_proven": True}, "the provider had spoken of it"),
        ({"state": READY}, "it was ready"),
        ({"attempt": 0}, "it was at attempt 0 and is at 2"),
    ],
)
def test_i1_no_create_is_made_again_against_its_rules(changes, why):
    was = in_state(LOST, CREATE, **{"state": IN_DOUBT} | changes)
    again = in_state(LOST, CREATE, READY, attempt=2, at_ms=GRACE_ENDS_MS)
    assert ("I1", f"create is made again, but {why}") in stepped(was, again)


def test_i1_no_card_and_nothing_that_settings_forbid_is_made_again():
    card = in_state(on_the_wire(card_intent()), CREATE, IN_DOUBT, absent_since_ms=GRACE_ENDS_MS)
    again = in_state(card, CREATE, READY, attempt=2, at_ms=GRACE_ENDS_MS)
    assert ("I1", "create is made again, but a card payment is never made again") in stepped(card, again)
    link = in_state(LOST, CREATE, READY, attempt=2, at_ms=GRACE_ENDS_MS)
    forbidden = replace(POLICY, recreated_flows=frozenset())
    found = stepped(LOST, link, policy=forbidden)
    assert ("I1", "create is made again, but a gateway_link payment is never made again") in found


def test_i1_what_the_provider_named_or_mailed_is_not_made_again():
    named = replace(LOST, reference="gw:46345")
    again = in_state(named, CREATE, READY, attempt=2, at_ms=GRACE_ENDS_MS)
    assert stepped(named, again) == [("I1", "create is made again, but the provider had given it an id")]
    mailed = in_state(on_the_wire(payid_intent()), CREATE, IN_DOUBT)
    again = in_state(mailed, CREATE, READY, attempt=2, at_ms=GRACE_ENDS_MS)
    assert stepped(mailed, again) == [("I1", "create is made again, but this payid payment is never made again")]


def test_i1_a_card_lost_with_the_stores_tail_is_sent_once_a_list_does_not_show_it():
    card = in_state(on_the_wire(card_intent()), CREATE, IN_DOUBT, is_unproven=True, lost_at_ms=NOW_MS)
    listed = in_state(card, CREATE, IN_DOUBT, absent_since_ms=GRACE_ENDS_MS)
    again = in_state(card, CREATE, READY, attempt=2, at_ms=GRACE_ENDS_MS, is_unproven=False)
    assert stepped(listed, again) == []
    assert stepped(card, again) == [("I1", "create is made again, but no whole list was read without it")]


def test_i1_a_link_that_seems_unsent_after_a_lost_tail_is_made_once_a_call_of_then_cannot_arrive_any_more():
    unsent = in_state(LOST, CREATE, READY, deadline_ms=None)
    sent_by_ms = NOW_MS + POLICY.call_total_ms + POLICY.grace_ms
    again = in_state(unsent, CREATE, READY, attempt=2, at_ms=sent_by_ms, lost_at_ms=NOW_MS, is_unproven=True)
    assert stepped(unsent, again) == []
    early = in_state(again, CREATE, READY, at_ms=sent_by_ms - 1)
    assert stepped(unsent, early) == [("I1", "create is made again, but the lost call may still arrive")]


def test_i1_an_attempt_is_never_counted_back():
    second = in_state(LOST, CREATE, IN_DOUBT, attempt=2)
    assert stepped(second, in_state(second, CREATE, IN_DOUBT, attempt=1)) == [
        ("I1", "create was at attempt 2 and is at 1")
    ]


def test_i1_a_capture_is_made_again_only_after_a_read_without_it():
    held = created(card_intent(), status=Status.PROCESSING, reason=Reason.CAPTURING)
    lost = in_state(held, CAPTURE, IN_DOUBT, deadline_ms=DEADLINE_MS)
    again = in_state(held, CAPTURE, READY, attempt=2, at_ms=GRACE_ENDS_MS)
    assert stepped(lost, again) == [("I1", "capture is made again, but no read had shown that it was not executed")]
    shown = in_state(lost, CAPTURE, IN_DOUBT, absent_since_ms=GRACE_ENDS_MS)
    assert stepped(shown, again) == []


def test_another_one_time_code_begins_anew_by_a_command_only():
    waiting = created(payin_intent(), status=Status.REQUIRES_ACTION, next_action={"type": "otp"})
    refused = in_state(waiting, CONFIRM_OTP, REFUSED)
    another = in_state(waiting, CONFIRM_OTP, READY)
    assert stepped(refused, another) == [("I1", "confirm_otp was refused and is ready again")]
    assert stepped(refused, replace(another, commands={"c-2": "print"})) == []


def test_what_a_person_decides_follows_rules_of_its_own():
    told = created(card_intent(), status=Status.PROCESSING, reason=Reason.CAPTURING)
    told = in_state(told, CAPTURE, DONE)
    withdrawn = replace(told, operations={CREATE: told.create}, status=Status.REQUIRES_CAPTURE, reason=None)
    assert any(name == "I1" for name, _ in stepped(told, withdrawn))
    assert stepped(told, replace(withdrawn, decisions={"d-1": ""})) == []
    assert any(name == "I1" for name, _ in stepped(told, replace(withdrawn, decisions={"d-1": "too_early: no"})))


def test_i2_no_commit_leaves_an_unfinished_payment_without_a_due_time():
    assert [name for name, _ in stepped(COURSE[0], COURSE[1], due_at_ms=None)] == ["I2"]
