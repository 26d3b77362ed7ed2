"""The rules of a new intent that depend on the clock or the configuration (interface 1)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from orchestrator.errors import RefusedError
from orchestrator.flows.methods import PAYIN_METHODS, PayinMethod
from orchestrator.flows.payid import is_email_supported
from orchestrator.intent import CardMethod, PayidMethod, PayinMethodTerms
from orchestrator.money import EXPONENTS

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Mapping
    from datetime import datetime

    from orchestrator.intent import PaymentIntent

CREDENTIALS_SEPARATOR = ":"
EXPIRY_AHEAD_MIN = {"payin": timedelta(minutes=20), "payid": timedelta(minutes=20)}


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeRules:
    """What the configuration says of new intents."""

    merchants: Collection[str]
    credentials: Container[str] = frozenset()  # names of credential sets, those by currency too
    flows: frozenset[str]
    payin_methods: Mapping[str, PayinMethod] = dataclasses.field(default_factory=lambda: PAYIN_METHODS)
    whole_unit_currencies: frozenset[str] = frozenset({"VND", "JPY", "XAF", "XOF", "KRW", "IDR"})
    check_method_params: bool = True
    gateway_currency: str = "AUD"
    payid_lower_case_emails: bool = False
    payid_fallback_email: str | None = None


def credentials_name(merchant: str, currency: str) -> str:
    """The name of the credential set that a provider gave a merchant for one currency."""
    return f"{merchant}{CREDENTIALS_SEPARATOR}{currency}"


def credentials_for(intent: PaymentIntent, *, rules: IntakeRules) -> str:
    """The set that creates this payment, and reads it for ever (T-39)."""
    by_currency = credentials_name(intent.merchant, intent.currency)
    return by_currency if by_currency in rules.credentials else intent.merchant


def check_rules(intent: PaymentIntent, *, rules: IntakeRules, now: datetime) -> None:
    """Raise RefusedError where a new intent breaks a rule of the clock or the configuration."""
    if intent.merchant not in rules.merchants:
        raise RefusedError("unknown_merchant", f"merchant {intent.merchant!r} is not configured.", field="merchant")
    if intent.flow not in rules.flows:
        raise RefusedError("unsupported_flow", f"The flow {intent.flow} is not available here.", field="method.type")
    only = {"payid": "AUD", "gateway_link": rules.gateway_currency}.get(intent.flow, intent.currency)
    if intent.currency != only:
        raise RefusedError("currency_not_supported", f"{intent.flow} takes {only} only.", field="currency")
    _check_expiry(intent, now)
    _check_whole_units(intent, rules)
    if isinstance(intent.method, PayinMethodTerms):
        _check_payin(intent, intent.method, rules)
    if isinstance(intent.method, PayinMethodTerms | PayidMethod) and intent.method.gst and intent.currency != "AUD":
        raise RefusedError("gst_not_allowed", "method.gst may be true for AUD only.", field="method.gst")
    if isinstance(intent.method, CardMethod) and intent.currency == "USDC":
        raise RefusedError("currency_not_supported", "A card is charged in an ISO 4217 currency.", field="currency")


def _check_expiry(intent: PaymentIntent, now: datetime) -> None:
    ahead = EXPIRY_AHEAD_MIN.get(intent.flow, timedelta(0))
    if intent.expires_at is not None and intent.expires_at <= now + ahead:
        minutes = int(ahead.total_seconds() // 60)
        right = f"more than {minutes} minutes ahead" if minutes else "in the future"
        raise RefusedError("expires_too_soon", f"expires_at must be {right}.", field="expires_at")


def _check_whole_units(intent: PaymentIntent, rules: IntakeRules) -> None:
    exponent = EXPONENTS[intent.currency]
    if intent.amount_minor and intent.currency in rules.whole_unit_currencies and intent.amount_minor % 10**exponent:
        raise RefusedError(
            "amount_not_whole",
            f"amount_minor must be whole {intent.currency}: a multiple of {10**exponent}; nothing is rounded.",
            field="amount_minor",
        )


def _check_payin(intent: PaymentIntent, terms: PayinMethodTerms, rules: IntakeRules) -> None:
    method = rules.payin_methods.get(terms.payin_method_name)
    if method is None:
        raise RefusedError(
            "unknown_method",
            f"payin_method_name {terms.payin_method_name!r} is not known; configured methods can be added.",
            field="method.payin_method_name",
        )
    if intent.currency != method.currency:
        raise RefusedError(
            "currency_not_supported",
            f"{method.name} takes {method.currency}, not {intent.currency}.",
            field="currency",
        )
    if rules.check_method_params:
        _check_params(terms, method)


def _check_params(terms: PayinMethodTerms, method: PayinMethod) -> None:
    for name, kind in method.required.items():
        value = terms.payin_method_params.get(name)
        where = f"method.payin_method_params.{name}"
        if value is None or value == "":
            raise RefusedError("missing_field", f"{where} is required for {method.name}.", field=where)
        if not isinstance(value, kind) or isinstance(value, bool):
            expected = "a string" if kind is str else "an integer"
            raise RefusedError("wrong_type", f"{where} must be {expected}.", field=where)


def payid_emails(intent: PaymentIntent, *, rules: IntakeRules) -> list[str]:
    """Whom the provider may mail about a PayID: addresses that pass its own rule (D-11).

    Nothing is dropped from an address to make it fit: it would be another person's. Lower case and a mailbox of
    the merchant's instead are settings. Raises RefusedError email_unsupported_by_provider.
    """
    if not isinstance(intent.method, PayidMethod):
        return []
    listed = intent.method.emails or [intent.customer.email or ""]
    emails = [email.lower() if rules.payid_lower_case_emails else email for email in listed]
    wrong = next((position for position, email in enumerate(emails) if not is_email_supported(email)), None)
    if wrong is None:
        return emails
    if rules.payid_fallback_email:
        return [rules.payid_fallback_email]
    field = f"method.emails.{wrong}" if intent.method.emails else "customer.email"
    raise RefusedError(
        "email_unsupported_by_provider",
        f"{field} is not taken by the provider: lower case letters, digits and _-. before the @, then exactly two "
        "labels of letters (customer@example.com). Give method.emails with a mailbox that passes.",
        field=field,
    )
