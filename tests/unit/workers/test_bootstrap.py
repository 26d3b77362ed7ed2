"""What the settings become: credentials by currency, the provider's dialect, the engine's numbers."""

from __future__ import annotations

import pytest

from config.settings import load_settings
from workers.bootstrap import credentials_of, dialect_of, policy_of, rules_of

REQUIRED = {
    "redis_url": "redis://127.0.0.1:1/0",
    "provider_app_id": "app",
    "provider_secret_key": "CANARY",
    "webhook_base_url": "https://pay.example.com",
    "webhook_secrets": "CANARY-secret",
}


@pytest.fixture
def settings(tmp_path):
    def settings(**fields):
        return load_settings(env_file=None, **{**REQUIRED, **fields})

    return settings


def test_t39_each_currency_may_have_its_own_credentials(settings, tmp_path):
    path = tmp_path / "merchants.toml"
    path.write_text(
        '[merchants.default.currencies.JPY]\napp_id = "yen"\nsecret_key = "k1"\n'
        '[merchants.shop-2]\napp_id = "two"\nsecret_key = "k2"\n'
    )
    made = settings(merchants_file=path)
    assert {name: pair.app_id for name, pair in credentials_of(made).items()} == {
        "default": "app",
        "default:JPY": "yen",
        "shop-2": "two",
    }
    assert rules_of(made).merchants == {"default", "shop-2"}
    assert "default:JPY" in rules_of(made).credentials


def test_the_dialect_is_read_from_the_settings(settings):
    made = settings(
        provider_path_card_capture="/api/v2/cards/take",
        provider_reads_gateway_link="payid_status",
        card_capture_mode="manual",
        gst_default="true",
    )
    dialect = dialect_of(made)
    assert (dialect.card_capture_path, dialect.gst_default, dialect.card_captures_itself) == (
        "/v2/cards/take",
        True,
        False,
    )
    assert dialect.reads["gateway_link"] == ("payid_status",)
    assert dialect_of(settings()).reads["card"] == ("payin_detail", "card_payment")


def test_the_engines_numbers_are_read_from_the_settings(settings):
    policy = policy_of(settings(lease_s=2, polling="off", poll_schedule_s="1,2"))
    assert (policy.lease_ms, policy.polling, policy.waiting.gaps_s) == (2000, False, (1, 2))
