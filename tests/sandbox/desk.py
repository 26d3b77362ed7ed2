"""A merchant and a sandbox operator at one desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import simplejson

from tests.sandbox.builders import APP, SECRET, card_body, link_body, payid_body, payin_body

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, kw_only=True)
class Desk:
    client: httpx.AsyncClient

    async def post(self, path: str, body: object, *, app: str = APP, secret: str = SECRET) -> httpx.Response:
        return await self.client.post(path, json=body, headers={"app-id": app, "secret-key": secret})

    async def get(self, path: str, *, app: str = APP, secret: str = SECRET, **query) -> httpx.Response:
        return await self.client.get(path, params=query, headers={"app-id": app, "secret-key": secret})

    async def payin(self, method: str = "ph_ewallet_gcash_php", **changes) -> dict:
        reply = await self.post("/api/v2/payins", payin_body(method, **changes))
        assert reply.is_success, reply.text
        return exact(reply)

    async def card(self, **changes) -> dict:
        reply = await self.post("/api/v2/cards/create_payment", card_body(**changes))
        assert reply.is_success, reply.text
        return exact(reply)

    async def payid(self, **changes) -> dict:
        reply = await self.post("/api/v1/merchants/create_payment", payid_body(**changes))
        assert reply.is_success, reply.text
        return exact(reply)

    async def payid_status(self, **query) -> dict:
        return exact(await self.get("/api/v1/payment_requests/status", **query))

    async def token(self, **credentials) -> str:
        reply = await self.get("/api/v1/payment_gateways/access_token", **credentials)
        assert reply.is_success, reply.text
        return str(reply.json()["access_token"])

    async def link(self, *, token: str | None = None, **changes) -> dict:
        reply = await self.post_link(link_body(**changes), token=await self.token() if token is None else token)
        assert reply.is_success, reply.text
        return exact(reply)

    async def post_link(self, body: object, *, token: str) -> httpx.Response:
        path = "/api/v1/payment_gateways/create_payment"
        return await self.client.post(path, json=body, headers={"access-token": token})

    async def key(self, number: int, flow: str) -> str:
        """The sandbox's own key of a payment which the merchant knows by number."""
        rows = (await self.client.get("/_sandbox/payments", params={"id": number, "flow": flow})).json()["payments"]
        (payment,) = rows
        return str(payment["uuid"])

    async def capture(self, uuid: str) -> httpx.Response:
        return await self.post("/api/v2/cards/capture_payment", {"uuid": uuid})

    async def detail(self, uuid: str) -> dict:
        return exact(await self.get("/api/v2/payins/detail", uuid=uuid))

    async def act(self, uuid: str, action: str, **body) -> httpx.Response:
        return await self.client.post(f"/_sandbox/payments/{uuid}/{action}", json=body)

    async def advance(self, seconds: float) -> None:
        reply = await self.client.post("/_sandbox/clock", json={"advance_s": seconds})
        assert reply.is_success, reply.text

    async def settings(self, **changes) -> httpx.Response:
        return await self.client.post("/_sandbox/settings", json=changes)

    async def fault(self, name: str, **body) -> None:
        reply = await self.client.post("/_sandbox/faults", json={"fault": name, **body})
        assert reply.is_success, reply.text

    async def seen(self, uuid: str) -> dict:
        reply = await self.client.get("/_sandbox/payments", params={"uuid": uuid})
        payment: dict = reply.json()["payments"][0]
        return payment

    async def kinds(self, **query) -> list[str]:
        reply = await self.client.get("/_sandbox/ledger", params=query)
        return [entry["kind"] for entry in reply.json()["entries"]]

    async def requests(self, **query) -> list[dict]:
        found: list[dict] = (await self.client.get("/_sandbox/requests", params=query)).json()["requests"]
        return found


def exact(reply: httpx.Response) -> dict:
    """The body with numbers as they were written: 500.0 stays a Decimal of one decimal."""
    body: dict = simplejson.loads(reply.text, use_decimal=True)
    return body
