"""The composition root: settings become ports, ports become an engine. The only reader of `config`."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from config.logging import configure_logging
from config.merchants import Limits, Merchant, Poll, load_merchants
from config.settings import Settings, SettingsError, load_settings
from orchestrator.adapters.access_tokens import TokenCall
from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.hello_clever import CallTimeouts, Credentials, HelloClever
from orchestrator.adapters.redis_audit import RedisAudit
from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_limiter import RedisLimiter
from orchestrator.adapters.redis_store import RedisStore, tell_nobody
from orchestrator.adapters.store_clock import StoreClock
from orchestrator.dialect import Dialect
from orchestrator.engine import Engine
from orchestrator.flows import FLOWS
from orchestrator.flows.methods import PAYIN_METHODS, PayinMethod
from orchestrator.identity import DEFAULT_MERCHANT
from orchestrator.policy import Looks, Policy, Schedule
from orchestrator.retention import Retention
from orchestrator.rules import IntakeRules, credentials_name
from orchestrator.webhook_auth import WebhookAuth
from workers.merchants import Merchants, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import SecretStr

    from orchestrator.ports import Clock, Journal

__all__ = [
    "Settings",
    "SettingsError",
    "build_engine",
    "build_settings",
    "configure_logging",
    "new_owner",
    "open_audit",
    "open_limiter",
    "open_merchants",
    "open_provider",
    "open_store",
    "policy_of",
    "retention_of",
    "rules_of",
    "terms_of",
    "webhook_auth_of",
]

DAY_S = 86_400


def build_settings() -> Settings:
    """The settings of the environment; raises SettingsError naming each variable at fault."""
    return load_settings()


def new_owner() -> str:
    """A name of this start of this process that nobody else ever has; says where it runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def build_engine(settings: Settings, *, journal: Journal, owner: str, merchants: Merchants | None = None) -> Engine:
    """Everything advance() and accept() work with; connects at the first call, on the loop that makes it."""
    clock = StoreClock()
    merchants = merchants or open_merchants(settings, journal=journal)
    return Engine(
        store=open_store(settings, tell=journal.warning),
        provider=open_provider(settings, clock=clock, credentials=merchants.credentials),
        limiter=open_limiter(settings, rate_of=merchants.rate_of),
        clock=clock,
        journal=journal,
        policy=replace(policy_of(settings), looks=merchants.looks),
        rules=rules_of(settings, merchants=merchants),
        webhooks=webhook_auth_of(settings),
        namespace=settings.namespace,
        owner=owner,
    )


def open_store(settings: Settings, *, tell: Callable[..., None] = tell_nobody) -> RedisStore:
    """The store at PAYORCH_REDIS_URL; `tell` hears of what somebody on call must know."""
    return RedisStore(connect(settings.redis_url), namespace=settings.namespace, shards=settings.shards, tell=tell)


def open_audit(settings: Settings) -> RedisAudit:
    """Where is kept what people do by hand, beside the state."""
    return RedisAudit(connect(settings.redis_url), namespace=settings.namespace)


def open_merchants(settings: Settings, *, journal: Journal) -> Merchants:
    """Who may be paid here; reads the file again when it changes."""
    return Merchants(lambda: terms_of(settings), file=settings.merchants_file, rate=rate_of(settings), journal=journal)


def open_limiter(settings: Settings, *, rate_of: Callable[[str], CallRate] | None = None) -> RedisLimiter:
    """The limit shared by all workers, kept beside the state; without rates of merchants, for looking and pausing."""
    everybodys = _rate(settings, Limits())
    return RedisLimiter(
        connect(settings.redis_url),
        namespace=settings.namespace,
        rate_of=rate_of or (lambda _: everybodys),
        held_ms=_ms(settings.call_timeout_total_s + settings.lease_s),
    )


def rate_of(settings: Settings) -> CallRate:
    """The limit of a merchant that has none of its own."""
    return _rate(settings, Limits())


def _rate(settings: Settings, own: Limits) -> CallRate:
    return CallRate(
        rate_per_s=own.rate_rps or settings.rate_rps,
        burst=own.burst or settings.rate_burst,
        max_concurrency=own.max_concurrency or settings.rate_max_concurrency,
    )


def open_provider(
    settings: Settings, *, clock: Clock, credentials: Mapping[str, Credentials] | None = None
) -> HelloClever:
    """The provider with the credentials of every merchant, by default those of now."""
    return HelloClever(
        base_url=settings.provider_base_url,
        credentials=credentials_of(settings) if credentials is None else credentials,
        clock=clock,
        timeouts=CallTimeouts(
            connect_s=settings.call_timeout_connect_s,
            read_s=settings.call_timeout_read_s,
            total_s=settings.call_timeout_total_s,
        ),
        max_connections=settings.concurrency,
        token_call=TokenCall(
            path=_path(settings.provider_path_access_token),
            method=settings.provider_access_token_method,
            header=settings.provider_access_token_header,
            margin_s=settings.provider_access_token_margin_s,
        ),
        body_cap_bytes=settings.provider_body_cap_bytes,
        extra_ca_file=Path(settings.provider_ca_file) if settings.provider_ca_file else None,
        plain_http=settings.provider_base_url.startswith("http://"),
    )


def terms_of(settings: Settings) -> Terms:
    """What the settings and the merchants file say now; raises ValueError with a sentence that shows no value."""
    merchants = _merchants_of(settings)
    pairs = credentials_of(settings)
    return Terms(
        names=frozenset({DEFAULT_MERCHANT, *merchants}),
        credentials=pairs,
        rates={name: _rate(settings, merchant.limits) for name, merchant in merchants.items()},
        looks={
            name: _looks(settings, merchant.poll) for name, merchant in merchants.items() if merchant.poll != Poll()
        },
    )


