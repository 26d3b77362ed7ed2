"""What happens to one merchant stops only that merchant (I9): its credentials, its limit, its outage, its pause."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime

import httpx
import pytest

from tests.support.intents import payin
from tests.support.process import wait_for

NAMES = ("locked", "broken", "slow", "added", "held")
SECRETS = {name: f"canary-secret-of-{name}" for name in NAMES}
QUICK = {
    "in_doubt_grace_s": "1",
    "call_timeout_total_s": "3",
    "call_timeout_read_s": "3",
    "call_timeout_connect_s": "1",
    "unauthorised_pause_s": "2",
}


class File:
    """The merchants file, written as a whole and put in place of the old one."""

    def __init__(self, path) -> None:
        self.path = path
        self._entries: dict[str, str] = {}

    def put(self, name, *, secret=None, limits=""):
        entry = f'[merchants.{name}]\napp_id = "app-{name}"\nsecret_key = "{secret or SECRETS[name]}"\n'
        self._entries[name] = f"{entry}[merchants.{name}.limits]\n{limits}\n"
        self.write("".join(self._entries.values()))

    def write(self, text):
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = File(tmp_path_factory.mktemp("merchants") / "merchants.toml")
    file.put("locked", secret="not-the-secret")
    file.put("broken")
    file.put("held")
    file.put("slow", limits="rate_rps = 1\nburst = 1")
    return file


@pytest.fixture(scope="module")
def stack(make_stack, file):
    pairs = ",".join(f"app-{name}:{secret}" for name, secret in SECRETS.items())
    settings = {**QUICK, "merchants_file": str(file.path)}
    return make_stack(workers=2, settings=settings, sandbox={"credentials": pairs})


def of(merchant, count=3):
    return [payin(merchant=merchant) for _ in range(count)]


def statuses(stack, ids):
    return {stack.events.last(each)["status"] for each in ids}


def celery(stack, *arguments):
    said = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "workers.app", *arguments, "--json", "--timeout", "5"],
        env=stack.workers[0].environment,
        cwd=stack.directory,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr.decode()
    return said.stdout.decode()


def metrics(stack, worker):
    return httpx.get(f"{stack.url_of(worker)}/metrics", timeout=10).text


def test_bad_credentials_of_one_merchant_touch_no_other_and_are_put_right_without_a_restart(stack, file):
    locked, others = stack.submit(*of("locked")), stack.submit(*of("default"))
    stack.succeed(others)
    wait_for(lambda: '"merchant": "locked", "reason": "unauthorised"' in stack.output(), what=stack.tails)
    assert statuses(stack, locked) == {"accepted"}

    file.put("locked")

    stack.succeed(locked)
    stack.judge([*locked, *others])


def test_an_outage_of_one_merchant_opens_its_breaker_and_no_others_and_ends_by_itself(stack):
    stack.desk.fault("status", times=10_000, options={"status": 500}, app_id="app-broken")
    broken = stack.submit(*of("broken", 12))
    wait_for(lambda: "merchant.breaker_opened" in stack.output(), what=stack.tails)

    others = stack.submit(*of("default"))
    stack.succeed(others)
    wait_for(
        lambda: (
            'payorch_breaker_open{merchant="broken"} 1.0' in metrics(stack, stack.workers[0])
            or 'payorch_breaker_open{merchant="broken"} 1.0' in metrics(stack, stack.workers[1])
        ),
        what=stack.tails,
    )
    ready = [httpx.get(f"{stack.url_of(worker)}/readyz", timeout=10) for worker in stack.workers]
    assert {reply.status_code for reply in ready} == {200}
    assert any(reply.json()["breakers_open"] == ["broken"] for reply in ready)
    assert all('payorch_breaker_open{merchant="default"} 1.0' not in metrics(stack, each) for each in stack.workers)
    asked = len(stack.desk.requests(app_id="app-broken", method="POST"))
    reads = len(stack.desk.requests(app_id="app-broken", method="GET"))
    wait_for(lambda: len(stack.desk.requests(app_id="app-broken", method="GET")) >= reads + 2, what=stack.tails)
    assert len(stack.desk.requests(app_id="app-broken", method="POST")) == asked, "a create is no probe"

    stack.desk.clear_faults()

    wait_for(lambda: "merchant.breaker_closed" in stack.output(), what=stack.tails)
    stack.succeed(broken, within_s=60)
    assert all("failed" not in stack.events.statuses(each) for each in broken)
    stack.judge([*broken, *others])


def test_the_limit_of_one_merchant_is_kept_and_holds_up_no_other(stack):
    slow = stack.submit(*of("slow", 40))
    wait_for(lambda: stack.desk.requests(app_id="app-slow"), what=stack.tails)
    others = stack.submit(*of("default", 10))
    stack.succeed(others)
    unfinished = [each for each in slow if stack.events.last(each)["status"] == "accepted"]
    assert unfinished, "the others were not quicker"

    at = [datetime.fromisoformat(row["at"]) for row in stack.desk.requests(app_id="app-slow")]
    period_s = (at[-1] - at[0]).total_seconds()
    assert len(at) <= 1 + 1 * (period_s + 1)
    stack.judge(others)


def test_a_merchant_that_is_added_is_taken_at_once_by_every_worker(stack, file):
    file.put("added")
    ids = stack.submit(*of("added", 20))
    stack.succeed(ids)
    assert not [letter for letter in stack.dead_letters() if letter["code"] == "unknown_merchant"]
    stack.judge(ids)


def test_a_broken_file_changes_nothing_and_is_told(stack, file):
    file.put("added")
    stack.succeed(stack.submit(*of("added")))
    sound = file.path.read_text()
    file.write("[merchants.added\n")
    wait_for(lambda: "merchants.refused" in stack.output(), what=stack.tails)
    wait_for(lambda: "payorch_merchants_refused_total 1.0" in metrics(stack, stack.workers[0]), what=stack.tails)
    ids = stack.submit(*of("added"))
    stack.succeed(ids)
    file.write(sound)


def test_an_operator_pauses_a_merchant_in_all_workers_and_resumes_it(stack):
    told = celery(stack, "control", "payorch_pause", "held")
    assert told.count("held paused") == 2
    held, others = stack.submit(*of("held")), stack.submit(*of("default"))
    stack.succeed(others)
    assert statuses(stack, held) == {"accepted"}
    assert not stack.desk.requests(app_id="app-held")
    stats = json.loads(celery(stack, "inspect", "payorch_stats").strip().splitlines()[0])
    assert [each["paused"] for each in stats.values()] == [{"held": "operator"}] * 2
    assert all(each["breaker"]["open"]["held"] == 0 for each in stats.values())
    assert ("warning", "held is paused: operator") in doctors(stack)

    assert celery(stack, "control", "payorch_resume", "held").count("held resumed") == 2

    stack.succeed(held, within_s=90)
    assert ("warning", "held is paused: operator") not in doctors(stack)
    stack.judge([*held, *others])


def test_a_pause_of_nobody_is_refused(stack):
    assert celery(stack, "control", "payorch_pause", "nobody").count("no merchant") == 2


def doctors(stack):
    said = subprocess.run(
        [sys.executable, "-m", "workers.cli", "doctor", "--json"],
        env=stack.workers[0].environment,
        cwd=stack.directory,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return [(each["level"], each["said"]) for each in json.loads(said.stdout) if each["check"] == "accounts"]
