"""`payorch audit` on a store that somebody has tampered with: each thing is found and named."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import redis

from orchestrator.adapters.redis_keys import RedisKeys
from orchestrator.identity import PaymentKey
from tests.integration.cli.shelf import intent
from workers.audit import Audit
from workers.audit_request import AuditRequest, Chosen
from workers.audit_run import opened_audit
from workers.bootstrap import build_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = PaymentKey(merchant="default", intent_id="ord-1")
HOUR_S = 3600
DAY_MS = 86_400_000


@pytest.fixture
def keys(namespace) -> RedisKeys:
    return RedisKeys(namespace=namespace)


@pytest.fixture
def client(redis_url) -> Iterator[Any]:
    client: Any = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
def log_of(keys) -> str:
    return str(keys.events(keys.shard(KEY)))


@pytest.fixture
def findings(payorch) -> Callable[..., list[tuple[str, str, str]]]:
    """What an audit finds, one finding a line; its exit status says whether there is any."""

    def run(*arguments: str) -> list[tuple[str, str, str]]:
        said = payorch("audit", "--json", *arguments)
        *found, figures = said.json_lines
        assert (said.status, figures["findings"]) == (int(bool(found)), len(found)), said
        return [(each["payment"], each["invariant"], each["sentence"]) for each in found]

    return run


def test_nothing_is_found_where_nothing_is_broken(payorch, shelf):
    for number in range(3):
        shelf.put(intent(f"ord-{number}"))
    shelf.hear("ord-1", {"uuid": "PSADT5CE", "status": "pending", "external_id": "ord-1"})
    said = payorch("audit")
    assert (said.status, said.err) == (0, "")
    assert said.out == "3 payments, 3 events, 0 checked at the provider, 0 not asked, 0 unsettled, 0 findings\n"


def test_a_finding_is_a_line_that_says_what_to_do(payorch, shelf, client, log_of):
    shelf.put(intent())
    client.delete(log_of)
    said = payorch("audit")
    found, figures = said.out.splitlines()
    assert said.status == 1
    assert found.startswith("default/ord-1  I3  none of its 1 events is in the log  -> ")
    assert "payorch get" in found
    assert figures.endswith("0 unsettled, 1 finding")


def test_an_event_that_was_removed_is_missed(findings, shelf, client, log_of):
    shelf.put(intent())
    shelf.put(intent("ord-other"))
    [(entry, _)] = client.xrange(log_of)
    client.xdel(log_of, entry)
    assert findings() == [("default/ord-1", "I3", "none of its 1 events is in the log")]


def test_an_event_that_was_written_by_hand_is_named(findings, shelf, client, log_of):
    shelf.put(intent())
    [(_, fields)] = client.xrange(log_of)
    event = json.loads(fields[b"event"])
    event["data"] |= {"sequence": 2, "status": "succeeded"}
    client.xadd(log_of, {"event": json.dumps(event)})
    assert ("default/ord-1", "I3", "its event 2 is in the log, but only 1 were committed") in findings()


def test_a_body_that_was_changed_is_not_what_its_events_tell(findings, shelf, client, keys):
    shelf.put(intent())
    shelf.put(intent("ord-2", amount_minor=500))
    other = PaymentKey(merchant="default", intent_id="ord-2")
    body = client.hget(keys.payment(other)[0], "body")
    client.hset(keys.payment(KEY)[0], "body", body)
    found = findings()
    assert {name for name, _, _ in found} == {"default/ord-1"}
    assert {invariant for _, invariant, _ in found} >= {"I3", "I7"}


def test_a_body_that_nobody_can_read_is_named(findings, shelf, client, keys):
    shelf.put(intent())
    client.hset(keys.payment(KEY)[0], "body", b"?")
    assert findings() == [("default/ord-1", "I2", "what is stored of it cannot be read: nobody advances it")]


def test_a_due_entry_that_was_dropped_is_missed(findings, shelf, client, keys):
    shelf.put(intent())
    client.zrem(keys.payment(KEY)[2], "ord-1")
    assert findings() == [("default/ord-1", "I2", "it is accepted and never comes due: nobody will look at it again")]
    shelf.hear("ord-1", {"uuid": "PSADT5CE"})  # whatever is said of it makes it due
    assert findings() == []


def test_a_due_index_that_no_claim_visits_is_none(findings, shelf, client, keys):
    shelf.put(intent())
    client.srem(keys.merchants(keys.shard(KEY)), "default")
    assert [invariant for _, invariant, _ in findings()] == ["I2"]


def test_a_due_time_far_off_is_named(findings, shelf, client, keys):
    shelf.put(intent())
    now_ms = client.time()[0] * 1000
    client.zadd(keys.payment(KEY)[2], {"ord-1": now_ms + 3 * DAY_MS})
    [(_, invariant, sentence)] = findings()
    assert invariant == "I2"
    assert sentence.endswith("later than it wants: nobody will look at it until then")


def test_an_entry_of_the_due_index_without_a_payment_is_named(findings, shelf, client, keys):
    shelf.put(intent())
    client.zadd(keys.payment(KEY)[2], {"ord-gone": 2**48})
    assert findings() == [("default/ord-gone", "I2", "the due index names it, but it is not stored")]


def test_a_payment_that_vanished_is_missed_unless_it_is_remembered(findings, shelf, client, keys):
    shelf.put(intent())
    client.delete(keys.payment(KEY)[0])
    client.zrem(keys.payment(KEY)[2], "ord-1")
    assert findings() == [("default/ord-1", "I2", "events of it are in the log (1), but it is not stored")]
    client.set(keys.payment(KEY)[6], "print")  # a tombstone
    assert findings() == []


def test_a_body_that_makes_no_sense_is_named_and_hides_no_other(findings, shelf, client, keys):
    shelf.put(intent("ord-1"), operations={})
    shelf.put(intent("ord-2"))
    client.zrem(keys.payment(PaymentKey(merchant="default", intent_id="ord-2"))[2], "ord-2")
    assert sorted(findings("--provider")) == [
        ("default/ord-1", "I2", "what is stored of it makes no sense (KeyError): nobody can advance it"),
        ("default/ord-2", "I2", "it is accepted and never comes due: nobody will look at it again"),
    ]


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(event: dict[str, Any]) -> None:
        for name in names:
            del event["data"][name]

    return change


def told(**data: Any) -> Callable[[dict[str, Any]], None]:
    return lambda event: event["data"].update(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event.clear(),
        without("customer_paid"),
        without("provider"),
        told(sequence="2"),
        told(status="paid"),
        told(status="processing", reason="expired"),
        told(provider=None),
        told(merchant=7),
    ],
)
def test_what_is_no_event_is_named_by_its_place_and_hides_nothing(findings, shelf, client, keys, log_of, change):
    shelf.put(intent())
    [(_, fields)] = client.xrange(log_of)
    event = json.loads(fields[b"event"])
    change(event)
    entry = client.xadd(log_of, {"event": json.dumps(event)}).decode()
    shard = f"s{keys.shard(KEY):02}"
    assert findings() == [(shard, "I3", f"entry {entry} of its event log is no event")]


def test_the_events_of_a_payment_older_than_the_log_may_be_gone(findings, shelf, client, log_of):
    shelf.put(intent(), age_s=8 * 24 * HOUR_S)
    client.delete(log_of)
    assert [sentence for _, _, sentence in findings() if "events" in sentence] == []


def test_only_what_was_chosen_is_looked_at(payorch, shelf, client, keys):
    shelf.put(intent("ord-old"), age_s=2 * HOUR_S)
    shelf.put(intent("ord-new"))
    for number in ("old", "new"):
        key = PaymentKey(merchant="default", intent_id=f"ord-{number}")
        client.zrem(keys.payment(key)[2], key.intent_id)

    def looked(*arguments: str) -> tuple[int, int]:
        figures = payorch("audit", "--json", *arguments).json_lines[-1]
        return figures["payments"], figures["findings"]

    assert looked() == (2, 2)
    assert looked("--since", "1h") == (1, 1)
    assert looked("ord-old") == (1, 1)
    assert looked("default/ord-new") == (1, 1)
    assert looked("--merchant", "books") == (0, 0)


def test_a_redis_that_does_not_answer_is_said(payorch, monkeypatch):
    monkeypatch.setenv("PAYORCH_REDIS_URL", "redis://127.0.0.1:9/0")
    said = payorch("audit")
    assert (said.status, said.out) == (1, "")
    assert "Redis did not answer" in said.err


def test_an_id_that_is_not_stored_is_an_error_and_nonsense_is_misuse(payorch):
    missing = payorch("audit", "ord-9")
    assert (missing.status, "no payment default/ord-9 is stored" in missing.err) == (1, True)
    assert payorch("audit", "--since", "yesterday").status == 2


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_however_little_is_kept_in_memory_the_same_is_found(shelf, client, keys, environment, at_once):
    for number in range(12):
        shelf.put(intent(f"ord-{number}"))
    for number in (2, 5):
        key = PaymentKey(merchant="default", intent_id=f"ord-{number}")
        client.delete(keys.payment(key)[0])
    found: list[str] = []

    async def run() -> int:
        request = AuditRequest()
        async with opened_audit(
            build_settings(), request, on_finding=lambda each: found.append(each.payment), events_at_once=at_once
        ) as audit:
            return (await audit.run()).payments

    assert asyncio.run(run()) == 10
    assert sorted(found) == ["default/ord-2", "default/ord-2", "default/ord-5", "default/ord-5"]


def test_what_changes_while_it_is_looked_at_is_looked_at_again(shelf, client, keys, log_of, environment, monkeypatch):
    """The log is read before its payment; what was committed in between is no finding."""
    shelf.put(intent())
    [(_, fields)] = client.xrange(log_of)
    client.delete(log_of)
    found: list[str] = []
    real = Audit._payments

    async def late(self: Audit, *arguments: Any) -> None:
        client.xadd(log_of, fields)
        await real(self, *arguments)

    monkeypatch.setattr(Audit, "_payments", late)

    async def run() -> None:
        tell = opened_audit(build_settings(), AuditRequest(), on_finding=lambda each: found.append(each.sentence))
        async with tell as audit:
            await audit.run()

    asyncio.run(run())
    assert found == []


def test_a_choice_is_understood_in_both_forms_of_an_id():
    assert AuditRequest(intent="ord-1", merchant="books").chosen(now_ms=0) == Chosen(
        payment=PaymentKey(merchant="books", intent_id="ord-1"), merchant="books"
    )
    assert AuditRequest(intent="books/ord-1").chosen(now_ms=0).payment == PaymentKey.parse("books/ord-1")