def _merchants_of(settings: Settings) -> Mapping[str, Merchant]:
    file = settings.merchants_file
    return load_merchants(file, default_app_id=settings.provider_app_id) if file else {}


def _looks(settings: Settings, own: Poll) -> Looks:
    return Looks(
        waiting=Schedule(gaps_s=own.schedule_s or settings.poll_schedule_s, then_s=own.tail_s or settings.poll_tail_s),
        daily=Schedule(gaps_s=(), then_s=own.slow_s or settings.poll_slow_s),
    )


def credentials_of(settings: Settings) -> dict[str, Credentials]:
    """Every pair of keys by its name: the merchant's, or `merchant:CURRENCY` where the provider gave one for it."""
    merchants = _merchants_of(settings)
    pairs = {DEFAULT_MERCHANT: _pair(settings.provider_app_id, settings.provider_secret_key)}
    for name, merchant in merchants.items():
        if merchant.app_id is not None and merchant.secret_key is not None:
            pairs[name] = _pair(merchant.app_id, merchant.secret_key)
        for currency, pair in merchant.currencies.items():
            pairs[credentials_name(name, currency)] = _pair(pair.app_id, pair.secret_key)
    return pairs


def policy_of(settings: Settings) -> Policy:
    """The engine's numbers."""
    return Policy(
        lease_ms=_ms(settings.lease_s),
        call_total_ms=_ms(settings.call_timeout_total_s),
        grace_ms=_ms(settings.in_doubt_grace_s),
        recreated_flows=frozenset(settings.in_doubt_recreate),
        payid_own_mailboxes=frozenset(settings.payid_own_mailboxes),
        scan_window_ms=_ms(settings.in_doubt_window_s),
        in_doubt_aged_ms=_ms(settings.in_doubt_max_age_s),
        stale_after_ms={"card": _ms(settings.stale_card_s), "payin": _ms(settings.stale_payin_s)},
        pay_code_overdue_ms=_ms(settings.pay_code_overdue_s),
        polling=settings.polling == "on",
        waiting=Schedule(gaps_s=settings.poll_schedule_s, then_s=settings.poll_tail_s),
        daily=Schedule(gaps_s=(), then_s=settings.poll_slow_s),
        tail_ms=_ms(settings.poll_after_expiry_s),
        link_ttl_ms=_ms(settings.gateway_link_ttl_s),
        unauthorised_pause_ms=_ms(settings.unauthorised_pause_s),
        confirm_success_by_read=settings.confirm_success_by_read,
        waiting_is_success=settings.waiting_is_success,
        dialect=dialect_of(settings),
        authorisation_aged_ms=_ms(settings.card_authorisation_alert_s),
        allow_http_actions=settings.allow_http_actions,
        looks=terms_of(settings).looks,
    )


def retention_of(settings: Settings) -> Retention:
    """How long payments and their ids are kept."""
    return Retention(payment_ms=_ms(settings.retention_days * DAY_S), id_ms=_ms(settings.id_memory_days * DAY_S))


def dialect_of(settings: Settings) -> Dialect:
    """How the provider is spoken to where its pages leave it open."""
    return Dialect(
        card_capture_path=_path(settings.provider_path_card_capture),
        payid_status_path=_path(settings.provider_path_payid_status),
        reads={flow: getattr(settings, f"provider_reads_{flow}") for flow in FLOWS},
        not_found_http=frozenset(settings.provider_not_found_http),
        card_request_unit=settings.card_request_amount_unit,
        card_response_unit=settings.card_response_amount_unit,
        card_refund_unit=settings.card_refund_amount_unit,
        card_waiting_with_3ds=settings.card_waiting_with_3ds,
        card_captures_itself=settings.card_capture_mode == "auto",
        gst_default=settings.gst_default,
        gateway_currency=settings.gateway_currency,
    )


def rules_of(settings: Settings, *, merchants: Merchants | None = None) -> IntakeRules:
    """What the configuration says of new intents, by default with the merchants of now."""
    terms = terms_of(settings)
    extra = (name.partition(":") for name in settings.payin_methods_extra)
    return IntakeRules(
        merchants=terms.names if merchants is None else merchants,
        credentials=frozenset(terms.credentials) if merchants is None else merchants.credentials,
        flows=frozenset(FLOWS),
        payin_methods=PAYIN_METHODS | {name: PayinMethod(name=name, currency=currency) for name, _, currency in extra},
        whole_unit_currencies=frozenset(settings.whole_unit_currencies),
        gateway_currency=settings.gateway_currency,
        payid_lower_case_emails=settings.payid_lower_case_emails,
        payid_fallback_email=settings.payid_fallback_email,
    )


def webhook_auth_of(settings: Settings) -> WebhookAuth:
    """Signs the webhooks' addresses with the first secret, verifies with all."""
    secrets = tuple(secret.get_secret_value() for secret in settings.webhook_secrets)
    return WebhookAuth(settings.webhook_base_url, secrets)


def _path(configured: str) -> str:
    """A path as requests name it: without the `/api` that the adapter puts before each."""
    return configured.removeprefix("/api")


def _pair(app_id: str, secret_key: SecretStr) -> Credentials:
    return Credentials(app_id=app_id, secret_key=secret_key.get_secret_value())


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
