from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from orchestrator.next_step import Become, Read, ScanList, Send, Wait, looked, next_step, sending
from orchestrator.payment import CAPTURE, CREATE, Claimed, OperationState
from orchestrator.policy import Policy, spread_ms
from orchestrator.ports import CallClass
from orchestrator.statuses import FINAL, Reason, Review, Status
from tests.unit.core.building import (
    NOW_MS,
    accepted,
    capturing,
    card_intent,
    created,
    in_state,
    payin_intent,
)

POLICY = Policy()
SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def step(payment, at_ms=NOW_MS, policy=POLICY):
    return next_step(payment, policy=policy, now_ms=at_ms)


def due_of(payment, at_ms=NOW_MS, policy=POLICY) -> int:
    waiting = step(payment, at_ms, policy)
    assert isinstance(waiting, Wait)
    assert waiting.due_at_ms is not None
    assert waiting.due_at_ms > at_ms
    return waiting.due_at_ms


# Sending


def test_an_accepted_payment_is_sent_at_once():
    assert step(accepted(card_intent())) == Send(operation=CREATE)


def test_a_create_that_could_not_be_made_waits_but_not_beyond_its_time():
    payment = in_state(accepted(card_intent()), CREATE, OperationState.READY, not_before_ms=NOW_MS + 5 * SECOND)
    assert step(payment) == Wait(due_at_ms=NOW_MS + 5 * SECOND)
    assert step(payment, NOW_MS + 5 * SECOND) == Send(operation=CREATE)
    last = replace(payment, send_before_ms=NOW_MS + 2 * SECOND)
    assert step(last) == Wait(due_at_ms=NOW_MS + 2 * SECOND + 1)


@pytest.mark.parametrize(("intent", "seconds"), [(card_intent, 900), (payin_intent, 3600)])
def test_an_outage_does_not_charge_a_customer_who_left(intent, seconds):
    payment = accepted(intent())
    assert step(payment, NOW_MS + seconds * SECOND) == Send(operation=CREATE)
    late = step(payment, NOW_MS + seconds * SECOND + 1)
    assert isinstance(late, Become)
    assert (late.payment.status, late.payment.reason) == (Status.EXPIRED, Reason.NOT_SENT)
    assert step(late.payment, NOW_MS + DAY) == Wait(due_at_ms=None)


@pytest.mark.parametrize(
    ("intent", "left_ms", "is_sent"),
    [
        (payin_intent, 16 * MINUTE, True),
        (payin_intent, 16 * MINUTE - 1, False),
        (payin_intent, -1, False),
        (card_intent, 1, True),
        (card_intent, -1, False),
    ],
)
def test_with_less_than_sixteen_minutes_left_a_payin_is_not_sent(intent, left_ms, is_sent):
    payment = accepted(intent(), expires_at_ms=NOW_MS + left_ms)
    if is_sent:
        assert step(payment) == Send(operation=CREATE)
    else:
        became = step(payment)
        assert isinstance(became, Become)
        assert (became.payment.status, became.payment.reason) == (Status.EXPIRED, Reason.NOT_SENT)
        assert became.payment.expires_at_ms == NOW_MS + left_ms


def test_the_mark_carries_the_deadline_of_the_call():
    marked = sending(accepted(card_intent()), CREATE, policy=POLICY, now_ms=NOW_MS + 3)
    assert marked.create.state is OperationState.SENDING
    assert (marked.create.at_ms, marked.create.deadline_ms) == (NOW_MS + 3, NOW_MS + 3 + 40 * SECOND)


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.ACCEPTED])
def test_i2_a_mark_whose_call_nobody_waits_for_is_looked_at_when_its_deadline_has_passed(status):
    refunding = in_state(created(card_intent(), status=status), "refund:r-1", OperationState.SENDING)
    marked = in_state(refunding, "refund:r-1", OperationState.SENDING, deadline_ms=NOW_MS + 40 * SECOND)
    for at_ms in (NOW_MS, NOW_MS + DAY):
        assert step(marked, at_ms) == Wait(due_at_ms=NOW_MS + 40 * SECOND)


# In doubt


def doubtful(intent=None, **changes):
    return in_state(accepted(intent or card_intent()), CREATE, OperationState.IN_DOUBT, at_ms=NOW_MS, **changes)


