from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.doubt import abandoned
from orchestrator.flows import FLOWS
from orchestrator.observe import Belief, observe
from orchestrator.payment import CAPTURE, CREATE, OperationState, public_view, refund_name
from orchestrator.sighting import Source
from orchestrator.statuses import Reason, Review, Status
from tests.unit.core.building import (
    NOW_MS,
    accepted,
    capturing,
    card_body,
    card_intent,
    created,
    in_state,
    payin_body,
    payin_intent,
    seen,
    view,
)

SECOND = 1000
ACTION = created(card_intent(), status=Status.REQUIRES_ACTION, next_action={"type": "redirect", "url": "https://x"})
SUCCEEDED = created(card_intent(), status=Status.SUCCEEDED, settled=True, customer_paid=True, paid_minor=10000)


# Success is confirmed by a read


def test_d10_success_from_a_webhook_waits_for_one_confirming_read():
    claimed = seen(ACTION, card_body("received"))
    assert view(claimed) == (Status.PROCESSING, Reason.CONFIRMING)
    assert (claimed.customer_paid, claimed.settled) == (False, False)
    confirmed = seen(claimed, card_body("received"), Source.READ)
    assert view(confirmed) == (Status.SUCCEEDED, None)
    assert (confirmed.customer_paid, confirmed.settled, confirmed.paid_minor) == (True, True, 10000)
    assert (confirmed.claimed, confirmed.review) == (None, ())


@pytest.mark.parametrize("source", [Source.READ, Source.SCAN, Source.REPLY])
def test_what_the_provider_answers_itself_needs_no_confirming(source):
    assert seen(ACTION, card_body("received"), source).status is Status.SUCCEEDED


@pytest.mark.parametrize("belief", [Belief(confirm_by_read=False), Belief(has_read=False)])
def test_without_confirming_a_webhook_is_believed(belief):
    assert seen(ACTION, card_body("received"), belief=belief).status is Status.SUCCEEDED


def test_three_unusable_reads_let_a_claimed_success_stand_with_a_review():
    payment = seen(ACTION, card_body("received"))
    for _ in range(2):
        payment = seen(payment, {"errors": {}}, Source.READ)
        assert view(payment) == (Status.PROCESSING, Reason.CONFIRMING)
    payment = seen(payment, None, Source.READ)
    assert payment.status is Status.SUCCEEDED
    assert payment.settled
    assert payment.paid_minor == 10000
    assert payment.review == (Review.UNCONFIRMED,)


def test_a_read_that_contradicts_is_repeated_and_told_after_a_minute():
    claimed = seen(ACTION, card_body("received"))
    at_once = seen(claimed, card_body("pending"), Source.READ, now_ms=NOW_MS + 59 * SECOND)
    assert (view(at_once), at_once.review) == ((Status.PROCESSING, Reason.CONFIRMING), ())
    later = seen(at_once, card_body("pending"), Source.READ, now_ms=NOW_MS + 60 * SECOND)
    assert view(later) == (Status.PROCESSING, Reason.CONFIRMING)
    assert later.review == (Review.UNCONFIRMED,)
    true = seen(later, card_body("received"), Source.READ, now_ms=NOW_MS + 90 * SECOND)
    assert (true.status, true.review) == (Status.SUCCEEDED, ())


def test_a_webhook_is_no_read_and_confirms_nothing():
    claimed = seen(seen(ACTION, card_body("received")), card_body("received"))
    assert view(claimed) == (Status.PROCESSING, Reason.CONFIRMING)


def test_confirming_is_entered_from_non_final_statuses_only():
    disputed = replace(SUCCEEDED, status=Status.DISPUTED)
    won = seen(disputed, card_body("received"))
    assert (won.status, won.look_wanted, won.claimed) == (Status.DISPUTED, 0, None)
    assert seen(won, card_body("received"), Source.READ).status is Status.SUCCEEDED


# Amounts


@pytest.mark.parametrize("paid", ["99.99", "0.0", "0"])
def test_d04_less_paid_than_asked_is_no_success_and_is_read_again(paid):
    payment = seen(ACTION, card_body("received", paid_amount=paid))
    assert view(payment) == (Status.PROCESSING, Reason.AMOUNT_REVIEW)
    assert payment.review == (Review.UNDERPAID,)
    assert not payment.settled
    assert payment.look_wanted == 0


