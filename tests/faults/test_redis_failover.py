"""The master dies and its replica takes over, with and without the last writes (the honest rows of the promises)."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import pytest
import redis

from tests.faults.test_redis_losses import SOON, forget_events, manual_card, pay, unsent
from tests.support.event_log import EventLogReader
from tests.support.intents import card, payin
from tests.support.process import wait_for
from tests.support.proxied_stack import ProxiedStack
from tests.support.servers import ValkeyServer
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def stack(own_stack):
    # Without polls: what one of them commits just before the failover is lost, and told of.
    return own_stack(ProxiedStack, settings=SOON | {"poll_schedule_s": "60"})


@pytest.fixture
def replica(stack, tmp_path):
    server = ValkeyServer(tmp_path / "replica")
    server.start("--replicaof", "127.0.0.1", str(stack.valkey.port))
    wait_for(lambda: has_replica(stack))
    yield server
    server.kill()


def has_replica(stack):
    told = stack.redis.info("replication")
    return any(isinstance(each, dict) and each["state"] == "online" for each in told.values())


def fail_over(stack, replica):
    """The master is gone; the replica is the master, and all connections lead to it."""
    stack.valkey.kill()
    assert replica.command("REPLICAOF", "NO", "ONE") == b"+OK\r\n"
    stack.proxy.proxy.lead_to(replica.port)
    stack.proxy.cut()
    stack.redis = redis.Redis.from_url(replica.url, decode_responses=True)
    stack.valkey = replica
    forget_events(stack)


def test_a_failover_that_lost_nothing_costs_nothing(stack, replica):
    ids = stack.submit(card(), payin())
    stack.wait_status(ids, "requires_action")
    offset = stack.redis.info("replication")["master_repl_offset"]
    wait_for(lambda: replica_offset(replica) >= offset)

    fail_over(stack, replica)

    new = stack.submit(card(), payin())
    stack.succeed(ids + new, within_s=40)
    stack.judge(ids + new)
    assert '"store.tail_lost"' not in stack.output()
    assert [each for each in ids + new if "in_doubt" in stack.events.statuses(each)] == []


def replica_offset(replica):
    with contextlib.closing(redis.Redis.from_url(replica.url)) as client:
        return int(client.info("replication")["slave_repl_offset"])


def test_i1_nothing_is_sent_whose_mark_the_replica_does_not_have(stack, replica):
    wait_for(lambda: 'a replica follows"' in stack.output(), what=stack.tails)
    replica.pause()
    try:
        ids = stack.submit(card(), payin())
        wait_for(lambda: stack.output().count('"operation.held_back"') >= len(ids), what=stack.tails)
        assert not set(ids) & set(stack.desk.counts("create"))
    finally:
        replica.resume()

    stack.succeed(ids, within_s=40)
    stack.judge(ids)


def test_i1_a_failover_that_lost_the_marks_is_noticed_and_nothing_is_sent_again(stack, replica):
    stack.sandbox.kill()
    ids = stack.submit(manual_card(), payin())
    wait_for(lambda: all(unsent(stack, each) for each in ids), what=stack.tails)
    offset = stack.redis.info("replication")["master_repl_offset"]
    wait_for(lambda: replica_offset(replica) >= offset)
    # The replica is cut off for good: the master knows it, and goes on without it.
    replica.command("REPLICAOF", "NO", "ONE")
    wait_for(lambda: not has_replica(stack))
    stack.sandbox.start()
    stack.wait_status(ids, "requires_action", within_s=60)

    fail_over(stack, replica)

    wait_for(lambda: '"store.tail_lost"' in stack.output(), within_s=40, what=stack.tails)
    stack.wait_status(ids, "requires_action", within_s=60)
    pay(stack, *ids)


@pytest.fixture
def sentinel(tmp_path):
    """A master `main`, its replica, and one Sentinel whose word is enough."""
    master, replica = ValkeyServer(tmp_path / "main"), ValkeyServer(tmp_path / "second")
    master.start()
    replica.start("--replicaof", "127.0.0.1", str(master.port))
    watch = ValkeyServer(tmp_path / "sentinel")
    watch.directory.mkdir()
    configuration = watch.directory / "sentinel.conf"
    lines = (
        f"port {watch.port}",
        "bind 127.0.0.1",
        f"sentinel monitor main 127.0.0.1 {master.port} 1",
        "sentinel down-after-milliseconds main 1000",
        "sentinel failover-timeout main 5000",
    )
    configuration.write_text("\n".join(lines) + "\n")
    with (watch.directory / "server.log").open("wb") as log:
        process = subprocess.Popen([watch.binary, str(configuration), "--sentinel"], stdout=log, stderr=log)
    wait_for(watch.answers)
    wait_for(lambda: str(replica.port).encode() in watch.command("SENTINEL", "REPLICAS", "main"), within_s=40)
    yield master, replica, f"redis+sentinel://127.0.0.1:{watch.port}/main/0"
    process.kill()
    process.wait(20)
    for server in (master, replica):
        server.kill()


def test_behind_sentinels_workers_and_web_follow_a_failover_by_themselves(own_stack, sentinel):
    master, replica, url = sentinel
    stack = own_stack(SentinelStack.of(url))  # its own server is the broker
    ids = stack.submit(card(), payin())
    stack.events = EventLogReader(master.url)
    stack.wait_status(ids, "requires_action")
    with contextlib.closing(redis.Redis.from_url(master.url)) as client:
        offset = client.info("replication")["master_repl_offset"]
    wait_for(lambda: replica_offset(replica) >= offset)

    master.kill()
    wait_for(lambda: b"role:master" in replica.command("INFO", "replication"), within_s=60)
    began_s = time.monotonic()
    stack.events.close()
    stack.events = EventLogReader(replica.url)

    new = stack.submit(card(), payin())
    stack.wait_status(new, "requires_action", within_s=60)
    sys.stdout.write(f"works again {time.monotonic() - began_s:.1f} s after the failover\n")
    stack.succeed(ids + new, within_s=60)
    stack.judge(ids + new)
    assert all(program.is_running for program in (*stack.workers, stack.web))


class SentinelStack(Stack):
    """The state is behind Sentinels, the messages are in the stack's own server."""

    state_url = ""

    @classmethod
    def of(cls, url):
        return type("SentinelStack", (cls,), {"state_url": url})

    def _program(self, name, arguments, **more):
        program = super()._program(name, arguments, **more)
        program.environment |= {"PAYORCH_BROKER_URL": self.valkey.url, "PAYORCH_REDIS_URL": self.state_url}
        return program
