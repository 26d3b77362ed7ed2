"""One-time PayID: provider page *Create One-Time PayID*, contract 1.4 and 3.3."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.dialect import DIALECT, Dialect
from orchestrator.flows import payin
from orchestrator.flows.common import Flow, Notification, full_name, terms_of
from orchestrator.flows.provider_object import (
    amounts_in,
    described,
    major_reader,
    refunded_in,
    status_word,
    text,
    time_ms,
    unwrap,
)
from orchestrator.flows.refund import hears_refunds, payid_refund
from orchestrator.money import to_major
from orchestrator.payment import CREATE, Payment, bare_reference
from orchestrator.ports import ProviderRequest
from orchestrator.sighting import (
    REQUIRES_ACTION,
    TARGETS,
    Sighting,
    Source,
    Target,
)
from orchestrator.statuses import Reason, Review, Stage, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.policy import Policy

# The provider's own rule, which refuses most Australian addresses; ours to check before sending (D-11, T-32).
EMAILS = re.compile(r"([a-z0-9_\-.]+)@([a-z]+)\.([a-z]+)")

_MONEY_IS_IN = Target(column=Stage.AWAIT, status=Status.PROCESSING, reason=Reason.AWAITING_PROVIDER, ends_action=True)
_PENDING_STAGES: dict[str, tuple[Target, tuple[Review, ...]]] = {
    "underpaid": (REQUIRES_ACTION, (Review.UNDERPAID,)),
    "overpaid": (_MONEY_IS_IN, (Review.OVERPAID,)),
    "unmatched_nonce": (_MONEY_IS_IN, (Review.UNMATCHED_NONCE,)),
}


def emails_of(terms: Mapping[str, Any]) -> list[str]:
    """Whom the provider mails: the method's list, else the customer's address."""
    given: list[str] = terms["method"].get("emails") or [terms["customer"]["email"]]
    return given


def is_email_supported(email: str) -> bool:
    """Whether the provider takes this address; the whole text must match, a final line break does not."""
    return EMAILS.fullmatch(email) is not None


def create_request(payment: Payment, notification: Notification, _: Dialect = DIALECT) -> ProviderRequest:
    """`POST /v1/merchants/create_payment`: major units of AUD, tax excluded (T-06)."""
    body: dict[str, object] = {
        "name": full_name(payment),
        "gst": bool(terms_of(payment).get("gst")),
        "amount": to_major(payment.amount_minor or 0, payment.currency),
        "description": payment.terms["description"],
        "emails": ",".join(emails_of(payment.terms)),
        "external_id": payment.key.intent_id,
        "payment_request_notification": notification.body(),
    }
    if payment.expires_at_ms is not None:
        moment = datetime.fromtimestamp(payment.expires_at_ms // 1000, tz=UTC)
        body["expired_at"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return ProviderRequest(
        operation=CREATE, credentials=payment.credentials, method="POST", path="/v1/merchants/create_payment", body=body
    )


def status_request(payment: Payment, dialect: Dialect = DIALECT) -> ProviderRequest:
    """`GET /v1/payment_requests/status?id=`."""
    return ProviderRequest(
        operation="read",
        credentials=payment.credentials,
        method="GET",
        path=dialect.payid_status_path,
        query=(("id", bare_reference(payment.reference) or ""),),
    )


@hears_refunds
def interpret(
    payment: Payment,
    body: object,
    *,
    source: Source,
    operation: str | None = None,
    allow_http: bool = False,
    dialect: Dialect = DIALECT,  # noqa: ARG001 - one signature for all flows
) -> Sighting:
    """A PayID object as a sighting. It holds no paid amount: only the stage tells of short or surplus money."""
    found = unwrap(body)
    reference, word = (text(found.get("id")), status_word(found.get("status"))) if found else (None, None)
    if found is None or reference is None or word is None:
        return _as_payin(payment, body, source=source, operation=operation, allow_http=allow_http)
    stage = _stage(payment, found)
    target, review = _target(word, stage)
    amounts = amounts_in(payment, {**found, "paid_amount": None}, read=major_reader(payment.currency))
    known = described(
        payment,
        found,
        reference=f"payid:{reference}",
        own_id="external_id",
        amounts=amounts,
        source=source,
        operation=operation,
    )
    return replace(
        known,
        provider_stage=stage,
        target=target,
        next_action=_action(found, amounts.total_minor),
        refunded_minor=refunded_in(found, read=major_reader(payment.currency)),
        expires_at_ms=_deadline_ms(found),
        review=review,
    )


def _as_payin(payment: Payment, body: object, *, source: Source, operation: str | None, allow_http: bool) -> Sighting:
    """The second read path answers in the words of payins, its uuid being our id."""
    sighting = payin.interpret(payment, body, source=source, operation=operation, allow_http=allow_http)
    if not sighting.usable or sighting.reference is None:
        return sighting
    reference = f"payid:{bare_reference(sighting.reference)}"
    if sighting.provider_status != "pending":
        return replace(sighting, reference=reference, paid_minor=None)
    target, review = _target("pending", _stage(payment, {}))
    return replace(sighting, reference=reference, paid_minor=None, target=target, review=review, provider_stage=None)


def _stage(payment: Payment, found: Mapping[str, Any]) -> str | None:
    """The stage that is told; where none is told at all, the stored one stands (T-18)."""
    return status_word(found.get("stage")) if "stage" in found else payment.provider_stage


def _target(word: str, stage: str | None) -> tuple[Target | None, tuple[Review, ...]]:
    if word != "pending":
        return TARGETS.get(word), ()
    return _PENDING_STAGES.get(stage or "", (REQUIRES_ACTION, ()))


def _action(found: Mapping[str, Any], total_minor: int | None) -> Mapping[str, Any] | None:
    payid = text(found.get("request_payid"))
    if payid is None:
        return None
    deadline = _deadline_ms(found)
    until = datetime.fromtimestamp(deadline / 1000, tz=UTC).isoformat(timespec="seconds") if deadline else None
    return {
        "type": "payid",
        "request_payid": payid,
        "total_minor": total_minor,
        "pay_by": until.replace("+00:00", "Z") if until else None,
    }


def _deadline_ms(found: Mapping[str, Any]) -> int | None:
    """The earlier of the two deadlines the provider names."""
    named = [moment for moment in (time_ms(found.get("pay_by")), time_ms(found.get("expired_at"))) if moment]
    return min(named, default=None)


def _mails_only_us(payment: Payment, policy: Policy) -> bool:
    """The provider mails each PayID to its payer: a second one is harmless only in the merchant's own mailbox."""
    return set(emails_of(payment.terms)) <= policy.payid_own_mailboxes


PAYID = Flow(
    name="payid",
    create=create_request,
    interpret=interpret,
    refund=payid_refund,
    reads=(status_request, payin.detail_request),
    recreates=_mails_only_us,
)
