from __future__ import annotations

import hashlib

import pytest

from orchestrator.identity import PaymentKey, fingerprint, shard_of


# CRC-16/XMODEM, computed elsewhere; the check value of "123456789" is 0x31C3.
@pytest.mark.parametrize(
    ("merchant", "intent_id", "crc"),
    [
        ("default", "ord-1001", 57738),
        ("shop-a", "ord-1001", 37731),
        ("default", "o1", 58556),
        ("default", "A_b-9", 14798),
    ],
)
def test_the_shard_is_the_crc_of_the_key_for_ever(merchant, intent_id, crc):
    key = PaymentKey(merchant=merchant, intent_id=intent_id)
    assert shard_of(key, shards=65536) == crc
    assert shard_of(key, shards=64) == crc % 64


def test_a_key_reads_back_from_its_text():
    key = PaymentKey(merchant="shop-a", intent_id="o_1-X")
    assert PaymentKey.parse(str(key)) == key
    with pytest.raises(ValueError, match="merchant/intent_id"):
        PaymentKey.parse("no-slash")


def test_the_fingerprint_is_sha_256_of_the_canonical_object():
    canonical = '{"a":{"x":"é","y":[1,2]},"merchant":"default"}'
    expected = hashlib.sha256(canonical.encode()).hexdigest()
    assert fingerprint({"a": {"y": [1, 2], "x": "é"}}) == expected


@pytest.mark.parametrize(
    "same",
    [
        {"intent_id": "o", "merchant": "default", "method": {"token": "t", "capture": "manual"}},
        {"method": {"capture": "manual", "token": "t"}, "intent_id": "o"},
        {"intent_id": "o", "merchant": None, "method": {"token": "t", "capture": "manual", "gone": None}},
        {"intent_id": "o", "expires_at": None, "method": {"token": "t", "capture": "manual"}},
    ],
)
def test_key_order_nulls_and_the_default_merchant_make_no_other_content(same):
    assert fingerprint(same) == fingerprint({"intent_id": "o", "method": {"token": "t", "capture": "manual"}})


@pytest.mark.parametrize(
    "other",
    [
        {"intent_id": "o", "amount_minor": 2},
        {"intent_id": "o", "amount_minor": "1"},
        {"intent_id": "o", "amount_minor": 1, "merchant": "shop-a"},
        {"intent_id": "o", "amount_minor": 1, "metadata": {}},
        {"intent_id": "p", "amount_minor": 1},
    ],
)
def test_any_other_content_has_another_fingerprint(other):
    assert fingerprint(other) != fingerprint({"intent_id": "o", "amount_minor": 1})


def test_the_order_of_a_list_is_content():
    assert fingerprint({"emails": ["a", "b"]}) != fingerprint({"emails": ["b", "a"]})
