"""A merchant with many payments due and hardly any calls does not slow another one down (I9)."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from tests.support.intents import payin
from tests.support.pace import slowness
from tests.support.process import wait_for

DUE = 20_000
ASKED = 100
FILE = """
[merchants.full]
app_id = "app-full"
secret_key = "canary-secret-of-full"
[merchants.full.limits]
rate_rps = 1
burst = 1
"""


@pytest.fixture
def stack(own_stack, tmp_path):
    file = tmp_path / "merchants.toml"
    file.write_text(FILE)
    sandbox = {"credentials": "app-full:canary-secret-of-full"}
    return own_stack(settings={"merchants_file": str(file), "polling": "off"}, sandbox=sandbox)


def delays_s(stack, count=ASKED):
    """From an intent's submission until its create is at the provider, one intent after the other, sorted."""
    sent = {}
    for _ in range(count):
        intent = payin()
        sent[intent["intent_id"]] = time.time()
        stack.submit(intent)
        time.sleep(0.03)
    stack.wait_created(sent, within_s=60)
    asked = {row["external_id"]: datetime.fromisoformat(row["at"]).timestamp() for row in stack.desk.requests()}
    return sorted(asked[intent_id] - at_s for intent_id, at_s in sent.items())


def due(stack):
    return sum(stack.redis.zcard(name) for name in stack.redis.scan_iter("payorch:{s*}:due:full", count=1000))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_i9_twenty_thousand_due_payments_of_one_merchant_do_not_slow_another(stack, record_property):
    alone = delays_s(stack)
    for _ in range(DUE // 1000):
        stack.submit(*(payin(merchant="full") for _ in range(1000)))
    wait_for(lambda: due(stack) >= DUE - 100, within_s=240, what=stack.tails)
    calls, began_s = len(stack.desk.requests(app_id="app-full")), time.monotonic()

    beside = delays_s(stack)

    calls = len(stack.desk.requests(app_id="app-full")) - calls
    period_s = time.monotonic() - began_s
    figures = {
        f"p{share}_{name}_s": round(delays[len(delays) * share // 100], 3)
        for name, delays in (("alone", alone), ("beside", beside))
        for share in (50, 99)
    }
    for name, value in figures.items():
        record_property(name, value)
    assert figures["p99_beside_s"] <= max(3 * figures["p99_alone_s"], 2.0 * slowness()), figures
    assert calls <= period_s + 2