def test_i1_a_create_in_doubt_is_looked_for_and_never_sent():
    payment, at_ms, scans = doubtful(), NOW_MS, []
    while at_ms < NOW_MS + DAY:
        now = step(payment, at_ms)
        if isinstance(now, ScanList):
            scans.append(at_ms - NOW_MS)
            payment = looked(payment, now_ms=at_ms)
            at_ms += 1
        else:
            assert isinstance(now, Wait)
            assert now.due_at_ms is not None
            at_ms = now.due_at_ms
    gaps_s = [(later - earlier) / SECOND for earlier, later in pairwise(scans)]
    assert scans[0] == 0
    for gap_s, nominal_s in zip(gaps_s, [15, 30, 60, 300, 900, 3600, 3600], strict=False):
        assert 0.85 * nominal_s <= gap_s <= 1.15 * nominal_s
    assert 24 <= len(scans) <= 32


def test_vector_4_after_a_day_in_doubt_a_person_is_told_once():
    payment = doubtful(looks=40)
    told = step(payment, NOW_MS + DAY)
    assert isinstance(told, Become)
    assert told.payment.review == (Review.IN_DOUBT_AGED,)
    assert not isinstance(step(told.payment, NOW_MS + DAY), Become)


def test_t12_time_alone_never_fails_or_expires_a_payment_in_doubt():
    payment = doubtful(payin_intent(), looks=40).with_review(Review.IN_DOUBT_AGED)
    payment = replace(payment, expires_at_ms=NOW_MS + HOUR)
    assert isinstance(step(payment, NOW_MS + 90 * DAY), ScanList | Wait)


# Confirming


def test_after_every_read_the_next_one_is_later_whatever_it_told():
    claimed = created(
        card_intent(), status=Status.PROCESSING, reason=Reason.CONFIRMING, claimed=Claimed(since_ms=NOW_MS)
    )
    assert isinstance(step(claimed), Read)
    assert due_of(looked(claimed, now_ms=NOW_MS)) == NOW_MS + 5 * SECOND


def test_confirming_reads_follow_their_schedule():
    claimed = created(card_intent(), status=Status.PROCESSING, reason=Reason.CONFIRMING, since_ms=NOW_MS)
    for looks, at_s in enumerate([0, 5, 20, 50, 110, 170]):
        payment = replace(claimed, claimed=Claimed(since_ms=NOW_MS, looks=looks))
        assert step(payment, NOW_MS + at_s * SECOND) == Read(call_class=CallClass.CONFIRM)
        if at_s:
            assert due_of(payment, NOW_MS + at_s * SECOND - 1) == NOW_MS + at_s * SECOND


def test_a_success_contradicted_for_hours_is_still_read_once_a_minute():
    payment = created(card_intent(), status=Status.PROCESSING, reason=Reason.CONFIRMING, since_ms=NOW_MS)
    dues = [
        due_of(replace(payment, claimed=Claimed(since_ms=NOW_MS, looks=looks))) for looks in (199, 200, 201, 5000, 5001)
    ]
    assert [later - earlier for earlier, later in pairwise(dues)] == [MINUTE, MINUTE, 4799 * MINUTE, MINUTE]


def test_a_wanted_look_comes_at_once_and_is_given_up_after_six():
    payment, at_ms = created(card_intent(), status=Status.SUCCEEDED, look_wanted=0), NOW_MS
    reads = 0
    while payment.look_wanted is not None:
        now = step(payment, at_ms)
        if isinstance(now, Read):
            assert now.call_class is CallClass.CONFIRM
            reads += 1
            payment = looked(payment, now_ms=at_ms)
        else:
            assert isinstance(now, Wait)
            assert now.due_at_ms is not None
            at_ms = now.due_at_ms
    assert reads == 6
    assert at_ms < NOW_MS + 10 * MINUTE
    assert step(payment, at_ms) == Wait(due_at_ms=None)


# Capture


def authorised():
    return created(card_intent(), status=Status.PROCESSING, reason=Reason.CAPTURING, since_ms=NOW_MS)


def test_an_authorised_card_is_captured_at_once():
    assert step(authorised()) == Send(operation=CAPTURE)


def test_a_manual_capture_waits_to_be_asked_for():
    payment = created(card_intent(), status=Status.REQUIRES_CAPTURE, since_ms=NOW_MS)
    assert due_of(payment) > NOW_MS


