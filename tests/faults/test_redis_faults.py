"""Table B of the faults, on real processes: Redis goes wrong in every way, with calls on the wire.

No process ends, nothing is lost, done twice or put in doubt, and everything works again soon after Redis answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import redis

from tests.support.celery_client import send_task
from tests.support.fault_proxy import Mode
from tests.support.intents import card, payin
from tests.support.loading_server import LoadingServer
from tests.support.pace import slowness
from tests.support.process import wait_for
from tests.support.proxied_stack import ProxiedStack

pytestmark = pytest.mark.timeout(180)

BACK_WITHIN_S = 10.0  # the aim is 5 s; other tests keep the disk busy too
OUT_S = 1.5
EACH = 6


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with ProxiedStack(
        tmp_path_factory.mktemp("stack"),
        workers=2,
        settings={"lease_s": "10", "watchdog_s": "30"},
        sandbox={"latency_ms": "300", "settle_s": "0.3"},
    ) as stack:
        yield stack


def admin(stack, *words):
    """A command of the operator's, past the proxy."""
    with contextlib.closing(redis.Redis.from_url(stack.valkey.url)) as client:
        return client.execute_command(*words)


def out():
    time.sleep(OUT_S)  # the length of an outage is what such a test chooses


def configured(name, wrong, right):
    """Redis is configured so for a while."""

    def fault(stack):
        admin(stack, "CONFIG", "SET", name, wrong)
        out()
        admin(stack, "CONFIG", "SET", name, right)

    return fault


def proxied(mode, for_s=OUT_S):
    def fault(stack):
        stack.proxy.set(mode)
        time.sleep(for_s)
        stack.proxy.set(Mode.PASS)
        stack.proxy.cut()

    return fault


def killed(stack):
    stack.valkey.kill()
    out()
    stack.valkey.start()


def restarted(stack):
    stack.valkey.restart()


def stopped_in_order(stack):
    stack.valkey.stop()
    out()
    stack.valkey.start()


def loading(stack):
    stack.valkey.kill()
    with LoadingServer(stack.valkey.port) as server:
        out()
        assert server.turned_away
    stack.valkey.start()


def read_only(stack):
    admin(stack, "REPLICAOF", "127.0.0.1", "1")
    out()
    admin(stack, "REPLICAOF", "NO", "ONE")


def cannot_save(stack):
    """A snapshot fails, and Redis refuses writes from then on: -MISCONF."""
    admin(stack, "CONFIG", "SET", "rdb-key-save-delay", "1000000")
    admin(stack, "CONFIG", "SET", "save", "3600 1")
    admin(stack, "BGSAVE")
    os.kill(child_of(stack.valkey.pid), signal.SIGKILL)
    wait_for(lambda: refuses(stack, "MISCONF"))
    out()
    admin(stack, "CONFIG", "SET", "save", "")
    admin(stack, "CONFIG", "SET", "rdb-key-save-delay", "0")
    assert not refuses(stack, "MISCONF")


def child_of(pid):
    def children():
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]

    return wait_for(children)[0]


def refuses(stack, code):
    try:
        admin(stack, "SET", "probe", "1")
    except redis.RedisError as error:
        return code in str(error) or code.lower() in type(error).__name__.lower()
    return False


def scripts_forgotten(stack):
    for _ in range(5):
        admin(stack, "SCRIPT", "FLUSH")
        time.sleep(0.2)


