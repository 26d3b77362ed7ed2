"""The table of scenarios: each intent is what its row claims, judged by the product's own parser."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from orchestrator.errors import RefusedError
from orchestrator.flows import FLOWS
from orchestrator.flows.methods import PAYIN_METHODS
from orchestrator.identity import DEFAULT_MERCHANT
from orchestrator.intent import parse_intent
from orchestrator.message import parse_message
from orchestrator.rules import IntakeRules, check_rules, payid_emails
from orchestrator.statuses import FINAL, Status
from workers.cli.demo_model import Deed
from workers.cli.demo_orders import bad_intents, conflicting, orders
from workers.cli.demo_progress import Progress
from workers.cli.demo_scenarios import SCENARIOS
from workers.cli.stack_settings import StackSettings, free_ports, without_password

RULES = IntakeRules(merchants=frozenset({DEFAULT_MERCHANT}), flows=frozenset(FLOWS))


def parsed(intent):
    return parse_intent(parse_message(json.dumps(intent).encode()))


def make_settings() -> StackSettings:
    return StackSettings(
        redis_url="redis://127.0.0.1:1/0",
        broker_url="amqp://user:hush@127.0.0.1:2//",
        namespace="demo-1.",
        web_port=3,
        sandbox_port=4,
        worker_port=5,
    )


@pytest.mark.parametrize("fast", [True, False])
def test_every_good_intent_would_be_accepted_and_takes_the_flow_of_its_row(fast):
    for order in orders("x", fast=fast):
        intent = parsed(order.intent)
        check_rules(intent, rules=RULES, now=datetime.now(UTC))
        payid_emails(intent, rules=RULES)
        assert intent.flow == order.scenario.flow


@pytest.mark.parametrize("fast", [True, False])
def test_every_scenario_takes_part_and_both_ways_in_are_used(fast):
    run = orders("x", fast=fast)
    assert {order.scenario.name for order in run} == {scenario.name for scenario in SCENARIOS}
    assert {order.as_task for order in run} == {True, False}
    assert len({order.intent_id for order in run}) == len(run)


def test_a_fast_run_has_one_payment_of_each_kind_and_a_whole_one_more():
    assert len(orders("x", fast=True)) == len(SCENARIOS)
    assert 100 <= len(orders("x", fast=False)) <= 150


def test_every_flow_and_every_method_takes_part():
    assert {scenario.flow for scenario in SCENARIOS} == set(FLOWS)
    methods = {scenario.method.get("payin_method_name") for scenario in SCENARIOS}
    assert methods >= set(PAYIN_METHODS)


def test_every_ending_takes_part():
    assert {scenario.status for scenario in SCENARIOS} >= {str(status) for status in FINAL}
    reasons = {scenario.reason for scenario in SCENARIOS if scenario.status == Status.EXPIRED}
    assert reasons == {"provider", "link_lapsed", "not_sent"}


@pytest.mark.parametrize("flow", FLOWS)
def test_every_flow_is_paid_in_time_and_too_late_or_abandoned(flow):
    endings = {scenario.status for scenario in SCENARIOS if scenario.flow == flow}
    assert endings >= {"succeeded", "expired"}


def event(sequence, status, **more):
    return {"sequence": sequence, "status": status, "reason": None, "next_action": None, "review": [], **more}


def progress_of(name):
    return Progress(next(order for order in orders("x", fast=True) if order.scenario.name == name))


def test_each_step_waits_for_its_event_and_is_taken_once():
    progress = progress_of("card, dispute won")
    assert progress.take(event(1, "accepted")) is None
    assert progress.take(event(2, "requires_action")) is Deed.PAY
    assert progress.take(event(3, "requires_action")) is None
    assert progress.take(event(4, "succeeded")) is Deed.DISPUTE
    assert not progress.has_ended
    assert progress.take(event(5, "disputed")) is Deed.WIN_DISPUTE
    assert not progress.has_ended
    assert progress.take(event(6, "succeeded")) is None
    assert progress.has_ended


def test_a_code_that_was_refused_is_followed_by_another():
    progress = progress_of("payin, first a wrong code")
    assert progress.take(event(2, "requires_action", next_action={"type": "otp"})) is Deed.ENTER_WRONG_CODE
    refused = event(3, "requires_action", next_action={"type": "otp", "refused": {"code": "http_422"}})
    assert progress.take(refused) is Deed.ENTER_CODE
    assert progress.take(event(4, "requires_action", next_action={"type": "stk_push"})) is Deed.PAY


def test_an_ending_that_is_not_final_counts_where_it_is_expected():
    progress = progress_of("payin, paid too little")
    assert progress.take(event(2, "requires_action")) is Deed.UNDERPAY
    assert not progress.has_ended
    progress.take(event(3, "processing", reason="amount_review"))
    assert progress.has_ended


def test_every_bad_intent_is_refused_as_its_row_says():
    for refusable, intent in bad_intents("x"):
        with pytest.raises(RefusedError) as refused:
            payid_emails(parsed(intent), rules=RULES)
        assert (refused.value.code, refused.value.field) == (refusable.code, refusable.field)


def test_a_conflicting_intent_has_the_same_id_and_another_content():
    order = orders("x", fast=True)[0]
    assert conflicting(order)["intent_id"] == order.intent_id
    assert conflicting(order) != dict(order.intent)


def test_the_programs_are_told_nothing_of_the_callers_settings(monkeypatch):
    monkeypatch.setenv("PAYORCH_POLLING", "off")
    monkeypatch.setenv("SANDBOX_WEBHOOKS", "off")
    environment = make_settings().environment()
    assert "PAYORCH_POLLING" not in environment
    assert "SANDBOX_WEBHOOKS" not in environment
    assert environment["PAYORCH_PROVIDER_SECRET_KEY"] == environment["SANDBOX_SECRET_KEY"]


def test_what_is_printed_of_the_settings_holds_no_secret():
    settings = make_settings()
    printed = repr(settings.shown()) + repr(settings).replace(repr(settings.broker_url), "")
    for secret in (settings.secret_key, settings.webhook_secret, settings.read_token, "hush"):
        assert secret not in printed


def test_two_runs_share_no_secret():
    assert make_settings().secret_key != make_settings().secret_key


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://user:hush@host:5672//", "amqp://user:***@host:5672//"),
        ("redis://:hush@host:6379/0", "redis://:***@host:6379/0"),
        ("redis://host:6379/0", "redis://host:6379/0"),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert without_password(url) == shown


def test_free_ports_are_different():
    assert len(set(free_ports(5))) == 5
