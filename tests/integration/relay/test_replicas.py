from __future__ import annotations

import pytest

from tests.integration.relay.relaying import Log, Recorder, until


@pytest.fixture
def master_log(master, namespace):
    log = Log(master.url, namespace)
    yield log
    log.client.close()


def follows(log):
    replicas = [value for name, value in log.client.info("replication").items() if name == "slave0"]
    return [each["state"] for each in replicas] == ["online"]


def test_nothing_is_published_before_a_replica_has_it(master_log, master, replica, relays):
    until(lambda: follows(master_log))
    recorder = Recorder()
    relay = relays(recorder, url=master.url, lease_s=30)
    master_log.append("ord-1", 1)
    until(lambda: recorder.bodies)
    assert relay.figures()["replica"] == "ok"

    replica.pause()
    master_log.append("ord-1", 2)
    master_log.append("ord-2", 1)
    until(lambda: relay.figures()["replica"] == "behind")
    assert len(recorder.bodies) == 1
    assert relay.figures()["waiting"] == 2

    replica.resume()
    until(lambda: len(recorder.bodies) == 3)
    until(lambda: relay.figures()["replica"] == "ok")
    until(lambda: master_log.cursors() == master_log.ends())


def test_a_replica_that_is_gone_holds_nothing_back(master_log, master, replica, relays):
    until(lambda: follows(master_log))
    recorder = Recorder()
    relay = relays(recorder, url=master.url, lease_s=1)
    until(lambda: relay.figures()["replica"] == "ok")
    replica.kill()
    master_log.append("ord-1", 1)
    until(lambda: recorder.bodies)
    until(lambda: relay.figures()["replica"] == "none")


def test_a_source_that_somebody_else_took_meanwhile_is_not_published(master_log, master, replica, relays):
    until(lambda: follows(master_log))
    recorder = Recorder()
    relay = relays(recorder, url=master.url, lease_s=30)
    until(lambda: relay.figures()["replica"] == "ok")
    taken = master_log.source_of("ord-1")
    other = next(f"ord-{n}" for n in range(99) if master_log.source_of(f"ord-{n}") != taken)
    master_log.client.set(taken.lease, "somebody-else", px=60_000)
    master_log.append("ord-1", 1)
    master_log.append(other, 1)
    until(lambda: relay.figures()["sources"] == 4)
    until(lambda: relay.figures()["relayed"] == 1)
    assert [each.partition for window in recorder.windows for each in window] == [f"default/{other}"]


def test_a_user_who_may_not_ask_for_replicas_relays_all_the_same(master_log, master, relays):
    master_log.client.execute_command("ACL SETUSER relay on nopass ~* +@all -info")
    recorder = Recorder()
    relays(recorder, url=master.url.replace("://", "://relay:any@"))
    master_log.append("ord-1", 1)
    until(lambda: recorder.bodies)
