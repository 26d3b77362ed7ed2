"""Commands for an id that is not stored: kept, handed over when it comes, dropped when it does not."""

from __future__ import annotations

import pytest

from orchestrator.identity import PaymentKey
from orchestrator.ports import NotifyOutcome
from tests.contract.store.worlds import LEASE_MS, accepted, claimed

FAR_MS = 60_000


async def kept(world, key, *commands: bytes) -> None:
    for command in commands:
        outcome = await world.store.notify(key, command, op=f"op {command!r}", is_command=True)
        assert outcome is NotifyOutcome.ORPHANED


async def listed(world, *, before_ms: int | None = None) -> dict[str, tuple[bytes, ...]]:
    before = await world.now_ms() + FAR_MS if before_ms is None else before_ms
    return {str(each.key): each.observations for each in await world.store.unclaimed(0, before_ms=before)}


async def test_a_command_for_an_id_that_is_not_stored_is_listed_from_its_time_on(world, key):
    before_ms = await world.now_ms() - 1
    await kept(world, key, b"cancel")
    assert await listed(world, before_ms=before_ms) == {}
    assert await listed(world) == {"default/ord-1": (b"cancel",)}


async def test_the_first_command_for_an_id_says_how_long_it_waits(world, key):
    await kept(world, key, b"cancel")
    first_ms = await world.now_ms()
    await world.store.forget(key, [], rest_at_ms=first_ms - FAR_MS)
    await kept(world, key, b"capture")
    assert await listed(world, before_ms=first_ms - FAR_MS) == {"default/ord-1": (b"cancel", b"capture")}


async def test_a_command_that_is_told_again_is_kept_once(world, key):
    await kept(world, key, b"cancel", b"cancel")
    assert await listed(world) == {"default/ord-1": (b"cancel",)}


async def test_a_webhook_alone_is_no_unclaimed_command_but_is_told_with_one(world, key):
    await world.store.notify(key, b"paid", op="n1")
    assert await listed(world) == {}
    await kept(world, key, b"cancel")
    assert await listed(world) == {"default/ord-1": (b"paid", b"cancel")}


@pytest.mark.parametrize("owner", [None, "worker"])
async def test_a_payment_that_comes_takes_its_commands_and_is_due_now(world, key, owner):
    await kept(world, key, b"cancel")
    if owner is None:
        await accepted(world, key, due_in_ms=FAR_MS)
        assert await world.due(key) <= await world.now_ms()
        (record,) = await world.store.claim(0, owner="worker", lease_ms=LEASE_MS, limit=10)
    else:
        record = await claimed(world, key, owner=owner)
    assert (record.observed, record.observations) == (1, (b"cancel",))
    assert await listed(world) == {}


async def test_a_command_for_a_stored_payment_is_an_observation_like_any_other(world, key):
    await accepted(world, key, due_in_ms=FAR_MS)
    assert await world.store.notify(key, b"cancel", op="n1", is_command=True) is NotifyOutcome.STORED
    assert await listed(world) == {}
    assert await world.due(key) <= await world.now_ms()
    assert (await world.store.load(key)).observations == (b"cancel",)


async def test_what_is_forgotten_does_not_reach_the_payment_any_more(world, key):
    await kept(world, key, b"cancel")
    assert await world.store.forget(key, [b"cancel"], rest_at_ms=None)
    assert await listed(world) == {}
    await accepted(world, key)
    assert (await world.store.load(key)).observations == ()


async def test_only_the_named_ones_are_forgotten_and_the_rest_waits_from_its_own_time(world, key):
    await world.store.notify(key, b"paid", op="n1")
    await kept(world, key, b"old", b"young")
    rest_at_ms = await world.now_ms() + 5
    assert await world.store.forget(key, [b"old"], rest_at_ms=rest_at_ms)
    assert await listed(world, before_ms=rest_at_ms - 1) == {}
    assert await listed(world, before_ms=rest_at_ms) == {"default/ord-1": (b"paid", b"young")}


async def test_nothing_is_forgotten_of_a_payment_that_came_meanwhile(world, key):
    await kept(world, key, b"cancel")
    await accepted(world, key)
    assert not await world.store.forget(key, [b"cancel"], rest_at_ms=None)
    assert (await world.store.load(key)).observations == (b"cancel",)


async def test_forgetting_twice_is_forgetting_once(world, key):
    await kept(world, key, b"cancel")
    for _ in range(2):
        assert await world.store.forget(key, [b"cancel", b"never there"], rest_at_ms=None)
    assert await listed(world) == {}


async def test_each_id_waits_for_itself(world, key):
    other = PaymentKey(merchant="shop-b", intent_id="ord-1")
    await kept(world, key, b"cancel")
    await kept(world, other, b"capture")
    await accepted(world, other)
    assert await listed(world) == {"default/ord-1": (b"cancel",)}


async def test_a_payment_buried_since_keeps_its_commands_waiting_to_be_refused(world, key):
    await world.bury(key, "fingerprint")
    await kept(world, key, b"capture")
    assert await listed(world) == {"default/ord-1": (b"capture",)}