@pytest.mark.parametrize("changes", [{"paid_amount": "90.0"}, {"currency": "USD"}, {"amount": "1.0", "total": "1.0"}])
@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.READ])
@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.DISPUTED, Status.REFUND_PENDING])
def test_i4_what_succeeded_is_never_put_back_for_its_amount(status, source, changes):
    """Perhaps a person accepted the amount; the provider repeats its words as often as it likes."""
    paid = replace(SUCCEEDED, status=status, before_refund=(Status.SUCCEEDED, None), provider_status="received")
    again = seen(paid, card_body("received", **changes), source)
    assert again.status in {status, Status.SUCCEEDED}
    assert again.customer_paid


def test_d04_a_refund_that_began_before_the_money_was_in_does_not_hide_that_too_little_came():
    settling = replace(ACTION, status=Status.REFUND_PENDING, before_refund=(Status.PROCESSING, Reason.SETTLING))
    short = seen(settling, card_body("received", paid_amount="90.0"), Source.READ)
    assert view(short) == (Status.PROCESSING, Reason.AMOUNT_REVIEW)


def test_d04_more_paid_than_asked_is_success_with_a_review():
    payment = seen(ACTION, card_body("received", paid_amount="100.01"), Source.READ)
    assert (payment.status, payment.review, payment.paid_minor) == (Status.SUCCEEDED, (Review.OVERPAID,), 10001)


@pytest.mark.parametrize(
    ("changes", "review"),
    [
        ({"amount": "100.01", "total": "100.01", "paid_amount": "100.01"}, Review.AMOUNT_MISMATCH),
        ({"amount": "1.0", "total": "1.0", "paid_amount": "1.0"}, Review.AMOUNT_MISMATCH),
        ({"amount": "ten"}, Review.AMOUNT_MISMATCH),
        ({"currency": "USD"}, Review.CURRENCY_MISMATCH),
    ],
)
@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.READ])
def test_d02_another_amount_or_currency_is_never_success(changes, review, source):
    payment = seen(ACTION, card_body("received", **changes), source)
    assert view(payment) == (Status.PROCESSING, Reason.AMOUNT_REVIEW)
    assert payment.review == (review,)


def test_d02_an_authorisation_of_another_amount_is_not_captured():
    payment = seen(ACTION, card_body("authorised", amount="1.0", total="1.0"))
    assert view(payment) == (Status.PROCESSING, Reason.AMOUNT_REVIEW)


def test_d10_gst_is_part_of_what_must_be_paid():
    intent = payin_intent(currency="AUD", method={"payin_method_name": "au_payid_npp_aud", "gst": True})
    asked = created(intent | {"amount_minor": 10000}, status=Status.REQUIRES_ACTION)
    amounts = {"currency": "AUD", "amount": 100, "gst_amount": 10, "total": 110}
    paid = seen(asked, payin_body("received", **amounts, paid_amount=110), Source.READ)
    assert (paid.status, paid.total_minor, paid.paid_minor, paid.review) == (Status.SUCCEEDED, 11000, 11000, ())
    short = seen(asked, payin_body("received", **amounts, paid_amount=100), Source.READ)
    assert (short.reason, short.review) == (Reason.AMOUNT_REVIEW, (Review.UNDERPAID,))


def test_d05_gst_that_is_not_whole_takes_either_neighbour_and_no_other():
    intent = payin_intent(currency="AUD", method={"payin_method_name": "au_payid_npp_aud", "gst": True})
    asked = created(intent | {"amount_minor": 1001}, status=Status.REQUIRES_ACTION)
    assert asked.total_minor is None
    for total, is_right in (("11.01", True), ("11.02", True), ("11.00", False), ("11.03", False)):
        body = payin_body("received", currency="AUD", amount="10.01", total=total, paid_amount=total)
        assert (seen(asked, body, Source.READ).status is Status.SUCCEEDED) == is_right


def test_t35_the_quoted_amount_of_usdc_is_stored_and_then_held_to():
    method = {"payin_method_name": "usdc_bank"}
    asked = accepted(payin_intent(currency="USDC", amount_minor=None, method=method))
    asked = in_state(asked, CREATE, OperationState.SENDING)
    body = {"currency": "USDC", "amount": "99.5", "total": "99.5", "pay_code": {"pay_url": "https://p.example"}}
    quoted = seen(asked, payin_body("pending", **body), Source.REPLY, operation=CREATE)
    assert (quoted.amount_minor, quoted.total_minor) == (None, 99_500_000)
    other = body | {"amount": "50", "total": "50", "paid_amount": "50"}
    assert seen(quoted, payin_body("received", **other), Source.READ).reason is Reason.AMOUNT_REVIEW


def test_i7_a_payment_whose_total_is_unknown_shows_what_was_paid():
    body = card_body("received")
    del body["amount"], body["total"]
    paid = seen(ACTION, body | {"paid_amount": "100.0"}, Source.READ)
    assert (paid.status, paid.paid_minor) == (Status.SUCCEEDED, 10000)


