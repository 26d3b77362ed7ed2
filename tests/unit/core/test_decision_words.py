"""Amounts that a person accepts, reviews that one has looked at, and the words that every decision needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decisions import REMEMBERED_MAX, Outcome, decide, remember_refusal
from orchestrator.errors import RefusedError
from orchestrator.observation import decode_observation, encode_observation
from orchestrator.payment import CREATE, Claimed, OperationState
from orchestrator.statuses import Reason, Review, Status
from tests.unit.core.building import NOW_MS, card_intent, created, in_state, view
from tests.unit.core.deciding import (
    MANUAL,
    POLICY,
    decided,
    decision,
    lost,
    lost_capture,
    lost_otp,
    lost_refund,
    refused,
    under_review,
)

# Amounts


def test_what_was_paid_is_accepted_and_the_review_stays():
    payment = decided(under_review(), "accept_amount", paid_minor=9000)
    assert view(payment) == (Status.SUCCEEDED, None)
    assert (payment.paid_minor, payment.customer_paid, payment.settled) == (9000, True, True)
    assert payment.review == ("underpaid",)
    assert decided(under_review(), "accept_amount") == payment


def test_an_amount_that_the_provider_did_not_say_is_said_by_the_person():
    mismatch = under_review(paid_minor=0, review=("amount_mismatch",))
    assert decided(mismatch, "accept_amount", paid_minor=12000).paid_minor == 12000
    assert refused(mismatch, "accept_amount") == "nothing_paid"
    assert refused(mismatch, "accept_amount", paid_minor=-1) == "invalid_amount"
    assert refused(mismatch, "accept_amount", paid_minor=2**53) == "invalid_amount"


def test_another_amount_than_the_person_saw_is_not_accepted():
    assert refused(under_review(), "accept_amount", paid_minor=8000) == "payment_moved"


def test_money_that_is_only_authorised_is_not_accepted():
    authorised = under_review(provider_status="authorised", paid_minor=0)
    assert refused(authorised, "accept_amount", paid_minor=9000) == "nothing_paid"


def test_a_success_that_no_read_confirms_is_accepted():
    claimed = Claimed(since_ms=NOW_MS, paid_minor=9000, settled=False)
    payment = created(card_intent(), status=Status.PROCESSING, reason=Reason.CONFIRMING, claimed=claimed)
    done = decided(payment.with_review(Review.UNCONFIRMED), "accept_amount")
    assert (view(done), done.paid_minor, done.settled) == ((Status.SUCCEEDED, None), 9000, False)
    assert (done.claimed, done.review) == (None, ())


@pytest.mark.parametrize("payment", [lost(), lost_capture(), lost_refund(), lost_otp()])
def test_where_no_amount_is_in_question_none_is_accepted(payment):
    assert refused(payment, "accept_amount", paid_minor=9000) == "nothing_to_accept"


# Reviews


def test_reviews_that_a_person_has_looked_at_are_cleared():
    payment = under_review(review=("overpaid", "parked", "stale_of_a_later_version", "underpaid"))
    cleared = decided(payment, "clear", reviews=("parked", "stale_of_a_later_version"))
    assert cleared.review == ("overpaid", "underpaid")
    assert view(cleared) == view(payment)


@pytest.mark.parametrize("reviews", [(), ("parked",), ("underpaid", "nonsense")])
def test_a_review_that_a_payment_has_not_is_not_cleared(reviews):
    assert refused(under_review(), "clear", reviews=reviews) == "unknown_review"


@pytest.mark.parametrize("review", ["stale", "in_doubt_aged", "pay_code_overdue", "not_captured"])
def test_a_review_that_would_come_back_at_once_is_not_cleared(review):
    assert refused(under_review(review=(review,)), "clear", reviews=(review,)) == "review_stands"
    ended = created(card_intent(), status=Status.EXPIRED, review=(review,))
    assert decided(ended, "clear", reviews=(review,)).review == ()


def test_an_old_authorisation_stands_until_it_is_captured():
    held = created(card_intent(method=MANUAL), status=Status.REQUIRES_CAPTURE, review=("authorisation_aged",))
    assert refused(held, "clear", reviews=held.review) == "review_stands"
    assert decided(replace(held, status=Status.DISPUTED), "clear", reviews=held.review).review == ()


# Words and memory


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"actor": ""}, "invalid_words"),
        ({"actor": "ada lovelace"}, "invalid_words"),
        ({"actor": "a" * 65}, "invalid_words"),
        ({"actor": "4111111111111111"}, "card_number_refused"),
        ({"reason": "  ok  "}, "invalid_words"),
        ({"reason": "x" * 501}, "invalid_words"),
        ({"reason": "seen it\nstatus: fine"}, "invalid_words"),
        ({"evidence": ""}, "invalid_words"),
        ({"evidence": "card 4111 1111 1111 1111"}, "card_number_refused"),
        ({"evidence": "token tok_dfe1988a1ffc"}, "secret_refused"),
        ({"reason": "it said Bearer abcdef123456"}, "secret_refused"),
        ({"evidence": "po1.0123abcd.signature"}, "secret_refused"),
    ],
)
def test_a_decision_names_who_and_why_and_nothing_secret(changes, code):
    assert refused(lost(), "not_executed", CREATE, **changes) == code


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("words", [{"actor": ""}, {"reason": "    "}, {"evidence": " "}], ids=str)
def test_whatever_is_decided_somebody_answers_for_it_and_says_why_and_what_shows_it(outcome, words):
    assert refused(under_review(), outcome, **words) == "invalid_words"


def test_the_same_decision_is_carried_out_once():
    payment = decided(lost(), "send_again", CREATE)
    doubted_again = in_state(payment, CREATE, OperationState.IN_DOUBT, deadline_ms=NOW_MS)
    assert decided(doubted_again, "send_again", CREATE, attempt=2) == doubted_again


def test_a_refused_decision_is_remembered_with_its_reason_and_does_nothing_later():
    early = decision("send_again", CREATE)
    with pytest.raises(RefusedError) as error:
        decide(lost(), early, policy=POLICY, now_ms=NOW_MS)
    payment = remember_refusal(lost(), early, error.value)
    assert payment.decisions["d-1"].startswith("too_early: ")
    assert decided(payment, "send_again", CREATE) == payment


def test_only_so_many_decisions_are_remembered():
    payment = lost()
    for number in range(REMEMBERED_MAX + 3):
        payment = remember_refusal(payment, decision("clear", decision_id=f"d-{number}"), RefusedError("no", "No."))
    assert list(payment.decisions) == [f"d-{number}" for number in range(3, REMEMBERED_MAX + 3)]


def test_a_decision_is_stored_whole():
    given = decision("clear", attempt=3, reference="PSADT5CE", paid_minor=7, reviews=("stale", "parked"))
    assert decode_observation(encode_observation(given)) == given
