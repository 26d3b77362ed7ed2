"""Deleting what is over, on a real server: all of it goes, its id stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.store_clock import StoreClock
from orchestrator.codec import encode
from orchestrator.identity import PaymentKey
from orchestrator.ports import AcceptOutcome
from orchestrator.retention import Retention
from orchestrator.statuses import Status
from tests.unit.core.building import accepted, card_intent
from workers.retention import sweep

DAY_MS = 86_400_000
LEASE_MS = 60_000
LATER_MS = 4_000_000_000_000
RETENTION = Retention(payment_ms=90 * DAY_MS, id_ms=400 * DAY_MS)


async def put(store, key, *, owner=None, body=b"body"):
    await store.accept(
        key, op=str(key), fingerprint="print", body=body, event=b"e", due_at_ms=LATER_MS, owner=owner, lease_ms=LEASE_MS
    )
    return await store.load(key)


async def test_nothing_but_the_id_and_its_fingerprint_stays(store, redis_url, key):
    record = await put(store, key)

    assert await store.erase(record, remember_ms=400 * DAY_MS)

    assert await store.load(key) is None
    assert await store.due_at(key) is None
    assert await store.find_fingerprint(key) == "print"
    client: Any = connect(redis_url)
    async with client:
        assert [name for name in await client.keys("*") if b"payment:" in name or b"observations:" in name] == []
        assert 399 * DAY_MS < await client.pttl(f"payorch:{{s00}}:tombstone:{key}") <= 400 * DAY_MS


async def test_the_same_intent_is_known_afterwards_and_another_under_its_id_is_a_conflict(store, key):
    await store.erase(await put(store, key), remember_ms=DAY_MS)

    for fingerprint, outcome in (("print", AcceptOutcome.KNOWN), ("other", AcceptOutcome.CONFLICT)):
        answer = await store.accept(key, op="new", fingerprint=fingerprint, body=b"", event=b"", due_at_ms=0)
        assert answer.outcome is outcome
    assert await store.load(key) is None


@pytest.mark.parametrize("disturbed", ["claimed", "written", "spoken of"])
async def test_what_somebody_is_at_is_left_alone(store, key, disturbed):
    record = await put(store, key)
    if disturbed == "claimed":
        await store.claim_one(key, owner="worker", lease_ms=LEASE_MS)
    elif disturbed == "written":
        record = replace(record, version=record.version - 1)
    else:
        await store.notify(key, b"late news", op="n")

    assert not await store.erase(record, remember_ms=DAY_MS)
    assert await store.load(key) is not None


async def test_a_sweep_deletes_what_ended_long_ago_and_nothing_else(store, redis_url):
    clock = StoreClock()
    now_ms = clock.now_ms()
    ages_days = {"old": (Status.SUCCEEDED, 91), "young": (Status.SUCCEEDED, 89), "open": (Status.DISPUTED, 1000)}
    for name, (status, age_days) in ages_days.items():
        payment = accepted(card_intent(intent_id=name)).moved(status, None, now_ms=now_ms - age_days * DAY_MS)
        await put(store, payment.key, body=encode(payment))
    await put(store, PaymentKey(merchant="default", intent_id="unreadable"))

    counts = await sweep(store, clock=clock, retention=RETENTION)

    assert counts == {"deleted": 1, "kept": 2, "unreadable": 1}
    stored = {record.key.intent_id async for record in store.scan()}
    assert stored == {"young", "open", "unreadable"}
    assert (await sweep(store, clock=clock, retention=RETENTION))["deleted"] == 0
