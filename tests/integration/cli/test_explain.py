from __future__ import annotations

import asyncio
import time

import pytest

from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_limiter import RedisLimiter
from orchestrator.adapters.redis_store import RedisStore
from orchestrator.history import Entry, Verdict, What, line_of
from orchestrator.identity import PaymentKey
from orchestrator.payment import Operation, OperationState
from orchestrator.statuses import Reason, Status
from tests.integration.cli.shelf import intent

KEY = PaymentKey(merchant="default", intent_id="ord-1")
REDIRECT = {"type": "redirect", "purpose": "3ds", "url": "https://bank.example/hidden"}
AT_MS = 1_795_228_012_345
STALE = Entry(at_ms=AT_MS + 2, what=What.WEBHOOK, said="pending", verdict=Verdict.STALE, times=3, last_at_ms=AT_MS + 9)
HISTORY = (
    line_of(Entry(at_ms=AT_MS, what=What.INTENT, said="by stream", verdict=Verdict.APPLIED)),
    line_of(Entry(at_ms=AT_MS + 1, what=What.CALL, said="create#1")),
    line_of(STALE),
)


def test_a_payment_is_explained_from_its_first_message_to_its_next_look(payorch, shelf):
    shelf.put(
        intent(metadata={"back": "https://shop.example/hidden"}),
        status=Status.REQUIRES_ACTION,
        next_action=REDIRECT,
        review=("stale",),
        history=HISTORY,
    )
    said = payorch("explain", "ord-1")
    assert (said.status, said.err) == (0, "")
    lines = [line.strip() for line in said.out.splitlines()]
    assert lines[0].split() == ["payment", "default/ord-1"]
    assert "review    stale: nothing was heard for too long; ask the provider" in lines
    told = lines[lines.index("What happened") + 1 :][:3]
    assert told[0] == "1  2026-11-21T02:26:52.345Z  intent   came by stream and was stored"
    assert told[1] == "2  2026-11-21T02:26:52.346Z  call     create: marked as sending, then sent"
    assert told[2].endswith("nothing changed (3 times, the last at 2026-11-21T02:26:52.354Z)")
    assert "the customer, to finish on the page of the bank or the provider" in lines
    assert [line for line in lines if line.startswith("Next look")]
    assert "hidden" not in said.out


def test_as_json_it_is_for_programs(payorch, shelf):
    shelf.put(intent(), history=HISTORY)
    explained = payorch("explain", "default/ord-1", "--json").json
    assert [entry["what"] for entry in explained["history"]] == ["intent", "call", "webhook"]
    assert explained["history"][2] | {"text": ""} == {
        "at": "2026-11-21T02:26:52.347Z",
        "last_at": "2026-11-21T02:26:52.354Z",
        "times": 3,
        "what": "webhook",
        "said": "pending",
        "verdict": "stale",
        "led_to": None,
        "text": "",
    }
    assert explained["waits_for"] == ["a worker to send create, attempt 1"]
    assert explained["next_move"] == "send create, attempt 1"
    assert explained["operations"]["create"]["state"] == "ready"
    assert explained["next_look_at"].endswith("Z")
    assert (explained["owner"], explained["merchant_paused"]) == (None, None)


def test_what_was_said_and_not_applied_yet_is_counted(payorch, shelf):
    shelf.put(intent(), status=Status.REQUIRES_ACTION)
    shelf.hear("ord-1", {"uuid": "P1", "status": "received"})
    assert payorch("explain", "ord-1", "--json").json["waiting_observations"] == {"webhook": 1}
    assert "a worker to apply what was said since: 1 webhook" in payorch("explain", "ord-1").out


def test_who_has_it_in_hand_is_named_with_the_end_of_the_lease(payorch, shelf, environment):
    shelf.put(intent())

    async def claim() -> None:
        store = RedisStore(connect(environment["PAYORCH_REDIS_URL"]), namespace=environment["PAYORCH_NAMESPACE"])
        assert await store.claim_one(KEY, owner="host-7:42:abc", lease_ms=60_000)
        await store.close()

    asyncio.run(claim())
    explained = payorch("explain", "ord-1", "--json").json
    assert explained["owner"]["name"] == "host-7:42:abc"
    assert explained["next_look"] == "a worker has it in hand now"
    assert "host-7:42:abc, whose lease ends at" in payorch("explain", "ord-1").out


def test_a_payment_that_nobody_takes_asks_for_the_workers(payorch, shelf):
    shelf.put(intent(), age_s=600)
    assert "and no worker took it: is one running?" in payorch("explain", "ord-1").out


def test_a_paused_merchant_is_the_reason(payorch, shelf, environment):
    shelf.put(intent())

    async def pause() -> None:
        limiter = RedisLimiter(
            connect(environment["PAYORCH_REDIS_URL"]),
            namespace=environment["PAYORCH_NAMESPACE"],
            rate_of=lambda _: CallRate(rate_per_s=1, burst=1),
        )
        await limiter.pause("default", for_ms=60_000, reason="unauthorised")
        await limiter.close()

    asyncio.run(pause())
    assert payorch("explain", "ord-1", "--json").json["merchant_paused"] == "unauthorised"


def test_each_merchant_has_its_own(payorch, shelf):
    shelf.put(intent(merchant="books"), history=HISTORY)
    assert payorch("explain", "ord-1", "--merchant", "books").status == 0
    for arguments in (("ord-1",), ("ord-2", "--merchant", "books"), ("other/ord-1", "--json")):
        said = payorch("explain", *arguments)
        assert (said.status, said.out) == (1, "")
        assert "is stored" in said.err


def test_a_payment_that_no_version_can_read_ends_with_1(payorch, shelf):
    shelf.damage(intent())
    said = payorch("explain", "ord-1")
    assert (said.status, said.out) == (1, "")
    assert "cannot be read" in said.err


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("state", OperationState)
def test_every_status_and_every_state_of_a_call_can_be_explained(payorch, shelf, status, state):
    reason = Reason.AWAITING_PROVIDER if status is Status.PROCESSING else None
    now_ms = int(time.time() * 1000)
    operations = {"create": Operation(name="create", state=state, at_ms=now_ms, deadline_ms=now_ms + 40_000)}
    shelf.put(intent(), status=status, reason=reason, operations=operations)
    said = payorch("explain", "ord-1")
    assert (said.status, said.err) == (0, "")
    assert payorch("explain", "ord-1", "--json").json["waits_for"]


def test_what_a_terminal_would_obey_is_not_printed(payorch, shelf):
    shelf.put(intent(), status=Status.FAILED, failure={"code": "no", "message": "\x1b[2J see https://hidden.example"})
    said = payorch("explain", "ord-1")
    assert "\x1b" not in said.out
    assert "hidden" not in said.out