# Identity


def test_a_body_with_another_external_id_is_not_applied():
    after = seen(ACTION, card_body("received", external_id="ord-9999"))
    assert after == ACTION.with_review(Review.FOREIGN_REFERENCE)


def test_a_body_without_external_id_is_applied():
    assert seen(ACTION, card_body("waiting", external_id=None)).reason is Reason.SETTLING


def test_i5_the_answer_to_a_read_that_shows_another_payment_is_not_ours():
    other = card_body("received", uuid="OTHER1", external_id=None)
    after = seen(ACTION, other, Source.READ)
    assert after == ACTION.with_review(Review.FOREIGN_REFERENCE)
    for operation in (CAPTURE, refund_name("r-1")):
        assert seen(ACTION, other, Source.REPLY, operation=operation) == after


@pytest.mark.parametrize(
    ("changes", "review"),
    [({"external_id": "ord-9999"}, "foreign_reference"), ({"uuid": "OTHER1"}, "duplicate_external_id")],
)
def test_a_success_that_a_webhook_told_is_not_read_for_ever_where_the_reads_show_another_payment(changes, review):
    claimed = seen(ACTION, card_body("received"))
    for _ in range(3):
        claimed = seen(claimed, card_body("received", **changes), Source.READ)
    assert (claimed.status, claimed.review) == (Status.SUCCEEDED, (review, "unconfirmed"))


def test_of_two_references_the_paid_one_is_the_payment_and_a_person_is_told_once_both_are_paid():
    after = seen(ACTION, card_body("pending", uuid="OTHER1"))
    assert (after.status, after.aliases, after.review) == (Status.REQUIRES_ACTION, ("uuid:OTHER1",), ())
    claimed = seen(after, card_body("received", uuid="OTHER1"))
    assert (claimed.reference, claimed.aliases) == ("uuid:OTHER1", ("uuid:PSADT5CE",))
    paid = seen(claimed, card_body("received", uuid="OTHER1"), source=Source.READ)
    assert (paid.status, paid.review) == (Status.SUCCEEDED, ())
    both = seen(paid, card_body("received"))
    assert (both.reference, both.review) == ("uuid:OTHER1", (Review.DUPLICATE_EXTERNAL_ID,))


# Unknown and unusable words


@pytest.mark.parametrize("word", ["mystery", "created", "active", "paid", "completed", "unpaid"])
def test_a_payment_in_doubt_of_which_an_unknown_word_is_said_is_with_the_provider(word):
    doubted = in_state(accepted(card_intent()), CREATE, OperationState.IN_DOUBT)
    after = seen(doubted, card_body(word))
    assert view(after) == (Status.PROCESSING, Reason.AWAITING_PROVIDER)
    assert (after.review, after.look_wanted) == ((Review.UNKNOWN_STATUS,), 0)


@pytest.mark.parametrize("word", ["mystery", "created", "active", "paid", "completed", "unpaid"])
def test_d13_an_unknown_status_freezes_the_payment_asks_and_tells(word):
    after = seen(ACTION, card_body(word))
    assert (after.status, after.review, after.look_wanted) == (
        Status.REQUIRES_ACTION,
        (Review.UNKNOWN_STATUS,),
        0,
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("refunded", Status.REFUNDED),
        ("canceled", Status.CANCELED),
        ("cancelled", Status.CANCELED),
        (" FAILED ", Status.FAILED),
        ("Return_Pending", Status.REFUND_PENDING),
    ],
)
def test_t40_the_second_vocabulary_and_other_spellings_are_read(word, status):
    assert seen(ACTION, card_body(word)).status is status


@pytest.mark.parametrize("word", ["AUTHORISED", "authorized"])
def test_either_spelling_of_authorised_is_read(word):
    assert seen(ACTION, card_body(word)).reason is Reason.CAPTURING


@pytest.mark.parametrize("body", [None, [], "text", 17, {}, {"uuid": "X"}, {"status": "received"}, {"errors": {}}])
@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.READ, Source.SCAN])
def test_t25_a_body_without_id_and_status_moves_nothing(body, source):
    assert seen(ACTION, body, source) == ACTION
    assert seen(SUCCEEDED, body, source) == SUCCEEDED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = ["uuid", "status", "amount", "total", "paid_amount", "currency", "pay_code", "stage", "expired_at", "example"]


@given(body=st.dictionaries(st.sampled_from(NAMES), JSON) | JSON, flow=st.sampled_from(["card", "payin"]))
def test_i9_no_body_of_the_providers_raises(body, flow):
    payment = created(card_intent() if flow == "card" else payin_intent())
    for source in (Source.WEBHOOK, Source.READ):
        sighting = FLOWS[flow].interpret(payment, body, source=source, operation=None, allow_http=False)
        observe(payment, sighting, belief=Belief(), now_ms=NOW_MS)


