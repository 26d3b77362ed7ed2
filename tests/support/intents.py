"""Intents as order services send them, one builder for each kind of flow and action."""

from __future__ import annotations

import uuid
from typing import Any

CUSTOMER = {"name": "Ada Lovelace", "email": "ada@example.com"}


def intent_id(word: str = "ord") -> str:
    """An id that no other test has."""
    return f"{word}-{uuid.uuid4().hex[:12]}"


def payin(name: str = "ph_bank_maya_php", /, **fields: Any) -> dict[str, Any]:
    """A payin: by default one with a redirect."""
    currency, amount_minor, params = METHODS[name]
    return {
        "intent_id": intent_id("payin"),
        "amount_minor": amount_minor,
        "currency": currency,
        "description": "One order",
        "customer": CUSTOMER,
        "method": {"payin_method_name": name, "payin_method_params": params},
    } | fields


def card(token: str = "tok_canary3ds", /, **fields: Any) -> dict[str, Any]:
    """A card payment with 3DS and automatic capture, unless the token says otherwise."""
    return {
        "intent_id": intent_id("card"),
        "amount_minor": 10000,
        "currency": "AUD",
        "description": "One order",
        "method": {"token": token, "return_url": "https://shop.example/back"},
    } | fields


def mobile_money(**fields: Any) -> dict[str, Any]:
    """A payin that asks for a one-time code."""
    method = {"payin_method_name": "gh_mobile_money_ghs", "payin_method_params": {"account_number": "0551234567"}}
    return payin() | {"amount_minor": 12000, "currency": "GHS", "method": method} | fields


def payid(**fields: Any) -> dict[str, Any]:
    """A one-time PayID."""
    return {
        "intent_id": intent_id("payid"),
        "amount_minor": 10000,
        "currency": "AUD",
        "description": "One order",
        "customer": CUSTOMER,
        "method": {"type": "payid"},
    } | fields


def gateway_link(**fields: Any) -> dict[str, Any]:
    """A hosted checkout."""
    return {
        "intent_id": intent_id("link"),
        "amount_minor": 10000,
        "currency": "AUD",
        "description": "One order",
        "customer": PAYER,
        "method": {"success_url": "https://shop.example/thanks"},
    } | fields


PAYER = CUSTOMER | {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "+61400000000",
    "country_code": "AU",
    "postal_code": "2000",
    "city": "Sydney",
    "address": "1 Sample Street",
}


# Method -> currency, amount, params: a redirect, a QR, bank details, a pay code that comes later.
METHODS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "ph_bank_maya_php": ("PHP", 50000, {}),
    "vn_other_vietqr_vnd": ("VND", 500000, {}),
    "ng_bank_ngn": ("NGN", 250000, {}),
    "jp_bank_jpy": (
        "JPY",
        500,
        {"user_id": "u1", "ip_address": "203.0.113.7", "first_name": "Ada", "last_name": "Lovelace"},
    ),
}
