from __future__ import annotations

import asyncio
import time

import httpx
import pytest
import simplejson

from sandbox.app import create_app
from sandbox.faults import REQUEST_FAULTS
from sandbox.mishaps import MISHAPS
from sandbox.server import make_server
from tests.sandbox.builders import APP, SECRET, payin_body
from tests.support.servers import free_port

CREATE = {"method": "POST", "path": "/api/v2/payins"}


async def raw_exchange(desk, body: dict) -> bytes:
    """Send a create call over a bare socket and return every byte until the server closes."""
    content = simplejson.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.client.base_url.port)
    head = f"POST /api/v2/payins HTTP/1.1\r\nhost: x\r\napp-id: {APP}\r\nsecret-key: {SECRET}\r\n"
    writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(("name", "made"), [("lose_reply", ["create"]), ("drop_before", [])])
async def test_a_cut_connection_carries_no_byte_and_the_ledger_knows_what_was_done(live, name, made):
    await live.fault(name, match=CREATE)
    assert await raw_exchange(live, payin_body()) == b""
    assert await live.kinds() == made
    (request,) = await live.requests()
    assert (request["status"], request["fault"], request["external_id"]) == (None, name, "order-1")


@pytest.mark.parametrize("name", ["lose_reply", "drop_before"])
async def test_a_connection_can_be_reset(live, name):
    await live.fault(name, match=CREATE, reset=True)
    with pytest.raises(ConnectionResetError):
        await raw_exchange(live, payin_body())


async def test_a_kept_connection_is_cut_as_well(live):
    await live.payin(external_id="before")
    await live.fault("lose_reply", match=CREATE)
    with pytest.raises(httpx.RemoteProtocolError):
        await live.payin(external_id="lost")
    assert await live.kinds(external_id="lost") == ["create"]
    await live.payin(external_id="after")


async def test_a_truncated_answer_stops_in_the_body(live):
    await live.fault("truncate", match=CREATE)
    head, _, body = (await raw_exchange(live, payin_body())).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 201")
    assert 0 < len(body) < length
    assert await live.kinds() == ["create"]


async def test_a_hanging_request_was_done_and_is_never_answered(live):
    await live.fault("hang", match=CREATE)
    with pytest.raises(httpx.ReadTimeout):
        await live.client.post(
            "/api/v2/payins", json=payin_body(), headers={"app-id": APP, "secret-key": SECRET}, timeout=0.3
        )
    assert await live.kinds() == ["create"]
    assert (await live.requests())[0]["status"] is None


async def test_an_answer_can_be_ordered_without_the_deed(desk):
    body = {"errors": {"message": "slow down"}}
    await desk.fault("status", match=CREATE, status=429, body=body, headers={"Retry-After": "120"})
    reply = await desk.post("/api/v2/payins", payin_body())
    assert (reply.status_code, reply.json(), reply.headers["retry-after"]) == (429, body, "120")
    assert await desk.kinds() == []


async def test_a_wrong_answer_can_be_ordered_after_the_deed(desk):
    await desk.fault("done_then_status", match=CREATE, status=502, body="<html>Bad Gateway</html>")
    reply = await desk.post("/api/v2/payins", payin_body())
    assert (reply.status_code, reply.text) == (502, "<html>Bad Gateway</html>")
    assert await desk.kinds() == ["create"]


async def test_garbage_is_a_200_that_is_no_json(desk):
    await desk.fault("garbage", match=CREATE)
    reply = await desk.post("/api/v2/payins", payin_body())
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html")
    assert await desk.kinds() == ["create"]


@pytest.mark.parametrize(("after", "made"), [(True, ["create"]), (False, [])])
async def test_a_delay_comes_before_or_after_the_deed(live, after, made):
    await live.fault("delay_ms", match=CREATE, delay_ms=60_000, after=after)
    call = asyncio.create_task(live.post("/api/v2/payins", payin_body()))
    async with asyncio.timeout(5):
        while not await live.requests() or await live.kinds() != made:
            await asyncio.sleep(0.01)
    assert not call.done()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_fault_happens_as_often_as_ordered_and_only_where_it_fits(desk):
    await desk.fault("status", match={**CREATE, "external_id": "order-2"}, times=2, status=503)
    statuses = [
        (await desk.post("/api/v2/payins", payin_body(external_id=external_id))).status_code
        for external_id in ("order-1", "order-2", "order-2", "order-2")
    ]
    assert statuses == [201, 503, 503, 201]
    assert (await desk.client.get("/_sandbox/faults")).json() == {"faults": []}


async def test_a_path_may_be_matched_by_its_beginning_and_a_read_by_its_uuid(desk):
    uuid = (await desk.card())["uuid"]
    await desk.fault("status", match={"path": "/api/v2/cards/payments/*", "uuid": uuid}, status=500)
    assert (await desk.get(f"/api/v2/cards/payments/{uuid}")).status_code == 500
    assert (await desk.get(f"/api/v2/cards/payments/{uuid}")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [{"fault": "fire"}, {"fault": "hang", "match": {"colour": "red"}}, {"fault": "hang", "times": 0}, {}],
)
async def test_an_unknown_fault_is_refused(desk, body):
    assert (await desk.client.post("/_sandbox/faults", json=body)).status_code == 422


async def test_faults_can_be_cleared(desk):
    await desk.fault("status", match=CREATE)
    await desk.client.delete("/_sandbox/faults")
    assert (await desk.post("/api/v2/payins", payin_body())).is_success


async def test_the_server_stops_although_a_request_hangs(settings):
    port, app = free_port(), create_app(settings)
    app.state.provider.faults.add({"fault": "hang"})
    server = make_server(app, host="127.0.0.1", port=port, log_level="critical")
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v2/payins/all HTTP/1.1\r\nhost: x\r\n\r\n")
        while not app.state.provider.ledger.requests:
            await asyncio.sleep(0.01)
        server.should_exit = True
        await serving
    writer.close()


def test_each_fault_of_a_request_has_its_way_to_happen():
    assert set(MISHAPS) == REQUEST_FAULTS


async def test_latency_comes_before_each_answer_of_the_api(desk):
    await desk.settings(latency_ms=120)
    started = time.perf_counter()
    assert (await desk.post("/api/v2/payins", payin_body())).is_success
    assert time.perf_counter() - started >= 0.12
