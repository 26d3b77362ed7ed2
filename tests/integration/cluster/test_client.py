"""One client for a whole cluster, on real servers: where commands go, and that none is sent again."""

from __future__ import annotations

import asyncio

import pytest
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, TryAgainError
from redis.exceptions import TimeoutError as RedisTimeoutError

from orchestrator.adapters.redis_blocking import open_blocking
from orchestrator.adapters.redis_nodes import nodes_of
from tests.support.cluster import MASTERS, told
from tests.support.waiting import until

NAMES = [f"name{n}" for n in range(60)]
INCR = "return redis.call('INCR', KEYS[1])"


async def test_answers_come_in_the_order_of_the_commands_whoever_gave_them(clients, valkey_cluster, cluster_url):
    client = clients(cluster_url)
    pipeline = client.pipeline(transaction=False)
    for number, name in enumerate(NAMES):
        pipeline.set(name, number)
        pipeline.execute_command("EVAL", INCR, 1, name)
        pipeline.execute_command("HGET", name, "field")
    answers = await pipeline.execute(raise_on_error=False)

    assert answers[1::3] == [number + 1 for number in range(60)]
    assert all("WRONGTYPE" in str(answer) for answer in answers[2::3])
    assert {valkey_cluster.master_of(name).port for name in NAMES} == {each.port for each in valkey_cluster.masters}


async def test_any_node_alone_leads_to_all(clients, valkey_cluster, cluster_url):
    client = clients(f"redis+cluster://127.0.0.1:{valkey_cluster.masters[2].port}")
    assert [await client.set(name, 1) for name in NAMES] == [True] * 60
    assert len(await nodes_of(client)) == MASTERS


async def test_a_slot_that_moved_is_followed_and_nothing_is_done_twice(clients, valkey_cluster, cluster_url):
    client, name = clients(cluster_url), "{moving}count"
    late = clients(cluster_url)
    await late.get(name)
    assert await client.execute_command("EVAL", INCR, 1, name) == 1
    giver, slot = valkey_cluster.master_of(name), str(key_slot(name.encode()))
    taker = next(each for each in valkey_cluster.masters if each is not giver)
    ids = {each.port: valkey_cluster.id_of(each) for each in (giver, taker)}
    told(taker, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[giver.port])
    told(giver, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[taker.port])
    try:
        # A key that is there is answered there; one that is not is asked for where the slot goes.
        assert await client.execute_command("EVAL", INCR, 1, name) == 2
        assert await client.execute_command("EVAL", INCR, 1, "{moving}new") == 1
        told(giver, "MIGRATE", "127.0.0.1", str(taker.port), name, "0", "5000")
        assert await client.execute_command("EVAL", INCR, 1, name) == 3
        assert await client.execute_command("EVAL", INCR, 1, "{moving}new") == 2
    finally:
        for each in (taker, giver):
            told(each, "CLUSTER", "SETSLOT", slot, "NODE", ids[taker.port])
    # The client still believes that the slot is where it was.
    assert await client.execute_command("EVAL", INCR, 1, name) == 4
    assert await client.execute_command("EVAL", INCR, 1, "{moving}new") == 3
    assert await client.get("{moving}new") == b"3"
    # Who was asked whether a replica has it is not who took it.
    pipeline = late.pipeline(transaction=False)
    pipeline.set("{moving}new", 5)
    pipeline.execute_command("WAIT", 0, 10)
    taken, copies = await pipeline.execute(raise_on_error=False)
    assert taken is True
    assert isinstance(copies, TryAgainError)
    told(giver, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[taker.port])
    told(taker, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[giver.port])
    await client.delete(name)
    await client.delete("{moving}new")
    for each in (giver, taker):
        told(each, "CLUSTER", "SETSLOT", slot, "NODE", ids[giver.port])


@pytest.mark.parametrize("endpoint", ["unknown-endpoint", "ip"])
async def test_a_redirection_without_a_host_means_the_host_that_was_asked(
    clients, valkey_cluster, cluster_url, endpoint
):
    client, name = clients(cluster_url), "{elsewhere}count"
    giver, slot = valkey_cluster.master_of(name), str(key_slot(name.encode()))
    taker = next(each for each in valkey_cluster.masters if each is not giver)
    await client.get(name)
    try:
        for master in valkey_cluster.masters:
            told(master, "CONFIG", "SET", "cluster-preferred-endpoint-type", endpoint)
        for master in (giver, taker):  # who gives it up first: it would claim it again where its epoch is higher
            told(master, "CLUSTER", "SETSLOT", slot, "NODE", valkey_cluster.id_of(taker))
        assert await client.get(name) is None
    finally:
        for master in (taker, giver):
            told(master, "CLUSTER", "SETSLOT", slot, "NODE", valkey_cluster.id_of(giver))
        for master in valkey_cluster.masters:
            told(master, "CONFIG", "SET", "cluster-preferred-endpoint-type", "ip")


