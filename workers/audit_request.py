"""An audit as a person asks for it: what is looked at, and whether the provider is asked too."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.identity import DEFAULT_MERCHANT, PaymentKey
from workers.moments import moment_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """Which payments are looked at; None is no limit."""

    payment: PaymentKey | None = None
    merchant: str | None = None
    since_ms: int | None = None  # accepted then or later

    def takes(self, key: PaymentKey) -> bool:
        """Whether this is one of them, as far as its key tells."""
        return self.payment in {None, key} and self.merchant in {None, key.merchant}


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRequest:
    """The options of `payorch audit`, and the arguments of the task `payments.audit`."""

    intent: str | None = None  # intent_id or merchant/intent_id
    merchant: str | None = None
    since: str | None = None  # RFC 3339, or an age such as 2h
    provider: bool = False

    def chosen(self, *, now_ms: int) -> Chosen:
        """What is meant at this moment; raises ValueError with a sentence where that is nothing."""
        since_ms = None if self.since is None else moment_ms(self.since, now_ms=now_ms)
        return Chosen(payment=self._payment(), merchant=self.merchant, since_ms=since_ms)

    def _payment(self) -> PaymentKey | None:
        if self.intent is None:
            return None
        if "/" in self.intent:
            return PaymentKey.parse(self.intent)
        return PaymentKey(merchant=self.merchant or DEFAULT_MERCHANT, intent_id=self.intent)
