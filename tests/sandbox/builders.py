"""Bodies that the provider's pages would accept."""

from __future__ import annotations

from sandbox.methods import METHODS

APP, SECRET = "app-one", "secret-one"
OTHER_APP, OTHER_SECRET = "app-two", "secret-two"
CREDENTIALS = {APP: SECRET, OTHER_APP: OTHER_SECRET}
# For tests which do not listen: nothing is sent as long as the clock is not pushed.
NOWHERE = {"endpoint_url": "http://127.0.0.1:9/webhooks", "authorization_header": "nobody listens"}


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


def payid_body(**changes) -> dict:
    return {
        "name": "John Doe",
        "gst": False,
        "amount": 100,
        "description": "Payment for invoice #1234",
        "emails": "customer@example.com",
        "external_id": "order-1",
        "payment_request_notification": NOWHERE,
        **changes,
    }


def link_body(**changes) -> dict:
    return {
        "order_id": "order-1",
        "amount": 100,
        "description": "Order payment",
        "order_success_url": "https://yourserver.co/order/success",
        "payment_gateway_notification": NOWHERE,
        "order_details": order_details(),
        **changes,
    }


def order_details(**changes) -> dict:
    """The page's own example, whose items do not add up to the amount."""
    return {"billing_details": person(), "shipping_details": person(), "items": [item()], **changes}


def person(**changes) -> dict:
    return {
        "first_name": "Clever",
        "last_name": "Hello",
        "phone": "+61412345678",
        "email": "test@helloclever.co",
        "company": "Hello Clever",
        "country_code": "AU",
        "state": "NSW",
        "postal_code": "2000",
        "city": "Sydney",
        "address": "388 George Street",
        **changes,
    }


def item(**changes) -> dict:
    return {
        "id": "item-123",
        "name": "Product Name",
        "variant_id": "variant-456",
        "image_url": "https://example.com/image.jpg",
        "quantity": "2",
        "price": "25.00",
        "enable_cashback": True,
        **changes,
    }


def without(body: dict, *keys: str) -> dict:
    return {key: value for key, value in body.items() if key not in keys}
