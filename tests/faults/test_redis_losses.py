"""Redis comes back without what it had confirmed, holds what nobody put there, or would throw payments away."""

from __future__ import annotations

import time

import httpx
import pytest

from orchestrator.identity import PaymentKey, shard_of
from tests.support.event_log import SHARDS, EventLogReader
from tests.support.intents import card, payin
from tests.support.process import wait_for
from workers.watchdog import LOOKS

pytestmark = pytest.mark.timeout(240)

# The last call that was on the wire at the loss has arrived so soon, and a look-up counts.
SOON = {"call_timeout_total_s": "4", "call_timeout_read_s": "3", "call_timeout_connect_s": "1", "in_doubt_grace_s": "2"}

CAPTURED_WITHIN_S = 120  # a capture that may be among what was lost waits for two reads a minute apart

BROKEN = 8  # the shard whose index of merchants is none


def forget_events(stack):
    """The event log went back as well: what was read of it says nothing any more."""
    stack.events.close()
    stack.events = EventLogReader(stack.valkey.url)


def test_i1_a_redis_that_was_emptied_is_noticed_and_nothing_that_was_sent_is_sent_again(own_stack):
    stack = own_stack(settings=SOON)
    intents = [card(), payin()]
    ids = stack.submit(*intents)
    stack.wait_status(ids, "requires_action")

    stack.redis.flushall()

    shards = {shard_of(PaymentKey(merchant="default", intent_id=each), shards=SHARDS) for each in ids}
    wait_for(lambda: stack.workers[0].output.count('"store.tail_lost"') >= len(shards), what=stack.tails)
    forget_events(stack)
    stack.submit(*intents)  # the shop heard nothing and asks again
    stack.wait_status(ids, "requires_action", within_s=40)
    new = stack.submit(payin(), card())
    stack.succeed(ids + new, within_s=CAPTURED_WITHIN_S)
    stack.judge(ids + new)
    assert stack.workers[0].is_running
    metrics = httpx.get(f"{stack.url_of(stack.workers[0])}/metrics").text
    assert f"payorch_store_tails_lost_total {len(shards)}.0" in metrics


def test_i1_what_was_sent_in_the_tail_that_a_power_failure_took_is_looked_up_and_not_sent_again(own_stack):
    stack = own_stack(settings=SOON)
    stack.sandbox.kill()
    ids = stack.submit(manual_card(), payin())
    wait_for(lambda: all(unsent(stack, each) for each in ids), what=stack.tails)
    (file,) = (stack.valkey.directory / "appendonlydir").glob("*.incr.aof")
    kept_bytes = file.stat().st_size
    stack.sandbox.start()
    stack.wait_status(ids, "requires_action", within_s=40)

    stack.valkey.kill()
    with file.open("r+b") as aof:
        aof.truncate(kept_bytes)
    stack.valkey.start()
    forget_events(stack)

    wait_for(lambda: '"store.tail_lost"' in stack.workers[0].output, what=stack.tails)
    stack.wait_status(ids, "requires_action", within_s=40)
    pay(stack, *ids)


def manual_card():
    """Its capture is nobody's concern before it is commanded."""
    return card(method=card()["method"] | {"capture": "manual"})


def pay(stack, manual, automatic):
    """Let both customers pay, and judge what became of it."""
    stack.desk.act_on_all([manual, automatic], "pay")
    stack.wait_status([manual], "requires_capture", within_s=40)
    stack.wait_status([automatic], "succeeded", within_s=40)
    stack.judge([manual, automatic])


def unsent(stack, intent_id):
    said = (line for line in stack.workers[0].output.splitlines() if intent_id in line)
    return any('"verdict": "not_executed"' in line for line in said)


def test_a_policy_that_evicts_is_told_of_while_it_lasts(own_stack):
    stack = own_stack()
    worker = stack.workers[0]
    ready = f"{stack.url_of(worker)}/readyz"

    stack.redis.config_set("maxmemory-policy", "allkeys-lru")

    wait_for(lambda: '"redis.unfit"' in worker.output, what=stack.tails)
    for url in (ready, f"{stack.web_url}/readyz"):
        answer = httpx.get(url)
        assert answer.status_code == 503
        assert "maxmemory-policy allkeys-lru" in str(answer.json()["missing"])
    assert "payorch_redis_unfit 1.0" in httpx.get(f"{stack.url_of(worker)}/metrics").text
    ids = stack.submit(payin())
    stack.wait_status(ids, "requires_action")

    stack.redis.config_set("maxmemory-policy", "noeviction")

    wait_for(lambda: '"redis.fit_again"' in worker.output, what=stack.tails)
    assert httpx.get(ready).status_code == 200


def test_i9_names_that_hold_something_else_stop_nothing_but_themselves(own_stack):
    stack = own_stack()
    poisoned = payin()
    stack.redis.sadd("payorch:{s07}:merchants", "default")
    stack.redis.set("payorch:{s07}:payment:default/poison", "x")
    stack.redis.zadd("payorch:{s07}:due:default", {"poison": 1})
    stack.redis.set(f"payorch:{{s{BROKEN:02}}}:merchants", "no set")
    for number in range(64):
        stack.redis.set(f"payorch:{{s{number:02}}}:payment:default/{poisoned['intent_id']}", "x")

    stack.submit(poisoned)
    wait_for(lambda: '"store.payment_unreadable"' in stack.output(), what=stack.tails)
    wait_for(lambda: '"store.shard_unreadable"' in stack.output(), what=stack.tails)
    wait_for(lambda: '"intake.step_failed"' in stack.output(), what=stack.tails)
    assert stack.post_webhook(poisoned["intent_id"], {"status": "received"}) == 503

    ids = stack.submit(*(payin() for _ in range(20)))
    sound = [each for each in ids if shard_of(PaymentKey(merchant="default", intent_id=each), shards=64) != BROKEN]
    stack.succeed(sound)
    stack.judge(sound)
    assert stack.workers[0].is_running


def test_a_worker_without_redis_is_not_deaf_however_long_it_takes(own_stack):
    patience_s = 10
    stack = own_stack(settings={"watchdog_s": str(patience_s)})
    stack.valkey.kill()
    time.sleep(patience_s * (1 + 5 / LOOKS))  # longer than its patience
    assert stack.workers[0].is_running

    stack.valkey.start()

    ids = stack.submit(payin())
    stack.succeed(ids)
    assert '"watchdog.silent"' not in stack.workers[0].output