@pytest.mark.parametrize("state", [OperationState.SENDING, OperationState.DONE])
def test_i1_a_capture_that_was_sent_is_not_sent_again(state):
    assert not isinstance(step(capturing(authorised(), state), NOW_MS + DAY), Send)


def test_t37_a_capture_in_doubt_is_read():
    payment = capturing(authorised(), OperationState.IN_DOUBT)
    assert step(payment) == Read(call_class=CallClass.CONFIRM)
    assert isinstance(step(looked(payment, now_ms=NOW_MS)), Wait)


def test_a_capture_that_could_not_be_made_waits():
    payment = in_state(authorised(), CAPTURE, OperationState.READY, not_before_ms=NOW_MS + SECOND)
    assert step(payment) == Wait(due_at_ms=NOW_MS + SECOND)


# Polls


def waiting(intent=None, status=Status.REQUIRES_ACTION, reason=None, **changes):
    return created(intent or card_intent(), status=status, reason=reason, since_ms=NOW_MS, **changes)


@pytest.mark.parametrize(("looks", "gap_s"), list(enumerate([60, 300, 900, 1800, 3600, 3600, 3600])))
@pytest.mark.parametrize("looked_after_ms", [None, 7 * MINUTE])
def test_i6_polls_follow_the_schedule_with_a_jitter_of_at_most_a_tenth(looks, gap_s, looked_after_ms):
    last_ms = NOW_MS + (looked_after_ms or 0)
    payment = waiting(looks=looks, looked_at_ms=last_ms if looked_after_ms else None)
    due = due_of(payment) - last_ms
    assert gap_s * SECOND <= due < gap_s * SECOND * 1.1
    assert step(payment, last_ms + due) == Read(call_class=CallClass.LOOK)


@pytest.mark.parametrize(("reason", "most_ms"), [(Reason.SETTLING, 1.1 * DAY), (Reason.AWAITING_PROVIDER, 1.1 * HOUR)])
def test_i6_looks_out_of_turn_do_not_put_the_next_one_off(reason, most_ms):
    payment = waiting(status=Status.PROCESSING, reason=reason, looks=50, looked_at_ms=NOW_MS + 5 * MINUTE)
    assert due_of(payment, NOW_MS + 5 * MINUTE) <= NOW_MS + 5 * MINUTE + most_ms


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.PROCESSING, Reason.SETTLING),
        (Status.PROCESSING, Reason.AMOUNT_REVIEW),
        (Status.REFUND_PENDING, None),
        (Status.DISPUTED, None),
    ],
)
def test_slow_states_are_looked_at_daily(status, reason):
    due = due_of(waiting(status=status, reason=reason)) - NOW_MS
    assert DAY <= due < 1.1 * DAY


def test_t30_there_is_a_last_look_right_after_the_deadline():
    payment = waiting(payin_intent(), looks=4, looked_at_ms=NOW_MS, expires_at_ms=NOW_MS + 30 * MINUTE)
    assert due_of(payment) == NOW_MS + 30 * MINUTE + SECOND
    after = replace(payment, looked_at_ms=NOW_MS + 30 * MINUTE + SECOND)
    assert due_of(after, NOW_MS + 31 * MINUTE) > NOW_MS + HOUR


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_final_payment_wants_no_attention(status):
    assert step(waiting(status=status)) == Wait(due_at_ms=None)


def test_t45_an_expired_payment_is_looked_at_for_two_days_more():
    payment, at_ms, looks = waiting(payin_intent(), Status.EXPIRED, Reason.PROVIDER), NOW_MS, 0
    while True:
        now = step(payment, at_ms)
        if isinstance(now, Read):
            looks += 1
            payment = looked(payment, now_ms=at_ms)
        elif isinstance(now, Wait) and now.due_at_ms is not None:
            at_ms = now.due_at_ms
        else:
            break
    assert NOW_MS + 1.8 * DAY < at_ms <= NOW_MS + 2 * DAY
    assert 1 < looks <= 48
    assert step(waiting(payin_intent(), Status.EXPIRED, Reason.NOT_SENT)) == Wait(due_at_ms=None)


