from __future__ import annotations

import json
import time

import redis

from orchestrator.statuses import Status
from tests.integration.cli.shelf import intent

OVER = {"status": Status.FAILED, "since_ms": 1}


def test_a_payment_that_is_over_is_erased_and_audited(payorch, shelf, environment):
    shelf.put(intent(), **OVER)

    said = payorch("erase", "ord-1", "--reason", "the customer asked for it", "--json")

    assert said.status == 0
    assert json.loads(said.out) == {"payment": "default/ord-1", "erased": True, "why_not": None}
    assert payorch("get", "ord-1").status == 1
    with redis.Redis.from_url(environment["PAYORCH_REDIS_URL"], decode_responses=True) as client:
        ((_, entry),) = client.xrange(f"{environment['PAYORCH_NAMESPACE']}payorch:audit")
    assert (entry["outcome"], entry["intent_id"]) == ("erase", "ord-1")
    assert entry["reason"] == "the customer asked for it"
    assert entry["actor"]


def test_a_payment_that_is_not_over_is_refused_and_stays(payorch, shelf):
    shelf.put(intent(), status=Status.REQUIRES_ACTION, since_ms=int(time.time() * 1000))

    said = payorch("erase", "ord-1", "--reason", "why not")

    assert said.status == 1
    assert "requires_action" in said.err
    assert payorch("get", "ord-1").status == 0


def test_an_unknown_payment_ends_with_1_and_a_missing_reason_with_2(payorch, shelf):
    assert payorch("erase", "ord-2", "--reason", "why not").status == 1
    assert payorch("erase", "ord-2").status == 2
    assert payorch("erase", "ord-2", "--reason", " ").status == 2
