"""When a payment is looked at next, per flow and status, as one table; and how long it may wait to be sent."""

from __future__ import annotations

import pytest

from orchestrator.intent import parse_intent
from orchestrator.next_step import Become, Read, Wait, next_step
from orchestrator.policy import Policy
from orchestrator.statuses import FINAL, Reason, Status
from tests.unit.core.building import (
    NOW_MS,
    accepted,
    card_intent,
    created,
    gateway_intent,
    payid_intent,
    payin_intent,
)

POLICY = Policy()
S = 1000
MINUTE = 60 * S
HOUR = 60 * MINUTE
DAY = 24 * HOUR
INTENTS = {"card": card_intent, "payin": payin_intent, "payid": payid_intent, "gateway_link": gateway_intent}
WAITING = (MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, HOUR, HOUR)
DAILY = (DAY,) * 7
NEVER = (None,) * 7

# Status and reason -> the gaps before look 0, 1, 2 … for the flows that can be read.
GAPS: dict[tuple[Status, Reason | None], tuple[int | None, ...]] = {
    (Status.REQUIRES_ACTION, None): WAITING,
    (Status.REQUIRES_CAPTURE, None): WAITING,
    (Status.PROCESSING, Reason.AWAITING_PAY_CODE): WAITING,
    (Status.PROCESSING, Reason.AWAITING_PROVIDER): WAITING,
    (Status.PROCESSING, Reason.SETTLING): DAILY,
    (Status.PROCESSING, Reason.AMOUNT_REVIEW): DAILY,
    (Status.REFUND_PENDING, None): DAILY,
    (Status.DISPUTED, None): DAILY,
    (Status.SUCCEEDED, None): NEVER,
    (Status.FAILED, None): NEVER,
    (Status.CANCELED, None): NEVER,
    (Status.PARTIALLY_REFUNDED, None): NEVER,
    (Status.REFUNDED, None): NEVER,
    (Status.DISPUTE_LOST, None): NEVER,
    (Status.EXPIRED, Reason.NOT_SENT): NEVER,
    (Status.EXPIRED, Reason.LINK_LAPSED): NEVER,
    (Status.EXPIRED, Reason.PROVIDER): (HOUR,) * 7,
}


ROWS = [
    (flow, status, reason, gaps)
    for flow in ("card", "payin", "payid")
    for (status, reason), gaps in GAPS.items()
    if reason is not Reason.AWAITING_PAY_CODE or flow == "payin"
]


@pytest.mark.parametrize(("flow", "status", "reason", "gaps"), ROWS)
def test_i6_each_flow_and_status_has_its_schedule(flow, status, reason, gaps):
    for looks, gap_ms in enumerate(gaps):
        payment = created(INTENTS[flow](), status=status, reason=reason, since_ms=NOW_MS, looks=looks)
        step = next_step(payment, policy=POLICY, now_ms=NOW_MS)
        if gap_ms is None:
            assert step == Wait(due_at_ms=None)
            continue
        assert isinstance(step, Wait)
        assert step.due_at_ms is not None
        first_review = 30 * MINUTE if reason is Reason.AWAITING_PAY_CODE else DAY * 10
        lowest = min(gap_ms, first_review)
        assert lowest <= step.due_at_ms - NOW_MS <= gap_ms * 1.1
        if gap_ms < first_review:
            assert isinstance(next_step(payment, policy=POLICY, now_ms=step.due_at_ms), Read)


NOT_OF_A_LINK = {(Status.REQUIRES_CAPTURE, None), (Status.PROCESSING, Reason.AWAITING_PAY_CODE)}
OF_A_LINK = [state for state in GAPS if state[0] not in FINAL and state not in NOT_OF_A_LINK]