@pytest.mark.parametrize(("intent", "after_ms"), [(card_intent, DAY), (payin_intent, 2 * DAY)])
def test_an_action_without_a_deadline_goes_stale_and_is_looked_at_daily(intent, after_ms):
    payment = waiting(intent(), looks=90, looked_at_ms=NOW_MS + after_ms)
    became = step(payment, NOW_MS + after_ms)
    assert isinstance(became, Become)
    assert became.payment.review == (Review.STALE,)
    assert not isinstance(step(payment, NOW_MS + after_ms - 1), Become)
    with_deadline = replace(payment, expires_at_ms=NOW_MS + 3 * DAY)
    assert not isinstance(step(with_deadline, NOW_MS + after_ms), Become)


def test_a_payment_that_the_provider_never_expires_goes_stale_two_days_after_its_deadline():
    payment = waiting(payin_intent(), looks=90, looked_at_ms=NOW_MS + 5 * DAY, expires_at_ms=NOW_MS + 3 * DAY)
    assert not isinstance(step(payment, NOW_MS + 5 * DAY - 1), Become)
    became = step(payment, NOW_MS + 5 * DAY)
    assert isinstance(became, Become)
    assert became.payment.review == (Review.STALE,)
    assert due_of(became.payment, NOW_MS + 5 * DAY) > NOW_MS + 5.9 * DAY


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.PROCESSING, Reason.SETTLING),
        (Status.PROCESSING, Reason.AWAITING_PROVIDER),
        (Status.REFUND_PENDING, None),
    ],
)
def test_what_the_provider_never_finishes_goes_stale_after_three_weeks(status, reason):
    payment = waiting(card_intent(), status, reason, looks=90, looked_at_ms=NOW_MS + 21 * DAY)
    assert not isinstance(step(payment, NOW_MS + 21 * DAY - 1), Become)
    became = step(payment, NOW_MS + 21 * DAY)
    assert isinstance(became, Become)
    assert became.payment.review == (Review.STALE,)
    assert due_of(became.payment, NOW_MS + 21 * DAY) > NOW_MS + 21.9 * DAY


@pytest.mark.parametrize(
    ("method", "params", "is_told"),
    [
        ("ph_ewallet_gcash_php", {}, True),
        ("jp_bank_jpy", {"user_id": "1"}, False),
    ],
)
def test_t16_a_pay_code_that_should_have_come_at_once_is_overdue(method, params, is_told):
    intent = payin_intent(method={"payin_method_name": method, "payin_method_params": params})
    payment = waiting(intent, Status.PROCESSING, Reason.AWAITING_PAY_CODE, looks=5)
    now = step(payment, NOW_MS + 30 * MINUTE)
    assert isinstance(now, Become) == is_told


def test_without_polling_a_payment_still_gets_its_reviews_and_stays_due():
    quiet = Policy(polling=False)
    assert due_of(waiting(), policy=quiet) == NOW_MS + DAY
    assert isinstance(step(waiting(), NOW_MS + DAY, quiet), Become)
    stale = waiting().with_review(Review.STALE)
    assert due_of(stale, NOW_MS + 2 * DAY, quiet) == NOW_MS + 3 * DAY


@pytest.mark.parametrize("status", [status for status in Status if status not in FINAL | {Status.IN_DOUBT}])
@pytest.mark.parametrize("polling", [True, False])
def test_i2_an_unfinished_payment_is_always_due_at_some_time(status, polling):
    cards = [Reason.AWAITING_PROVIDER, Reason.CAPTURING, Reason.SETTLING, Reason.CONFIRMING, Reason.AMOUNT_REVIEW]
    for intent, reasons in ((card_intent(), cards), (payin_intent(), [*cards, Reason.AWAITING_PAY_CODE])):
        for reason in reasons if status is Status.PROCESSING else [None]:
            is_new = status is Status.ACCEPTED
            payment = accepted(intent) if is_new else waiting(intent, status, reason)
            assert step(payment, NOW_MS + 1, Policy(polling=polling)) != Wait(due_at_ms=None)


def test_a_jitter_is_repeatable_and_differs():
    key = accepted(card_intent()).key
    values = [spread_ms(key, salt=salt, up_to_ms=1000) for salt in range(20)]
    assert values == [spread_ms(key, salt=salt, up_to_ms=1000) for salt in range(20)]
    assert len(set(values)) > 10
    assert all(0 <= value < 1000 for value in values)
    assert spread_ms(key, salt=1, up_to_ms=0) == 0
