"""The audit of a running system: silent while everything is right, however much happens, and exact where it is not."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

from tests.support.celery_client import send_audit_task
from tests.support.intents import card, gateway_link, mobile_money, payid, payin
from tests.support.process import wait_for
from tests.support.stack import APP_ID, SECRET_KEY

MAKERS = (card, payin, payid, mobile_money, gateway_link)


def audited(stack, *arguments):
    """The exit status, the findings and the figures of an audit."""
    command = [sys.executable, "-m", "workers.cli", "audit", "--json", *arguments]
    worker = stack.workers[0]
    done = subprocess.run(
        command, cwd=worker.directory, env=worker.environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout, done.stderr
    *findings, figures = (json.loads(line) for line in done.stdout.splitlines())
    return done.returncode, [(each["payment"], each["invariant"], each["sentence"]) for each in findings], figures


def made_directly(stack, intent):
    """Somebody makes another payin at the provider under the same id, past us; its uuid there."""
    body = {
        "payin_method_name": intent["method"]["payin_method_name"],
        "payin_method_params": {},
        "currency": intent["currency"],
        "amount": intent["amount_minor"] // 100,
        "external_id": intent["intent_id"],
        "description": "By hand",
        "gst": False,
        "name": "Ada Lovelace",
        "email": "ada@example.com",
    }
    headers = {"app-id": APP_ID, "secret-key": SECRET_KEY}
    reply = httpx.post(f"{stack.provider_url}/api/v2/payins", json=body, headers=headers, timeout=10)
    assert reply.status_code in {200, 201}, reply.text
    return reply.json()["uuid"]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_an_audit_beside_running_workers_finds_nothing(own_stack):
    stack = own_stack(workers=2)
    paid = stack.submit(*(make() for make in (card, payin, payid) for _ in range(15)))
    waiting = stack.submit(*(make() for make in MAKERS for _ in range(5)))
    results = [audited(stack)]
    stack.wait_status(paid, "requires_action", within_s=60)
    stack.desk.act_on_all(paid, "pay")
    results += [audited(stack), audited(stack, "--provider")]
    stack.wait_status(paid, "succeeded", within_s=60)
    results += [audited(stack), audited(stack, "--provider")]

    assert [(status, findings) for status, findings, _ in results] == [(0, [])] * len(results)
    figures = results[-1][2]
    links = sum(1 for each in waiting if each.startswith("link"))
    assert figures["payments"] == len(paid) + len(waiting)
    assert (figures["checked_at_the_provider"], figures["not_asked"]) == (figures["payments"] - links, links)
    logged = stack.events.read()
    assert figures["events"] == sum(len(logged[each]) for each in [*paid, *waiting])


@pytest.fixture(scope="module")
def deaf_stack(make_stack):
    """The provider sends no webhooks and is never polled."""
    return make_stack(settings={"polling": "off"}, sandbox={"webhooks": "false"})


@pytest.mark.parametrize("make", [card, payin, payid])
def test_i6_what_was_paid_and_nobody_told_us_is_named(deaf_stack, make):
    [paid, open_] = deaf_stack.submit(make(), make())
    deaf_stack.wait_status([paid, open_], "requires_action")
    deaf_stack.desk.act(paid, "pay")

    status, findings, _ = audited(deaf_stack, paid, "--provider")
    assert status == 1
    [(payment, invariant, sentence)] = findings
    assert (payment, invariant) == (f"default/{paid}", "I6")
    assert sentence.endswith("but we say requires_action")
    assert audited(deaf_stack, open_, "--provider")[:2] == (0, [])
    assert audited(deaf_stack, paid)[:2] == (0, [])  # our own books are sound


def test_i1_a_second_charge_that_was_made_past_us_is_named(deaf_stack):
    intent, other = payin(), payin()
    ids = deaf_stack.submit(intent, other)
    deaf_stack.wait_status(ids, "requires_action")
    ours = deaf_stack.desk.uuids()[ids[0]]
    second = made_directly(deaf_stack, intent)
    assert i1_of(deaf_stack, ids[0]) == ["the provider holds 2 payments for it, 1 may have been made"]
    for uuid in (ours, second):
        paid = httpx.post(f"{deaf_stack.provider_url}/_sandbox/payments/{uuid}/pay", json={}, timeout=10)
        assert paid.status_code == 200, paid.text
    assert "the customer was charged 2 times for it" in i1_of(deaf_stack, ids[0])
    assert i1_of(deaf_stack, ids[1]) == []


def i1_of(stack, intent_id):
    """What of I1 an audit of everything finds broken of a payment."""
    _, findings, _ = audited(stack, "--provider")
    return [words for name, invariant, words in findings if (name, invariant) == (f"default/{intent_id}", "I1")]


def test_the_task_audits_in_the_worker_and_tells_it_in_the_log_and_the_metrics(own_stack):
    stack = own_stack()
    [intent_id] = stack.submit(payin())
    stack.wait_status([intent_id], "requires_action")
    worker = stack.workers[0]

    def metrics():
        return httpx.get(f"{stack.url_of(worker)}/metrics", timeout=10).text

    assert "payorch_audit" not in metrics()
    send_audit_task(stack.valkey.url, "", provider=True)
    wait_for(lambda: '"audit.done"' in worker.output, within_s=30, what=stack.tails)
    assert 'payorch_audit_findings{invariant="I3"} 0.0' in metrics()

    log = next(name for name in stack.redis.scan_iter("payorch:{s*}:events"))
    stack.redis.delete(log)
    send_audit_task(stack.valkey.url, "")
    wait_for(lambda: worker.output.count('"audit.done"') == 2, within_s=30, what=stack.tails)
    assert 'payorch_audit_findings{invariant="I3"} 1.0' in metrics()
    assert "payorch_audit_last_run_timestamp_seconds 1" in metrics()
    [finding] = [json.loads(line) for line in worker.output.splitlines() if '"audit.finding"' in line]
    assert (finding["payment"], finding["invariant"]) == (f"default/{intent_id}", "I3")