def clients_killed(stack):
    for _ in range(5):
        admin(stack, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        admin(stack, "CLIENT", "KILL", "TYPE", "pubsub")
        time.sleep(0.2)


def clients_paused(stack):
    admin(stack, "CLIENT", "PAUSE", int(OUT_S * 1000), "ALL")
    out()


def standing_still(stack):
    stack.valkey.pause()
    time.sleep(12)  # longer than a lease and than any wait for an answer
    stack.valkey.resume()


def busy(stack):
    """A script of somebody's that does not end: -BUSY."""
    admin(stack, "CONFIG", "SET", "busy-reply-threshold", "50")

    def loop():
        with contextlib.suppress(redis.RedisError):
            admin(stack, "EVAL", "while true do end", 0)

    thread = threading.Thread(target=loop)
    thread.start()
    wait_for(lambda: b"BUSY" in stack.valkey.command("PING"))
    out()
    admin_busy(stack)
    thread.join(20)


def admin_busy(stack):
    """Only SCRIPT KILL is heard then, and no client library's greeting."""
    assert stack.valkey.command("SCRIPT", "KILL") == b"+OK\r\n"


def locked(stack):
    """A password that nobody told the workers: -NOAUTH at each new connection."""
    admin(stack, "CONFIG", "SET", "requirepass", "right")
    with contextlib.closing(redis.Redis.from_url(stack.valkey.url, password="right")) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        out()
        client.execute_command("CONFIG", "SET", "requirepass", "")


def not_allowed(stack):
    """The rights of the workers' user are taken away: -NOPERM."""
    admin(stack, "ACL", "SETUSER", "default", "-evalsha", "-eval", "-xreadgroup")
    out()
    admin(stack, "ACL", "SETUSER", "default", "+@all")


FAULTS = {
    "restarted": restarted,
    "killed": killed,
    "stopped in order": stopped_in_order,
    "LOADING": loading,
    "READONLY": read_only,
    "OOM": configured("maxmemory", "1", "0"),
    "too few replicas": configured("min-replicas-to-write", "1", "0"),
    "MISCONF": cannot_save,
    "NOSCRIPT": scripts_forgotten,
    "clients killed": clients_killed,
    "clients paused": clients_paused,
    "stands still for 12 s": standing_still,
    "BUSY": busy,
    "NOAUTH": locked,
    "NOPERM": not_allowed,
    "replies cut off": proxied(Mode.CUT_REPLY),
    "replies never come": proxied(Mode.KEEP_REPLY, 6),
    "half-open": proxied(Mode.BLACKHOLE, 6),
    "connections reset": proxied(Mode.REFUSE),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_redis_costs_only_its_own_time(stack, name, record_property):
    waiting = stack.submit(*(card() if number % 2 else payin() for number in range(EACH)))
    stack.wait_status(waiting, "requires_action", within_s=30)
    fresh = [card() if number % 2 else payin() for number in range(EACH)]
    asked = len(stack.desk.requests(method="POST"))
    ids = stack.submit(*fresh)
    wait_for(lambda: len(stack.desk.requests(method="POST")) > asked + EACH // 2, what=stack.tails)
    stack.desk.act_on_all(waiting, "pay")

    FAULTS[name](stack)

    back_s = works_again(stack)
    record_property("back_s", round(back_s, 2))
    sys.stdout.write(f"{name}: works again {back_s:.1f} s after Redis answered\n")
    stack.wait_status(waiting, "succeeded", within_s=40)
    stack.succeed(ids, within_s=40)
    assert all(program.is_running for program in (*stack.workers, stack.web)), stack.tails()
    assert [each for each in waiting + ids if "in_doubt" in stack.events.statuses(each)] == []
    stack.judge(waiting + ids)


def works_again(stack):
    """Seconds from Redis' answer until an intent of each way in has become a payment at the provider."""
    began_s = time.monotonic()
    wait_for(stack.valkey.answers)
    by_stream, by_task = payin(), payin()
    insist(lambda: stack.redis.xadd("payments.intents", {"intent": json.dumps(by_stream)}))
    insist(lambda: send_task(stack.valkey.url, "", by_task))
    stack.wait_status([by_stream["intent_id"]], "requires_action", within_s=30)
    back_s = time.monotonic() - began_s
    stack.wait_status([by_task["intent_id"]], "requires_action", within_s=60)
    task_s = time.monotonic() - began_s
    sys.stdout.write(f"stream {back_s:.1f} s, task {task_s:.1f} s\n")
    assert back_s <= BACK_WITHIN_S * slowness()
    return back_s


def insist(act):
    """As a producer does whose connection was lost: once more until it is taken; the same intent is harmless."""

    def done():
        try:
            act()
        except (redis.RedisError, OSError):
            return False
        return True

    wait_for(done)
