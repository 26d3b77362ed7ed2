from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.codec import SCHEMA, decode, encode
from orchestrator.errors import StoreCorruptError
from orchestrator.identity import PaymentKey
from orchestrator.money import AMOUNT_MAX
from orchestrator.payment import CAPTURE, CREATE, Claimed, Operation, OperationState, Payment
from orchestrator.statuses import Reason, Review, Status
from tests.unit.core.building import card_intent, created

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MOMENTS = st.integers(0, 2**45)
AMOUNTS = st.integers(0, AMOUNT_MAX)
OBJECTS = st.dictionaries(TEXTS, TEXTS | st.integers() | st.booleans() | st.none(), max_size=3)
REASONS = st.none() | st.sampled_from(Reason)
STATUSES = st.sampled_from(Status)


def operations(name: str) -> st.SearchStrategy[Operation]:
    return st.builds(
        Operation,
        name=st.just(name),
        state=st.sampled_from(OperationState),
        attempt=st.integers(1, 3),
        at_ms=MOMENTS,
        deadline_ms=st.none() | MOMENTS,
        not_before_ms=MOMENTS,
        unsent=st.integers(0, 9),
        reference=st.none() | TEXTS,
        looks=st.integers(0, 9),
    )


PAYMENTS = st.builds(
    Payment,
    key=st.builds(
        PaymentKey,
        merchant=st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True),
        intent_id=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    ),
    flow=st.sampled_from(["card", "payin"]),
    terms=OBJECTS,
    amount_minor=st.none() | AMOUNTS,
    currency=st.sampled_from(["AUD", "USDC"]),
    credentials=TEXTS,
    accepted_at_ms=MOMENTS,
    send_before_ms=MOMENTS,
    expires_at_ms=st.none() | MOMENTS,
    status=STATUSES,
    reason=REASONS,
    since_ms=MOMENTS,
    operations=st.fixed_dictionaries({CREATE: operations(CREATE)}, optional={CAPTURE: operations(CAPTURE)}),
    total_minor=st.none() | AMOUNTS,
    paid_minor=AMOUNTS,
    refunded_minor=AMOUNTS,
    customer_paid=st.booleans(),
    settled=st.booleans(),
    next_action=st.none() | OBJECTS,
    failure=st.none() | OBJECTS,
    review=st.lists(st.sampled_from([str(review) for review in Review]), max_size=3).map(tuple),
    reference=st.none() | TEXTS,
    aliases=st.lists(TEXTS, max_size=2).map(tuple),
    provider_status=st.none() | TEXTS,
    provider_stage=st.none() | TEXTS,
    before_refund=st.none() | st.tuples(STATUSES, REASONS),
    claimed=st.none()
    | st.builds(
        Claimed,
        since_ms=MOMENTS,
        unusable_reads=st.integers(0, 3),
        looks=st.integers(0, 9),
        paid_minor=st.none() | AMOUNTS,
        total_minor=st.none() | AMOUNTS,
        settled=st.booleans(),
    ),
    looks=st.integers(0, 99),
    looked_at_ms=st.none() | MOMENTS,
    look_wanted=st.none() | st.integers(0, 6),
    history=st.lists(TEXTS, max_size=4).map(tuple),
)


@given(PAYMENTS)
def test_i7_a_payment_comes_back_from_its_body_exactly(payment):
    back = decode(encode(payment))
    assert back == payment
    assert type(back.status) is Status
    assert all(type(operation.state) is OperationState for operation in back.operations.values())


def test_a_stored_body_is_compressed_json_with_a_schema_and_without_defaults():
    flat = json.loads(zlib.decompress(encode(created(card_intent()))))
    assert (flat["schema"], flat["key"], flat["amount_minor"]) == (SCHEMA, "default/ord-1001", 10000)
    assert "settled" not in flat
    assert "looks" not in flat["operations"]["create"]


def test_a_body_of_a_version_without_history_can_be_read():
    assert "history" not in json.loads(zlib.decompress(encode(created(card_intent()))))
    assert decode(encode(created(card_intent()))).history == ()


def stored(**changes: object) -> bytes:
    flat = json.loads(zlib.decompress(encode(created(card_intent())))) | changes
    return zlib.compress(json.dumps(flat).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not compressed",
        zlib.compress(b"not json"),
        zlib.compress(b"[]"),
        zlib.compress(b"{}"),
        zlib.compress(b'{"schema": 1}'),
        stored(schema=SCHEMA + 1),
        stored(status="paid"),
        stored(of_a_later_version=1),
        stored(key="no-slash"),
        stored(operations={"create": {"name": "create", "state": "lost"}}),
        stored(operations=[1]),
        stored(history=1),
        encode(created(card_intent()))[:-9],
    ],
    ids=range(14),
)
def test_i9_a_body_that_cannot_be_read_is_told_by_its_own_error(body):
    with pytest.raises(StoreCorruptError):
        decode(body)