# Operations


def test_a_sighting_resolves_a_create_in_doubt():
    doubt = in_state(accepted(card_intent()), CREATE, OperationState.IN_DOUBT).with_review(Review.IN_DOUBT_AGED)
    after = seen(doubt, card_body("pending"))
    assert (after.create.state, after.create.reference, after.review) == (OperationState.DONE, "uuid:PSADT5CE", ())


def test_an_unusable_webhook_too_proves_that_a_ready_create_was_sent():
    after = seen(accepted(card_intent()), None)
    assert after.create.state is OperationState.IN_DOUBT
    assert public_view(after).status is Status.IN_DOUBT
    assert after.review == (Review.UNEXPECTED_OBSERVATION,)


@pytest.mark.parametrize("word", ["waiting", "received", "return_pending", "in_dispute"])
def test_i1_money_that_moved_shows_that_the_capture_was_executed(word):
    payment = capturing(created(card_intent(), status=Status.PROCESSING, reason=Reason.CAPTURING))
    after = seen(payment, card_body(word), Source.READ)
    assert after.operations[CAPTURE].state is OperationState.DONE


@pytest.mark.parametrize("state", [OperationState.SENDING, OperationState.IN_DOUBT])
def test_i1_a_late_authorised_webhook_changes_nothing_about_a_running_capture(state):
    payment = capturing(created(card_intent(), status=Status.PROCESSING, reason=Reason.CAPTURING), state)
    assert seen(payment, card_body("authorised")) == payment


def test_a_call_whose_owner_is_gone_is_in_doubt():
    payment = in_state(accepted(card_intent()), CREATE, OperationState.SENDING, looks=3)
    after = abandoned(payment, now_ms=NOW_MS + 5)
    assert (after.create.state, after.create.at_ms, after.create.looks) == (OperationState.IN_DOUBT, NOW_MS + 5, 0)
    for state in (OperationState.READY, OperationState.DONE, OperationState.IN_DOUBT, OperationState.REFUSED):
        other = in_state(payment, CREATE, state)
        assert abandoned(other, now_ms=NOW_MS + 5) == other


# Attributes


def test_t16_pay_code_that_comes_late_turns_waiting_into_an_action():
    payment = created(payin_intent(), status=Status.PROCESSING, reason=Reason.AWAITING_PAY_CODE)
    details = {"bank_name": "MUFG", "account_number": "1234567"}
    after = seen(payment, payin_body("pending", pay_code=details))
    assert after.status is Status.REQUIRES_ACTION
    assert after.next_action == {"type": "show_bank_details"} | details
    for nothing in (None, "", {}, {"bank_name": ""}):
        kept = seen(after, payin_body("pending", pay_code=nothing))
        assert public_view(kept) == public_view(after)
    changed = seen(after, payin_body("pending", pay_code=details | {"account_number": "7654321"}))
    assert public_view(changed).next_action == {"type": "show_bank_details"} | details | {"account_number": "7654321"}


def test_t18_an_absent_stage_keeps_the_stored_one():
    payment = created(payin_intent(), status=Status.PROCESSING, reason=Reason.AWAITING_PAY_CODE)
    staged = seen(payment, payin_body("pending", stage="authorize_otp"), Source.READ)
    assert (staged.next_action, staged.provider_stage) == ({"type": "otp"}, "authorize_otp")
    kept = seen(staged, payin_body("pending"))
    assert (kept.next_action, kept.provider_stage) == ({"type": "otp"}, "authorize_otp")


def test_a_decline_keeps_the_providers_words():
    pay_code = {"error_code": "issuer_declined", "error_message": "Card declined by issuer"}
    after = seen(ACTION, card_body("failed", pay_code=pay_code))
    assert public_view(after).failure == {"code": "issuer_declined", "message": "Card declined by issuer"}
    assert public_view(after).next_action is None


def test_a_decline_without_words_says_so():
    assert public_view(seen(ACTION, card_body("failed"))).failure is not None


def test_an_expiry_of_the_providers_is_taken_where_none_was_asked_and_never_moved():
    payment = created(payin_intent(), status=Status.PROCESSING, reason=Reason.AWAITING_PAY_CODE)
    first = seen(payment, payin_body("pending", expired_at="2027-01-15T10:00:00"))
    assert first.expires_at_ms == 1_800_007_200_000
    assert seen(first, payin_body("pending", expired_at="2030-01-01T00:00:00Z")).expires_at_ms == 1_800_007_200_000
