"""A payment against what the provider holds under its id."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.invariants import ProviderFact, broken_by_provider
from orchestrator.payment import CREATE, OperationState, Payment
from orchestrator.statuses import Reason, Review, Stage, Status
from tests.unit.core.building import NOW_MS, card_intent, created, gateway_intent, in_state
from tests.unit.invariants.sound import POLICY, Found, card_course, on_the_wire, told

PAID = card_course()[-1]
WAITING = created(card_intent(), status=Status.REQUIRES_ACTION, looked_at_ms=NOW_MS, since_ms=NOW_MS)
REFERENCE = "uuid:PSADT5CE"
UNPOLLED = replace(POLICY, polling=False)
DAY_MS = 86_400_000


def fact(stage: Stage, reference: str = REFERENCE, **changes: Any) -> ProviderFact:
    return ProviderFact(reference=reference, stage=stage, **changes)


def against(payment: Payment, *facts: ProviderFact, policy: Any = POLICY, now_ms: int = NOW_MS, **more: Any) -> Found:
    return told(broken_by_provider(payment, facts, policy=policy, now_ms=now_ms, **more))


def test_nothing_is_broken_where_both_say_the_same():
    assert against(PAID, fact(Stage.SUCCEEDED, paid_minor=10000, refunded_minor=0)) == []
    assert against(WAITING, fact(Stage.ACTION)) == []
    assert against(PAID) == []


def test_i1_the_provider_holds_no_more_payments_than_creates_were_sent():
    two = (fact(Stage.SUCCEEDED), fact(Stage.AWAIT, "uuid:PSOTHER1"))
    assert against(PAID, *two) == [("I1", "the provider holds 2 payments for it, 1 may have been made")]
    again = in_state(PAID, CREATE, OperationState.DONE, attempt=2)
    assert against(again, *two) == []


def test_i1_nobody_is_charged_twice_unless_a_person_was_told():
    twice = (fact(Stage.SUCCEEDED), fact(Stage.SETTLING, "uuid:PSOTHER1"))
    again = in_state(PAID, CREATE, OperationState.DONE, attempt=2)
    assert against(again, *twice) == [("I1", "the customer was charged 2 times for it")]
    assert against(again.with_review(Review.DUPLICATE_EXTERNAL_ID), *twice) == []


@pytest.mark.parametrize("stage", [Stage.ACTION, Stage.FAILED, Stage.EXPIRED, Stage.AUTHORISED])
def test_i5_success_is_what_the_provider_calls_so(stage):
    assert against(PAID, fact(stage)) == [("I5", f"it succeeded, but the provider says {stage}")]


def test_i6_a_difference_that_the_next_look_will_show_is_none():
    assert against(WAITING, fact(Stage.SUCCEEDED)) == []
    assert against(WAITING, fact(Stage.SUCCEEDED), policy=UNPOLLED) == [
        ("I6", "the provider says succeeded, but we say requires_action")
    ]


def test_i6_a_look_that_is_overdue_excuses_nothing():
    late_ms = NOW_MS + DAY_MS
    known = fact(Stage.SUCCEEDED, since_ms=NOW_MS)
    assert [name for name, _ in against(WAITING, known, now_ms=late_ms)] == ["I6"]
    assert against(WAITING, replace(known, since_ms=late_ms), now_ms=late_ms) == []
    untold = replace(known, since_ms=None)
    assert against(WAITING, untold, now_ms=late_ms, due_at_ms=late_ms) == []
    assert [name for name, _ in against(WAITING, untold, now_ms=late_ms, due_at_ms=NOW_MS)] == ["I6"]


def test_i6_money_that_came_after_the_end_is_missed():
    expired = replace(WAITING, status=Status.EXPIRED, reason=Reason.LINK_LAPSED)
    assert against(expired, fact(Stage.SUCCEEDED)) == [
        ("I6", "the provider says succeeded, but we say expired/link_lapsed")
    ]
    failed = replace(WAITING, status=Status.FAILED, failure={"code": "x"})
    assert [name for name, _ in against(failed, fact(Stage.SETTLING))] == ["I6"]


def test_what_the_matrix_would_not_apply_is_no_difference():
    assert against(PAID, fact(Stage.SETTLING)) == []
    refunded = replace(PAID, status=Status.REFUNDED, refunded_minor=10000)
    assert against(refunded, fact(Stage.REFUND_PENDING)) != []  # another refund, not known to us
    assert against(refunded, fact(Stage.SETTLING)) == []


def test_t22_a_part_that_went_back_is_called_by_the_word_of_the_whole_and_no_difference():
    part = replace(PAID, status=Status.PARTIALLY_REFUNDED, refunded_minor=4000)
    assert against(part, fact(Stage.REFUNDED)) == []
    assert against(part, fact(Stage.REFUNDED, refunded_minor=4000)) == []
    assert against(part, fact(Stage.REFUNDED, refunded_minor=10000))[0] == (
        "I6",
        "the provider says refunded, but we say partially_refunded",
    )


def test_i6_a_charge_whose_reference_nobody_learned_is_missed():
    lost = in_state(on_the_wire(gateway_intent()), CREATE, OperationState.IN_DOUBT)
    charged = fact(Stage.SUCCEEDED, "gw:46345")
    assert [name for name, _ in against(lost, charged, policy=UNPOLLED)] == ["I6"]
    assert against(lost, fact(Stage.AWAIT, "gw:46345"), policy=UNPOLLED) == []


@pytest.mark.parametrize(("name", "word"), [("paid_minor", "paid"), ("refunded_minor", "refunded")])
def test_i7_where_the_status_is_agreed_the_sums_are(name, word):
    ours = getattr(PAID, name)
    assert against(PAID, fact(Stage.SUCCEEDED, **{name: ours})) == []
    found = against(PAID, fact(Stage.SUCCEEDED, **{name: ours + 1}))
    assert found == [("I7", f"the provider says that {ours + 1} was {word}, we say {ours}")]
    reviewed = PAID.with_review(Review.OVERPAID)
    assert against(reviewed, fact(Stage.SUCCEEDED, **{name: ours + 1})) == []
