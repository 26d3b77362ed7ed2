"""Every cell of the matrix of contract 3.5, as the contract writes it, shown through observe()."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.observe import Belief
from orchestrator.payment import CREATE, OperationState, Payment, public_view
from orchestrator.sighting import Source
from orchestrator.statuses import MATRIX, Reason, Review, Stage, Status, stage_of
from tests.unit.core.building import NOW_MS, UUID, accepted, capturing, card_body, card_intent, created, in_state, seen

TABLE = """
from \\ to                              | act   auth  await sett  succ  fail  exp   canc  rfnd  part  back  disp  lost
accepted                                | Y     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y
create sending                          | Y     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y
create in doubt                         | Y     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y
requires_action                         | -     Y     S     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y
requires_capture                        | S     -     S     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y
processing awaiting_provider            | Y     Y     -     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y
processing confirming                   | S     S     S     Y     Y     C     C     C     Y     Y     Y     Y     Y
processing amount_review                | S     S     S     Y     Y     C     C     C     Y     Y     Y     Y     Y
processing capturing                    | S     S     S     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y
requires_capture with a capture running | S     S     S     Y     Y     Y     Y     Y     Y     Y     Y     Y     Y
processing settling                     | S     S     S     -     Y     C     S     C     Y     Y     Y     Y     Y
succeeded                               | S     S     S     S     -     S     S     S     Y     Y     Y     Y     Y
failed                                  | S     C     S     C     C     -     S     S     C     C     C     C     C
expired                                 | S     S     S     C     C     S     -     S     C     C     C     C     C
canceled                                | S     S     S     C     C     S     S     -     C     C     C     C     C
refund_pending                          | S     S     S     S     C     S     S     S     -     Y     Y     Y     Y
partially_refunded                      | S     S     S     S     S     S     S     S     Y     -     Y     Y     Y
refunded                                | S     S     S     S     C     S     S     S     C     C     -     C     C
disputed                                | S     S     S     S     Y     S     S     S     Y     Y     Y     -     Y
dispute_lost                            | S     S     S     S     S     S     S     S     S     S     C     S     -
"""
WORDS = {
    "act": ("pending", {"pay_code": {"3ds_url": "https://3ds.example/x"}}),
    "auth": ("authorised", {}),
    "await": ("pending", {}),
    "sett": ("waiting", {}),
    "succ": ("received", {}),
    "fail": ("failed", {}),
    "exp": ("expired", {}),
    "canc": ("canceled", {}),
    "rfnd": ("return_pending", {}),
    "part": ("partially_refunded", {}),
    "back": ("return_received", {}),
    "disp": ("in_dispute", {}),
    "lost": ("dispute_lost", {}),
}
REACHED = {
    "act": Status.REQUIRES_ACTION,
    "auth": Status.REQUIRES_CAPTURE,
    "await": Status.PROCESSING,
    "sett": Status.PROCESSING,
    "succ": Status.SUCCEEDED,
    "fail": Status.FAILED,
    "exp": Status.EXPIRED,
    "canc": Status.CANCELED,
    "rfnd": Status.REFUND_PENDING,
    "part": Status.PARTIALLY_REFUNDED,
    "back": Status.REFUNDED,
    "disp": Status.DISPUTED,
    "lost": Status.DISPUTE_LOST,
}
MANUAL = card_intent(
    method={"token": "tok_abc", "return_url": "https://shop.example/back", "capture": "manual"},
)
TRUSTING = Belief(confirm_by_read=False)


def cells() -> list[tuple[str, str, str]]:
    head, *rows = TABLE.strip().splitlines()
    columns = head.partition("|")[2].split()
    return [
        (row.partition("|")[0].strip(), column, letter)
        for row in rows
        for column, letter in zip(columns, row.partition("|")[2].split(), strict=True)
    ]


def standing(row: str) -> Payment:
    """A manual card payment that stands in this row."""
    if row == "accepted":
        return accepted(MANUAL)
    if row.startswith("create "):
        state = OperationState.SENDING if row.endswith("sending") else OperationState.IN_DOUBT
        return in_state(accepted(MANUAL), CREATE, state)
    if row.startswith("requires_capture with"):
        return capturing(created(MANUAL, status=Status.REQUIRES_CAPTURE))
    status, _, reason = row.partition(" ")
    payment = created(
        MANUAL,
        status=Status(status),
        reason=Reason(reason) if reason else Reason.PROVIDER if status == "expired" else None,
        next_action={"type": "redirect"} if status == "requires_action" else None,
    )
    if status == "refunded":  # the C-cells of this row hold under footnotes 4 and 5 of the contract
        payment = replace(payment, provider_status="return_rejected").with_review(Review.REFUND_AMOUNT_UNKNOWN)
    return payment


def told(payment: Payment, column: str, source: Source) -> Payment:
    word, extra = WORDS[column]
    return seen(payment, card_body(word, **extra), source, belief=TRUSTING, now_ms=NOW_MS + 1)


@pytest.mark.parametrize(("row", "column", "letter"), cells())
def test_i4_a_read_moves_a_payment_exactly_along_the_matrix(row, column, letter):
    before = standing(row)
    after = told(before, column, Source.READ)
    if letter in "YC":
        assert after.status is REACHED[column]
        assert after.provider_status == WORDS[column][0]
    else:
        assert (after.status, after.reason, after.since_ms) == (before.status, before.reason, before.since_ms)
    if letter == "S":
        assert public_view(after) == public_view(before)


@pytest.mark.parametrize(("row", "column", "letter"), cells())
def test_i4_a_webhook_moves_a_payment_but_where_a_read_must_confirm_it(row, column, letter):
    before = standing(row)
    after = told(before, column, Source.WEBHOOK)
    # Footnote 3: another part, unless it is the late notice of the one before; only a read can tell.
    letter = "C" if (row, column) == ("partially_refunded", "rfnd") else letter
    if letter == "Y":
        assert after.status is REACHED[column]
    else:
        assert (after.status, after.reason) == (before.status, before.reason)
    assert (after.look_wanted == 0) == (letter == "C")


@pytest.mark.parametrize(("row", "column", "letter"), cells())
def test_i3_the_same_word_again_changes_the_public_view_no_more(row, column, letter):
    once = told(standing(row), column, Source.READ)
    assert public_view(told(once, column, Source.READ)) == public_view(once)


@pytest.mark.parametrize(("row", "column", "letter"), [cell for cell in cells() if cell[2] == "C"])
def test_a_cell_that_needs_confirming_is_applied_with_a_review_where_no_read_exists(row, column, letter):
    word, extra = WORDS[column]
    before = standing(row)
    blind = Belief(confirm_by_read=True, has_read=False)
    after = seen(before, card_body(word, **extra), Source.WEBHOOK, belief=blind)
    assert after.status is REACHED[column]
    assert set(after.review) > set(before.review)


@pytest.mark.parametrize(
    ("row", "column"), [("failed", "succ"), ("expired", "succ"), ("expired", "sett"), ("canceled", "rfnd")]
)
def test_t45_money_after_a_final_status_is_taken_and_flagged(row, column):
    after = told(standing(row), column, Source.READ)
    assert after.customer_paid
    assert Review.LATE_PAYMENT in after.review


def test_a_sighting_before_anything_was_sent_proves_that_a_mark_was_lost():
    after = told(standing("accepted"), "auth", Source.WEBHOOK)
    assert Review.UNEXPECTED_OBSERVATION in after.review
    assert after.create.state is OperationState.DONE
    assert Review.UNEXPECTED_OBSERVATION not in told(standing("create sending"), "auth", Source.WEBHOOK).review


@pytest.mark.parametrize("column", ["rfnd", "part"])
def test_t22_after_a_whole_refund_only_an_unknown_sum_lets_another_one_begin(column):
    known = replace(standing("refunded"), review=())
    after = told(known, column, Source.READ)
    assert (after.status, after.look_wanted) == (Status.REFUNDED, None)


def test_a_bounced_refund_leads_back_to_where_it_began():
    settling = seen(created(card_intent(), status=Status.REQUIRES_ACTION), card_body("waiting"), Source.READ)
    running = seen(settling, card_body("return_pending"))
    back = seen(seen(running, card_body("return_received")), card_body("return_rejected"), Source.READ)
    assert (back.status, back.reason, back.look_wanted) == (Status.PROCESSING, Reason.SETTLING, None)
    assert Review.REGRESSION_OBSERVED in back.review


def test_a_bounced_refund_leads_back_only_by_its_own_word_and_with_a_review():
    refunded = replace(standing("refunded"), provider_status="return_received")
    assert told(refunded, "succ", Source.READ).status is Status.REFUNDED
    bounced = seen(refunded, card_body("return_rejected"), Source.WEBHOOK)
    assert (bounced.status, bounced.look_wanted) == (Status.REFUNDED, 0)
    after = told(bounced, "succ", Source.READ)
    assert after.status is Status.SUCCEEDED
    assert Review.REGRESSION_OBSERVED in after.review


def test_the_matrix_is_total():
    stages = set(Stage)
    columns = stages - {Stage.ACCEPTED, Stage.DOUBT, Stage.CONFIRM, Stage.CAPTURING}
    assert set(MATRIX) == stages
    assert all(set(row) == columns for row in MATRIX.values())


@pytest.mark.parametrize("status", list(Status))
def test_every_status_and_reason_stands_in_a_row(status):
    reasons = [None, *(r for r in Reason if r not in {Reason.PROVIDER, Reason.LINK_LAPSED, Reason.NOT_SENT})]
    assert all(stage_of(status, reason) in MATRIX for reason in reasons)


def test_the_reference_of_the_first_sighting_is_kept():
    assert told(standing("create in doubt"), "auth", Source.SCAN).reference == f"uuid:{UUID}"
