"""What the provider is answered to a webhook: exactly 200 once it is kept, 401 where it is not the provider's."""

from __future__ import annotations

import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from orchestrator.webhook_auth import PATH, authorization
from tests.unit.core.building import card_body, card_intent
from tests.unit.engine.world import CARD, World, said
from workers.web import take_webhook


async def post(world: World, body: bytes, *, attempt: str = "1", header: str | None = None) -> httpx.Response:
    async def endpoint(request):
        return await take_webhook(request, engine=world.engines["w1"])

    app = Starlette(routes=[Route(f"{PATH}/{{merchant}}/{{intent_id}}/{{attempt}}", endpoint, methods=["POST"])])
    right = authorization("secret", CARD, 1)
    headers = {"Authorization": right if header is None else header}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://hooks.example") as client:
        return await client.post(f"{PATH}/{CARD.merchant}/{CARD.intent_id}/{attempt}", content=body, headers=headers)


@pytest.fixture
async def world() -> World:
    world = World()
    world.provider.script("create", said(card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"})))
    world.provider.script("card", said(card_body("pending")))
    await world.submit(card_intent())
    return world


def paid(**changes) -> bytes:
    return json.dumps(card_body("waiting") | changes).encode()


async def test_t14_exactly_200_for_a_webhook_its_duplicates_and_one_without_meaning(world):
    bodies = [paid(), paid(), paid(), paid(), b"{}", paid(status="mystery"), paid(external_id="ord-9")]
    assert [(await post(world, body)).status_code for body in bodies] == [200] * 7
    await world.turn()
    assert world.story()[2] == "processing/settling"
    assert world.story().count("processing/settling") <= 2


async def test_t14_200_too_where_the_payment_is_not_stored():
    assert (await post(World(), paid())).status_code == 200


async def test_t14_another_answer_makes_the_provider_send_it_again(world):
    world.store.away["notify"] = 1
    assert (await post(world, paid())).status_code == 503
    assert (await post(world, paid())).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer x", "****", "po1.00000000.AAAA", "secret"])
async def test_t43_vector_12_a_wrong_authorization_is_401_and_nothing_is_kept(world, header):
    assert (await post(world, paid(), header=header)).status_code == 401
    record = await world.store.load(CARD)
    assert record is not None
    assert record.observed == 0


async def test_t43_the_authorization_of_one_attempt_opens_no_other(world):
    assert (await post(world, paid(), attempt="2")).status_code == 401


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"null", b'"x"', b"\xff"])
async def test_vector_12_what_is_no_object_is_400_and_sent_again(world, body):
    assert (await post(world, body)).status_code == 400
