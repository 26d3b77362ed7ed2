"""Bodies that the provider's pages would accept."""

from __future__ import annotations

from sandbox.methods import METHODS

APP, SECRET = "app-one", "secret-one"
OTHER_APP, OTHER_SECRET = "app-two", "secret-two"
CREDENTIALS = {APP: SECRET, OTHER_APP: OTHER_SECRET}


def payin_body(method: str = "ph_ewallet_gcash_php", **changes) -> dict:
    params = {name: 100 if name == "original_amount" else "0001" for name in METHODS[method].params[0]}
    return {
        "currency": METHODS[method].currency,
        "gst": False,
        "amount": 500,
        "name": "Hello Clever",
        "email": "test@helloclever.co",
        "external_id": "order-1",
        "description": "Test Payin",
        "payin_method_name": method,
        "payin_method_params": params,
        **changes,
    }


def card_body(**changes) -> dict:
    return {
        "amount": 1000,
        "currency": "USD",
        "token": {"id": "tok_dfe1988a1ffc0d6562d3", "type": "card"},
        "external_id": "order-1",
        "return_url": "https://example.com",
        **changes,
    }


def without(body: dict, *keys: str) -> dict:
    return {key: value for key, value in body.items() if key not in keys}
