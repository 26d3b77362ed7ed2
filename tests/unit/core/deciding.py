"""Payments that wait for a person's word, and that word."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.decisions import decide
from orchestrator.errors import RefusedError
from orchestrator.observation import DecisionSeen
from orchestrator.payment import CAPTURE, CONFIRM_OTP, CREATE, Operation, OperationState, Payment, refund_name
from orchestrator.policy import Policy
from orchestrator.statuses import Reason, Status
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
DEADLINE_MS = NOW_MS + POLICY.call_total_ms
AFTER_MS = DEADLINE_MS + POLICY.grace_ms  # from here on anybody can know
INTENTS = {"card": card_intent, "payin": payin_intent, "payid": payid_intent, "gateway_link": gateway_intent}
REFUND = refund_name("r-1")
MANUAL = {"token": "tok_a", "return_url": "https://s.example/", "capture": "manual"}


def decision(outcome: str, operation: str | None = None, **changes: Any) -> DecisionSeen:
    words: dict[str, Any] = {
        "decision_id": "d-1",
        "at_ms": AFTER_MS,
        "actor": "ada@shop",
        "reason": "the dashboard shows it",
        "evidence": "ticket OPS-7",
    }
    return DecisionSeen(outcome=outcome, operation=operation, **words | changes)


def decided(
    payment: Payment, outcome: str, operation: str | None = None, *, now_ms: int = AFTER_MS, **changes: Any
) -> Payment:
    return decide(payment, decision(outcome, operation, **changes), policy=POLICY, now_ms=now_ms)


def refused(payment: Payment, outcome: str, operation: str | None = None, **changes: Any) -> str:
    """The code of the refusal, whose words are a sentence."""
    with pytest.raises(RefusedError) as error:
        decided(payment, outcome, operation, **changes)
    assert error.value.message.endswith(".")
    return error.value.code


def doubtful(payment: Payment, operation: str, changes: dict[str, Any]) -> Payment:
    stands: dict[str, Any] = {"state": OperationState.IN_DOUBT, "deadline_ms": DEADLINE_MS} | changes
    return in_state(payment, operation, stands.pop("state"), **stands)


def lost(flow: str = "card", **changes: Any) -> Payment:
    """A payment whose create was sent at NOW_MS and never answered."""
    return doubtful(accepted(INTENTS[flow]()), CREATE, changes)


def lost_capture(*, manual: bool = False, **changes: Any) -> Payment:
    method = {"method": MANUAL} if manual else {}
    status, reason = (Status.REQUIRES_CAPTURE, None) if manual else (Status.PROCESSING, Reason.CAPTURING)
    payment = created(card_intent(**method), status=status, reason=reason, provider_status="authorised")
    return doubtful(payment, CAPTURE, changes)


def lost_refund(**changes: Any) -> Payment:
    payment = created(payin_intent(), status=Status.SUCCEEDED, paid_minor=50000, customer_paid=True)
    payment = payment.with_operation(Operation(name=REFUND, amount_minor=500, command_id="c-9"))
    return doubtful(payment, REFUND, changes)


def lost_otp(**changes: Any) -> Payment:
    payment = created(payin_intent(), status=Status.REQUIRES_ACTION, next_action={"type": "otp"})
    return doubtful(payment, CONFIRM_OTP, changes)


def under_review(**changes: Any) -> Payment:
    """A card payment of which another amount came than was asked."""
    stands = {"status": Status.PROCESSING, "reason": Reason.AMOUNT_REVIEW, "provider_status": "received"}
    return created(card_intent(), **stands | {"paid_minor": 9000, "review": ("underpaid",)} | changes)


LOST: dict[str, Any] = {CREATE: lost, CAPTURE: lost_capture, REFUND: lost_refund, CONFIRM_OTP: lost_otp}
