"""What a payment waits for, in words: every status has some, and doubt says what may come of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.doubt import in_doubt
from orchestrator.payment import CAPTURE, CREATE, Operation, OperationState, Payment, refund_name
from orchestrator.policy import Policy
from orchestrator.statuses import FINAL, Reason, Status
from orchestrator.waiting_for import next_move, waiting_for
from tests.unit.core.building import (
    NOW_MS,
    accepted,
    card_intent,
    created,
    gateway_intent,
    in_state,
    payid_intent,
    payin_intent,
)

POLICY = Policy()
REASONS = {
    Status.PROCESSING: [
        Reason.AWAITING_PAY_CODE,
        Reason.AWAITING_PROVIDER,
        Reason.CAPTURING,
        Reason.SETTLING,
        Reason.CONFIRMING,
        Reason.AMOUNT_REVIEW,
    ],
    Status.EXPIRED: [Reason.PROVIDER, Reason.LINK_LAPSED, Reason.NOT_SENT],
}
STANDS = [(status, reason) for status in Status for reason in REASONS.get(status, [None])]
INTENTS = {"card": card_intent, "payin": payin_intent, "payid": payid_intent, "gateway_link": gateway_intent}


def words(payment: Payment, *, policy: Policy = POLICY) -> str:
    return " / ".join(waiting_for(payment, policy=policy, now_ms=NOW_MS))


@pytest.mark.parametrize("flow", INTENTS)
@pytest.mark.parametrize(("status", "reason"), STANDS, ids=str)
def test_every_status_of_every_flow_waits_for_something_in_words(flow, status, reason):
    flow = "payin" if reason is Reason.AWAITING_PAY_CODE else flow  # no other has pay codes
    payment = created(INTENTS[flow](), status=status, reason=reason)
    assert all(waiting_for(payment, policy=POLICY, now_ms=NOW_MS))
    assert words(payment).startswith("nothing") == (status in FINAL)
    assert next_move(payment, policy=POLICY, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("redirect", "page of the bank"),
        ("show_qr", "QR code"),
        ("show_bank_details", "transfer"),
        ("show_payid", "PayID"),
        ("payid", "PayID"),
        ("otp", "confirm_otp"),
        ("stk_push", "on the phone"),
        ("opaque", "what was shown"),
    ],
)
def test_an_action_names_who_has_to_do_what(action, expected):
    payment = created(payin_intent(), status=Status.REQUIRES_ACTION, next_action={"type": action, "url": "https://x"})
    assert expected in words(payment)
    assert "https" not in words(payment)


def test_a_payment_to_be_sent_names_the_call_and_why_it_is_held_up():
    payment = accepted(card_intent())
    assert words(payment) == "a worker to send create, attempt 1"
    unsent = in_state(payment, CREATE, OperationState.READY, unsent=3, not_before_ms=NOW_MS + 5_000)
    assert words(unsent) == (
        "a worker to send create, attempt 1, not before 2027-01-15T08:00:05.000Z; "
        "tries that were certainly not executed: 3"
    )
    unauthorised = in_state(payment, CREATE, OperationState.READY, unsent=3, unauthorised=3)
    assert words(unauthorised).endswith("the provider does not accept our credentials")


def test_a_call_on_the_wire_says_until_when_at_most():
    sending = in_state(
        accepted(card_intent()), CREATE, OperationState.SENDING, at_ms=NOW_MS, deadline_ms=NOW_MS + 40_000
    )
    assert "since 2027-01-15T08:00:00.000Z, at most until 2027-01-15T08:00:40.000Z" in words(sending)


def doubted(intent, **changes) -> Payment:
    payment = replace(accepted(intent), **changes)
    return in_doubt(payment, payment.create, now_ms=NOW_MS)


AGAIN = "sent once more, at the earliest after 2027-01-15T08:01:40.000Z, if it was not executed"
NEVER = "never sent again by itself: who knows more decides with payorch resolve"


@pytest.mark.parametrize(
    ("intent", "policy", "expected"),
    [
        (card_intent(), POLICY, NEVER),
        (payin_intent(), POLICY, AGAIN),
        (payid_intent(), POLICY, NEVER),
        (payid_intent(), replace(POLICY, payid_own_mailboxes=frozenset({"ada@example.com"})), AGAIN),
        (gateway_intent(), POLICY, AGAIN),
        (gateway_intent(), replace(POLICY, recreated_flows=frozenset()), NEVER),
    ],
    ids=range(6),
)
def test_a_create_in_doubt_says_whether_it_may_be_sent_once_more(intent, policy, expected):
    assert words(doubted(intent), policy=policy).endswith(expected)


def test_the_second_attempt_and_one_that_was_proven_are_never_sent_again():
    payment = doubted(payin_intent())
    assert words(in_state(payment, CREATE, OperationState.IN_DOUBT, attempt=2)).endswith(NEVER)
    assert words(in_state(payment, CREATE, OperationState.IN_DOUBT, is_proven=True)).endswith(NEVER)


def test_doubt_says_where_it_is_looked_up_and_since_when_there_is_no_trace():
    payment = in_state(doubted(payin_intent()), CREATE, OperationState.IN_DOUBT, looks=4, absent_since_ms=NOW_MS)
    assert "looks so far: 4; no trace of it since 2027-01-15T08:00:00.000Z; it is looked for in the" in words(payment)
    assert "the provider has no list" in words(doubted(payid_intent()))


def test_a_capture_in_doubt_is_looked_for_by_reads_and_may_be_sent_once_more():
    payment = created(card_intent(), status=Status.REQUIRES_CAPTURE)
    payment = in_doubt(payment, Operation(name=CAPTURE), now_ms=NOW_MS)
    assert words(payment) == (
        "certainty about capture, attempt 1: since 2027-01-15T08:00:00.000Z nobody knows whether it was executed; "
        f"looks so far: 0; {AGAIN.replace('08:01:40', '08:02:40')}"
    )
    seen_undone = in_state(payment, CAPTURE, OperationState.IN_DOUBT, absent_since_ms=NOW_MS + 200_000)
    assert words(seen_undone).endswith(AGAIN.replace("08:01:40", "08:04:20"))


def test_a_refund_in_doubt_is_what_a_succeeded_payment_waits_for():
    payment = created(payin_intent(), status=Status.SUCCEEDED, paid_minor=50000)
    payment = in_doubt(payment, Operation(name=refund_name("r-1"), amount_minor=5), now_ms=NOW_MS)
    assert words(payment).startswith("certainty about refund:r-1, attempt 1")
    assert NEVER in words(payment)
    assert "nothing" not in words(payment)


def test_a_look_that_was_asked_for_is_named():
    asked = created(card_intent(), status=Status.FAILED, look_wanted=0)
    assert "a read that was asked for" in words(asked)


@pytest.mark.parametrize(
    ("payment", "expected"),
    [
        (accepted(card_intent()), "send create, attempt 1"),
        (doubted(card_intent()), "look for the payment in the provider's list"),
        (
            created(card_intent(), status=Status.REQUIRES_ACTION, look_wanted=0),
            "ask the provider how the payment stands",
        ),
        (created(card_intent(), status=Status.SUCCEEDED), "wait"),
        (
            created(payin_intent(), status=Status.SUCCEEDED).with_operation(
                Operation(name="refund:r-1", state=OperationState.REFUSED, untold=("too_late", "It is."))
            ),
            "tell who asked for refund:r-1 that it was refused",
        ),
        (accepted(card_intent(), send_before_ms=0), "change it by our own clock: expired/not_sent"),
        (
            created(gateway_intent(), status=Status.REQUIRES_ACTION),
            "wait; the provider is not asked about gateway_link payments: no read is configured",
        ),
    ],
    ids=range(7),
)
def test_the_next_move_is_told_for_every_kind_of_step(payment, expected):
    assert next_move(payment, policy=POLICY, now_ms=NOW_MS) == expected