async def test_a_command_whose_answer_is_lost_is_not_sent_again(clients, valkey_cluster, cluster_url):
    client = clients(cluster_url)
    assert await client.execute_command("EVAL", INCR, 1, "count") == 1
    master = valkey_cluster.master_of("count")
    master.pause()
    try:
        with pytest.raises(RedisTimeoutError):
            await client.execute_command("EVAL", INCR, 1, "count")
    finally:
        master.resume()
    # It was in the server's buffer, and is executed once.
    assert await client.execute_command("EVAL", INCR, 1, "count") == 3


async def test_a_master_that_stands_still_holds_up_no_other(clients, valkey_cluster, cluster_url):
    client = clients(cluster_url)
    stuck = valkey_cluster.master_of(NAMES[0])
    other = next(name for name in NAMES if valkey_cluster.master_of(name) is not stuck)
    await client.set(other, 1)
    stuck.pause()
    try:
        waiting = asyncio.create_task(client.get(NAMES[0]))
        assert await client.get(other) == b"1"
        assert not waiting.done()
        with pytest.raises(RedisError):
            await waiting
    finally:
        stuck.resume()


@pytest.mark.parametrize("end", ["kill", "pause"])
async def test_a_replica_takes_over_from_a_master_that_is_gone(clients, own_cluster, end):
    client = clients(own_cluster.url)
    for name in NAMES:
        await client.set(name, name)
    assert await client.execute_command("WAIT", 1, 1000) is None  # for the masters that the same call wrote to: none
    dead = own_cluster.master_of(NAMES[0])
    pipeline = client.pipeline(transaction=False)
    for name in NAMES:
        pipeline.set(name, name)
    pipeline.execute_command("WAIT", 1, 1000)
    assert (await pipeline.execute())[-1] == 1
    getattr(dead, end)()

    async def answer_again():
        try:
            return [await client.get(name) for name in NAMES] == [name.encode() for name in NAMES]
        except RedisError:
            return False

    assert not await answer_again()
    await until(answer_again)


async def test_a_subscription_hears_what_any_master_publishes_and_outlives_the_node_it_is_at(stores, own_cluster):
    store = stores(own_cluster.url)
    bells = store.bells()
    heard: set[int] = set()

    async def listen():
        async for shard in bells:
            heard.add(shard)

    async def hears_all():
        for master in alive:
            master.command("PUBLISH", "payorch:bell", str(master.port))
        return {master.port for master in alive} <= heard

    listening = asyncio.create_task(listen())
    alive = list(own_cluster.masters)
    await until(hears_all)
    for _ in range(2):
        alive.pop().kill()
        heard.clear()
        await until(hears_all)
    listening.cancel()


async def test_without_a_node_that_answers_every_command_says_so(clients, unused_port):
    client = clients(f"redis+cluster://127.0.0.1:{unused_port()},127.0.0.1:{unused_port()}")
    with pytest.raises(RedisConnectionError, match="no node of the cluster answers"):
        await client.get("name")
    assert all(isinstance(each, RedisConnectionError) for each in await client.send([(("GET", "a"), {})] * 3))


def test_who_blocks_reaches_every_master_too(valkey_cluster, cluster_url):
    client = open_blocking(cluster_url, socket_timeout=2)
    try:
        with client.pipeline(transaction=False) as pipeline:
            for number, name in enumerate(NAMES):
                pipeline.set(name, number)
                pipeline.get(name)
            assert pipeline.execute()[1::2] == [str(number).encode() for number in range(60)]
        with pytest.raises(ValueError, match="no transactions"):
            client.pipeline()
    finally:
        client.close()
        client.close()


async def test_the_masters_are_those_of_now(clients, own_cluster):
    client = clients(own_cluster.url)
    dead = own_cluster.masters[0]
    assert f"127.0.0.1:{dead.port}" in await client.masters()
    dead.kill()

    async def is_replaced():
        return f"127.0.0.1:{own_cluster.replicas[0].port}" in await client.masters()

    await until(is_replaced)
    assert len(await client.masters()) == MASTERS