@pytest.mark.parametrize(("status", "reason"), OF_A_LINK)
def test_t20_a_link_is_never_read_and_always_due(status, reason):
    payment = created(gateway_intent(), status=status, reason=reason, since_ms=NOW_MS)
    for at_ms in (NOW_MS, NOW_MS + HOUR, NOW_MS + 23 * HOUR):
        step = next_step(payment, policy=POLICY, now_ms=at_ms)
        assert isinstance(step, Wait)
        assert step.due_at_ms is not None
        assert at_ms < step.due_at_ms <= at_ms + DAY


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_link_that_ended_is_not_due_any_more(status):
    payment = created(gateway_intent(), status=status, since_ms=NOW_MS)
    assert next_step(payment, policy=POLICY, now_ms=NOW_MS + DAY) == Wait(due_at_ms=None)


# Not sent in time


@pytest.mark.parametrize(
    ("flow", "asked", "seconds"),
    [
        ("card", None, 900),
        ("payin", None, 3600),
        ("payid", None, 3600),
        ("gateway_link", None, 3600),
        ("card", 60, 60),
        ("payin", 7200, 7200),
        ("payid", 1, 1),
        ("gateway_link", 86400, 86400),
    ],
)
def test_send_within_s_is_counted_from_the_acceptance(flow, asked, seconds):
    intent = INTENTS[flow](**({"send_within_s": asked} if asked else {}))
    assert parse_intent(intent).send_before_s == seconds
    payment = accepted(intent)
    assert not isinstance(next_step(payment, policy=POLICY, now_ms=NOW_MS + seconds * S), Become)
    late = next_step(payment, policy=POLICY, now_ms=NOW_MS + seconds * S + 1)
    assert isinstance(late, Become)
    assert (late.payment.status, late.payment.reason) == (Status.EXPIRED, Reason.NOT_SENT)


@pytest.mark.parametrize(
    ("flow", "left_ms"), [("card", 0), ("gateway_link", 0), ("payin", 16 * MINUTE), ("payid", 16 * MINUTE)]
)
def test_t30_each_flow_needs_its_time_before_the_deadline_at_the_sending(flow, left_ms):
    in_time = accepted(INTENTS[flow](), expires_at_ms=NOW_MS + left_ms)
    assert not isinstance(next_step(in_time, policy=POLICY, now_ms=NOW_MS), Become)
    assert isinstance(next_step(in_time, policy=POLICY, now_ms=NOW_MS + 1), Become)


# The three reasons


def test_the_three_reasons_of_an_expiry():
    not_sent = next_step(accepted(payid_intent()), policy=POLICY, now_ms=NOW_MS + 2 * HOUR)
    link = created(gateway_intent(), status=Status.REQUIRES_ACTION, since_ms=NOW_MS)
    lapsed = next_step(link, policy=POLICY, now_ms=NOW_MS + DAY)
    assert isinstance(not_sent, Become)
    assert isinstance(lapsed, Become)
    assert (not_sent.payment.reason, lapsed.payment.reason) == (Reason.NOT_SENT, Reason.LINK_LAPSED)
    # The third, `provider`, is never ours: a payin whose deadline passed long ago still waits for the word.
    payin = created(payin_intent(), status=Status.REQUIRES_ACTION, since_ms=NOW_MS, expires_at_ms=NOW_MS + HOUR)
    assert not isinstance(next_step(payin, policy=POLICY, now_ms=NOW_MS + DAY), Become)


@pytest.mark.parametrize(
    ("status", "reason", "lapses"),
    [
        (Status.REQUIRES_ACTION, None, True),
        (Status.PROCESSING, Reason.AWAITING_PROVIDER, True),
        (Status.PROCESSING, Reason.AMOUNT_REVIEW, False),
        (Status.PROCESSING, Reason.SETTLING, False),
        (Status.REFUND_PENDING, None, False),
        (Status.DISPUTED, None, False),
    ],
)
def test_only_an_open_link_lapses(status, reason, lapses):
    payment = created(gateway_intent(), status=status, reason=reason, since_ms=NOW_MS)
    assert isinstance(next_step(payment, policy=POLICY, now_ms=NOW_MS + 2 * DAY), Become) is lapses
