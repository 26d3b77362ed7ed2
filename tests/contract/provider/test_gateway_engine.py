"""The engine and the client together over real sockets: what a revoked token and fifty links lead to."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from orchestrator.adapters.hello_clever import Credentials
from orchestrator.advance import advance
from tests.contract.provider.raw_server import SECRET, calling, serving
from tests.contract.provider.test_access_tokens import CREATE_PATH, TOKEN_PATH, Gateway, header
from tests.unit.core.building import gateway_intent
from tests.unit.engine.world import GATEWAY, MINUTE_MS, World

CREATES = f"/api{CREATE_PATH}"


def connected(world: World, provider) -> None:
    """Let both workers of this world use the real client."""
    world.engines = {name: replace(engine, provider=provider) for name, engine in world.engines.items()}


def options(world: World) -> dict[str, object]:
    return {"clock": world.clock, "credentials": {"default": Credentials(app_id="app-1", secret_key=SECRET)}}


async def test_vector_11_a_revoked_token_costs_one_refresh_and_one_resend():
    world, gateway = World(), Gateway()
    async with serving(gateway) as server, calling(server.url, **options(world)) as provider:
        connected(world, provider)
        await world.submit(gateway_intent(intent_id="ord-1"))
        gateway.revoked = {"token-1"}
        await world.submit(gateway_intent(intent_id="ord-4001"))
    assert world.story(GATEWAY) == ["accepted", "requires_action"]
    assert gateway.calls == {TOKEN_PATH: 2, CREATES: 3}
    tokens = [header(each, "access-token") for each in gateway.asked if CREATE_PATH.encode() in each]
    assert tokens == ["token-1", "token-1", "token-2"]
    assert world.ledger.said("merchant.paused") == 0


async def test_vector_11_tokens_that_are_never_accepted_pause_the_merchant_and_make_no_loop():
    world, gateway = World(), Gateway()
    gateway.revoked = {f"token-{number}" for number in range(100)}
    async with serving(gateway) as server, calling(server.url, **options(world)) as provider:
        connected(world, provider)
        await world.submit(gateway_intent())
        assert gateway.calls == {TOKEN_PATH: 2, CREATES: 2}
        assert world.ledger.said("merchant.paused") == 1
        await world.pass_time(MINUTE_MS)
        assert gateway.calls[CREATES] <= 4
        assert gateway.calls[TOKEN_PATH] == gateway.calls[CREATES]
        assert world.story(GATEWAY) == ["accepted"]
        gateway.revoked = set()
        await world.pass_time(MINUTE_MS)
    assert world.story(GATEWAY) == ["accepted", "requires_action"]


async def test_vector_11_fifty_links_at_once_fetch_one_token():
    world, gateway = World(), Gateway()
    async with serving(gateway) as server, calling(server.url, **options(world)) as provider:
        connected(world, provider)
        engine = world.engines["w1"]
        for number in range(50):
            await world.deliver(gateway_intent(intent_id=f"ord-{number}"))
        records = [
            record
            for shard in range(world.store.shards)
            for record in await world.store.claim(shard, owner="w1", lease_ms=10_000, limit=50)
        ]
        await asyncio.gather(*(advance(record, engine=engine) for record in records))
    assert len(records) == 50
    assert gateway.calls == {TOKEN_PATH: 1, CREATES: 50}
    assert world.gate.given == {"act": 51}
