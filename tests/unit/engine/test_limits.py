"""What one reply means for all calls with the same credentials: a pause, or an outage (I9, table D of the faults)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.memory_limiter import MemoryLimiter
from orchestrator.breaker import OPENS_AT
from orchestrator.errors import StoreUnavailableError
from orchestrator.limits import PAUSE_MAX_S, heed
from orchestrator.ports import CallClass, ProviderRequest, Reply
from tests.unit.core.building import payin_body, payin_intent
from tests.unit.engine.world import LOST, MINUTE_MS, PAYIN, UNSENT, World, said

POST = ProviderRequest(operation="create", credentials="default", method="POST", path="/v2/payins", body={})


def code(http_status, retry_after_s=None):
    return Reply(sent=True, http_status=http_status, retry_after_s=retry_after_s)


class Engine:
    """An engine with a limiter that counts."""

    def __init__(self) -> None:
        self.world = World()
        self.limiter = MemoryLimiter(
            clock=self.world.clock, rate_of=lambda _: CallRate(rate_per_s=1000, burst=1000, max_concurrency=2)
        )
        self.engine = replace(self.world.engines["w1"], limiter=self.limiter)

    async def hears(self, *replies, request=POST):
        for reply in replies:
            await heed(reply, request, engine=self.engine)

    async def wait_ms(self, account="default", call_class=CallClass.ACT):
        wait_ms = await self.limiter.permit(account, call_class)
        if not wait_ms:
            self.limiter.ended(account)
        return wait_ms


@pytest.mark.parametrize(
    ("reply", "reason", "for_s"),
    [
        (code(401), "unauthorised", 30),
        (code(429), "rate_limited", 1),
        (code(429, 0), "rate_limited", 1),
        (code(429, 5), "rate_limited", 5),
        (code(429, 3600), "rate_limited", PAUSE_MAX_S),
        (code(503, 7), "unavailable", 7),
        (code(503, 3600), "unavailable", PAUSE_MAX_S),
    ],
    ids=["401", "429", "429 in 0 s", "429 in 5 s", "429 in an hour", "503 in 7 s", "503 in an hour"],
)
async def test_an_answer_that_is_for_all_pauses_the_account_for_a_bounded_time(reply, reason, for_s):
    engine = Engine()
    await engine.hears(reply)
    assert await engine.limiter.paused() == {"default": reason}
    assert await engine.wait_ms() == for_s * 1000
    assert await engine.wait_ms("shop") == 0
    engine.world.clock.ms += for_s * 1000
    assert await engine.wait_ms() == 0


@pytest.mark.parametrize("status", [200, 204, 302, 400, 403, 404, 408, 409, 422, 425, 500, 503, 504])
async def test_any_other_answer_pauses_nobody(status):
    engine = Engine()
    await engine.hears(code(status))
    assert await engine.limiter.paused() == {}


@pytest.mark.parametrize("reply", [LOST, UNSENT, code(500), code(502), code(503), code(504), code(520)], ids=str)
async def test_no_connection_no_answer_and_the_servers_own_failures_are_an_outage(reply):
    engine = Engine()
    await engine.hears(*[reply] * OPENS_AT)
    assert engine.world.ledger.said("merchant.breaker_opened") == 1
    assert await engine.wait_ms() > 0
    assert await engine.wait_ms("shop") == 0


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 408, 409, 422, 425, 429])
async def test_a_provider_that_says_anything_else_is_there(status):
    engine = Engine()
    await engine.hears(*[code(status)] * 3 * OPENS_AT)
    assert engine.world.ledger.said("merchant.breaker_opened") == 0


@pytest.mark.parametrize("error", ["too_late", "no_permit", "no_access_token"])
async def test_what_we_did_not_even_try_is_no_outage(error):
    engine = Engine()
    await engine.hears(*[Reply(sent=False, error=error)] * 3 * OPENS_AT)
    assert engine.world.ledger.said("merchant.breaker_opened") == 0


async def test_i9_bad_credentials_for_one_currency_pause_no_other():
    engine = Engine()
    await engine.hears(code(401), request=replace(POST, credentials="default:JPY"))
    assert await engine.wait_ms("default:JPY") > 0
    assert await engine.wait_ms("default") == 0


async def test_i9_a_store_that_is_away_when_a_pause_is_told_loses_no_reply():
    world = World()

    async def away(*_, **__):
        raise StoreUnavailableError("away")

    world.gate.pause = away  # type: ignore[method-assign]
    await heed(code(401), POST, engine=world.engines["w1"])
    assert world.ledger.said("merchant.not_shared") == 1


async def test_every_permit_is_given_back_whatever_came_of_the_call():
    engine = Engine()
    world = engine.world
    world.engines["w1"] = engine.engine
    world.provider.script("create", UNSENT, code(429), code(425), LOST, said(payin_body("pending")))
    await world.submit(payin_intent())
    await world.pass_time(10 * MINUTE_MS)
    assert world.provider.calls["create"] >= 4
    for _ in range(2):  # both of its slots
        assert await engine.limiter.permit("default", CallClass.ACT) == 0
    assert await engine.limiter.permit("default", CallClass.ACT) > 0


async def test_a_read_that_is_answered_503_comes_back_when_it_was_told():
    world = World()
    world.provider.script("create", said(payin_body("pending", pay_code={"qr_string": "0"})))
    world.provider.script("detail", code(503, 120), said(payin_body("received")))
    await world.submit(payin_intent())
    await world.pass_time(2 * MINUTE_MS)
    assert world.provider.calls["detail"] == 1
    await world.pass_time(2 * MINUTE_MS)
    assert world.provider.calls["detail"] == 2
    assert world.story(PAYIN)[-1] == "succeeded"
