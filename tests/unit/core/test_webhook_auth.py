from __future__ import annotations

import base64
import hashlib
import hmac

from orchestrator.identity import PaymentKey
from orchestrator.webhook_auth import WebhookAuth, authorization

KEY = PaymentKey(merchant="shop-a", intent_id="ord-1")


def by_hand(secret: str, text: str) -> str:
    """The formula of interface 3, written out once more."""
    key = secret.encode("utf-8")
    mac = hmac.new(key, text.encode("utf-8"), hashlib.sha256).digest()
    encoded = base64.b64encode(mac).decode().replace("+", "-").replace("/", "_").rstrip("=")
    return "po1." + hashlib.sha256(key).hexdigest()[0:8] + "." + encoded


def test_the_authorization_is_the_formula_of_the_interface():
    assert authorization("sécret", KEY, 1) == by_hand("sécret", "po1/shop-a/ord-1/1")
    assert authorization("s2", KEY, 12) == by_hand("s2", "po1/shop-a/ord-1/12")


def test_the_first_secret_signs_and_the_address_names_payment_and_attempt():
    given = WebhookAuth("https://hooks.example/", ("new", "old")).notification(KEY, 2)
    assert given.endpoint_url == "https://hooks.example/webhooks/hello-clever/shop-a/ord-1/2"
    assert given.authorization == by_hand("new", "po1/shop-a/ord-1/2")
    assert given.body() == {"endpoint_url": given.endpoint_url, "authorization_header": given.authorization}


def test_all_secrets_verify_while_they_are_rotated():
    auth = WebhookAuth("https://hooks.example", ("new", "old"))
    assert auth.verifies(KEY, 1, authorization("new", KEY, 1))
    assert auth.verifies(KEY, 1, authorization("old", KEY, 1))
    assert not auth.verifies(KEY, 1, authorization("older", KEY, 1))


def test_it_verifies_for_its_own_payment_and_attempt_only():
    auth = WebhookAuth("https://hooks.example", ("new",))
    header = authorization("new", KEY, 1)
    assert not auth.verifies(KEY, 2, header)
    assert not auth.verifies(PaymentKey(merchant="shop-b", intent_id="ord-1"), 1, header)
    assert not auth.verifies(PaymentKey(merchant="shop-a", intent_id="ord-2"), 1, header)


def test_nothing_else_verifies():
    auth = WebhookAuth("https://hooks.example", ("new",))
    header = authorization("new", KEY, 1)
    for wrong in ("", "****", "po1..", header + "=", header[:-1], f"Bearer {header}", header.upper(), "\udcff"):
        assert not auth.verifies(KEY, 1, wrong)


def test_i8_secrets_do_not_show_in_a_repr():
    assert "new-secret" not in repr(WebhookAuth("https://hooks.example", ("new-secret",)))
