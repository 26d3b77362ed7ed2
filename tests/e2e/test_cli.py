"""What an operator sees of payments of every flow, asked of a running system."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.intents import card, gateway_link, mobile_money, payid

MAKERS = {"card": card, "payin": mobile_money, "payid": payid, "gateway_link": gateway_link}
ACTIONS = {"card": "redirect", "payin": "otp", "payid": "payid", "gateway_link": "redirect"}


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack()


@pytest.fixture(scope="module")
def shown(stack):
    """The payments by flow, each waiting for its customer."""
    ids = {flow: stack.submit(make())[0] for flow, make in MAKERS.items()}
    stack.wait_status(ids.values(), "requires_action")
    return ids


def payorch(stack, *arguments):
    command = [sys.executable, "-m", "workers.cli", *arguments]
    worker = stack.workers[0]
    done = subprocess.run(
        command, cwd=worker.directory, env=worker.environment, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


@pytest.mark.parametrize("flow", MAKERS)
def test_get_shows_what_the_customer_has_to_do_without_the_address(stack, shown, flow):
    view = json.loads(payorch(stack, "get", shown[flow], "--json"))

    assert (view["flow"], view["status"], view["next_action"]["type"]) == (flow, "requires_action", ACTIONS[flow])
    assert "https://" not in json.dumps(view)
    assert shown[flow] in payorch(stack, "get", shown[flow])


@pytest.mark.parametrize("flow", MAKERS)
def test_list_by_flow_shows_its_payments_alone(stack, shown, flow):
    lines = payorch(stack, "list", "--flow", flow, "--json").splitlines()

    assert [json.loads(line)["intent_id"] for line in lines] == [shown[flow]]


def test_watch_shows_a_status_of_each_flow(stack, shown):
    command = [sys.executable, "-m", "workers.cli", "watch", "payment.*.*.succeeded", "--json", "--count", "3"]
    worker = stack.workers[0]
    watching = subprocess.Popen(
        [*command, "--timeout", "30s"],
        cwd=worker.directory,
        env=worker.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stderr is not None
    assert "watching" in watching.stderr.readline()
    paid = [shown[flow] for flow in ("card", "payid", "gateway_link")]

    stack.desk.act_on_all(paid, "pay")

    output, _ = watching.communicate(timeout=40)
    assert watching.returncode == 0
    assert {json.loads(line)["subject"] for line in output.splitlines()} == set(paid)
