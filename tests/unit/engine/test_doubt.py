from __future__ import annotations

import pytest

from orchestrator.payment import OperationState
from orchestrator.ports import Reply
from tests.unit.core.building import card_body, card_intent
from tests.unit.engine.world import (
    CARD,
    DAY_MS,
    HOUR_MS,
    LOST,
    MINUTE_MS,
    UNAUTHORISED,
    UNSENT,
    World,
    said,
)

PENDING = card_body("pending", pay_code={"3ds_url": "https://3ds.example/x"}, created_at="2027-01-15T08:00:01Z")


class WorkerDiedError(Exception):
    """The process is gone; nothing after this line of it happens."""


def page(*records) -> Reply:
    return said({"records": list(records), "page": 1, "per_page": 20})


@pytest.fixture
def world() -> World:
    world = World()
    world.provider.script("card", said(PENDING))
    return world


async def lost_create(world: World, reply: Reply = LOST) -> None:
    world.provider.script("create", reply)
    await world.submit()


async def test_vector_3_a_webhook_resolves_a_lost_create_and_the_scan_finds_the_same(world):
    await lost_create(world)
    assert world.story() == ["accepted", "in_doubt"]
    await world.hook(PENDING)
    assert world.story()[2:] == ["requires_action"]
    world.provider.script("list", page(PENDING))
    await world.pass_time(DAY_MS)
    payment = await world.payment()
    assert (payment.reference, payment.aliases, payment.create.state) == ("uuid:PSADT5CE", (), OperationState.DONE)
    assert world.provider.calls["create"] == 1


@pytest.mark.parametrize(
    "reply",
    [LOST, said({}, 502), said({}, 503), said({}, 500), Reply(sent=True, http_status=200), said({"errors": {}})],
    ids=["timeout", "502", "503", "500", "not json", "errors in 200"],
)
async def test_a_lost_create_is_found_in_the_list(world, reply):
    await lost_create(world, reply)
    world.provider.script("list", page(card_body("pending", external_id="ord-1", uuid="X"), PENDING))
    await world.pass_time(MINUTE_MS)
    assert world.story() == ["accepted", "in_doubt", "requires_action"]
    assert world.last()["observed_by"] == "scan"
    assert world.provider.calls["create"] == 1


async def test_vector_4_an_empty_list_ends_in_a_review_and_never_in_a_second_create(world):
    await lost_create(world, said({}, 502))
    await world.pass_time(3 * DAY_MS)
    assert world.story() == ["accepted", "in_doubt", "in_doubt"]
    assert world.last()["review"] == ["in_doubt_aged"]
    assert world.provider.calls["create"] == 1
    assert world.store.due(CARD) is not None


async def test_a_later_page_of_the_list_is_read_too(world):
    await lost_create(world)
    full = page(*(card_body("pending", external_id=f"other-{n}", uuid=f"U{n}") for n in range(20)))
    world.provider.script("list", full, full, page(PENDING))
    await world.pass_time(MINUTE_MS)
    assert world.story()[-1] == "requires_action"


async def test_of_several_records_the_oldest_that_did_not_fail_is_adopted(world):
    await lost_create(world)
    failed = card_body("failed", uuid="FAILED1", created_at="2027-01-15T08:00:00Z")
    later = PENDING | {"uuid": "LATER1", "created_at": "2027-01-15T08:00:09Z"}
    world.provider.script("list", page(later, PENDING, failed))
    await world.pass_time(MINUTE_MS)
    payment = await world.payment()
    assert payment.reference == "uuid:PSADT5CE"
    assert payment.aliases == ("uuid:FAILED1", "uuid:LATER1")
    assert world.last()["status"] == "requires_action"


async def test_vector_5_a_422_on_the_first_attempt_fails_with_its_words(world):
    await lost_create(world, said({"errors": {"message": "Invalid amount."}}, 422))
    assert world.story() == ["accepted", "failed"]
    assert world.last()["failure"] == {"code": "http_422", "message": "Invalid amount."}
    assert world.store.due(CARD) is None


async def test_vector_15_a_crash_after_sending_is_in_doubt_and_sends_nothing_again(world):
    async def die(_request):
        raise WorkerDiedError

    world.provider.script("create", die, said(PENDING))
    with pytest.raises(WorkerDiedError):
        await world.submit()
    assert (await world.payment()).create.state is OperationState.SENDING
    assert world.story() == ["accepted"]
    await world.pass_time(11_000, worker="w2")
    assert world.story() == ["accepted", "in_doubt"]
    world.provider.script("list", page(PENDING))
    await world.pass_time(HOUR_MS, worker="w2")
    assert world.story()[2:] == ["requires_action"]
    assert world.provider.calls["create"] == 1
    await world.assert_consistent()


async def test_a_crash_before_the_mark_sends_once(world):
    await world.deliver()
    await world.claim(worker="w1")
    world.provider.script("create", said(PENDING))
    await world.pass_time(11_000, worker="w2")
    assert world.story() == ["accepted", "requires_action"]
    assert world.provider.calls["create"] == 1


async def test_what_certainly_was_not_sent_is_sent_again_until_it_may_not(world):
    await lost_create(world, UNSENT)
    await world.pass_time(5 * MINUTE_MS)
    assert world.provider.calls["create"] > 5
    assert world.story() == ["accepted"]
    world.provider.script("create", said(PENDING))
    await world.pass_time(MINUTE_MS)
    assert world.story() == ["accepted", "requires_action"]


async def test_a_call_that_would_go_out_too_late_is_not_made(world):
    world.store.takes_ms["commit"] = 2001
    world.provider.script("create", said(PENDING))
    await world.submit()
    payment = await world.payment()
    assert (payment.create.state, payment.create.unsent) == (OperationState.READY, 1)
    assert world.provider.requests == []
    await world.pass_time(2 * MINUTE_MS)
    assert world.story() == ["accepted", "requires_action"]
    assert world.provider.calls["create"] == 1


async def test_wrong_credentials_pause_the_merchant_and_fail_nothing(world):
    await lost_create(world, UNAUTHORISED)
    assert world.story() == ["accepted"]
    assert list(await world.gate.paused()) == ["default"]
    assert world.ledger.said("merchant.paused") == 1
    await world.submit(card_intent(intent_id="ord-2"))
    assert world.provider.calls["create"] == 1
    world.provider.script("create", said(PENDING))
    await world.pass_time(2 * MINUTE_MS)
    assert world.story() == ["accepted", "requires_action"]


async def test_i9_a_paused_merchant_stops_no_other(world):
    await lost_create(world, UNAUTHORISED)
    world.provider.script("create", said(PENDING))
    await world.submit(card_intent(merchant="shop-b"))
    assert world.provider.calls["create"] == 2


@pytest.mark.parametrize("retry_after_s", [120, None])
async def test_vector_16_a_429_is_waited_for_and_no_doubt(world, retry_after_s):
    reply = Reply(sent=True, http_status=429, retry_after_s=retry_after_s)
    world.provider.script("create", reply, said(PENDING))
    await world.submit()
    assert world.story() == ["accepted"]
    await world.pass_time((retry_after_s or 1) * 1000 - 100)
    assert world.provider.calls["create"] == 1
    await world.pass_time(3_000)
    assert world.story() == ["accepted", "requires_action"]
    assert world.provider.calls["create"] == 2


async def test_a_webhook_before_the_reply_to_the_create(world):
    async def create(_request):
        await world.hook(card_body("authorised"), turn=False)
        return said(PENDING)

    world.provider.script("create", create)
    world.provider.script("capture", said(card_body("waiting")))
    await world.submit()
    await world.turn()
    assert "in_doubt" not in world.story()
    assert world.story()[-2:] == ["processing/capturing", "processing/settling"]
    assert world.provider.calls["create"] == world.provider.calls["capture"] == 1
    await world.assert_consistent()


async def test_a_webhook_before_a_create_that_is_lost(world):
    async def create(_request):
        await world.hook(PENDING, turn=False)
        return LOST

    world.provider.script("create", create)
    await world.submit()
    await world.turn()
    assert world.story()[-1] == "requires_action"
    assert world.provider.calls["create"] == 1


async def test_the_reply_of_a_worker_that_lost_its_claim_goes_in_as_an_observation(world):
    async def create(_request):
        world.clock.ms += 11_000
        await world.turn(worker="w2")
        assert (await world.payment()).create.state is OperationState.IN_DOUBT
        return said(PENDING)

    world.provider.script("create", create)
    await world.submit()
    assert world.ledger.said("payment.fenced") == 1
    assert world.story() == ["accepted", "in_doubt"]
    await world.turn(worker="w2")
    assert world.story()[2:] == ["requires_action"]
    assert world.last()["observed_by"] == "reply"
    assert world.provider.calls["create"] == 1
    await world.assert_consistent()


async def test_i1_news_refuses_the_mark_and_the_create_is_not_sent(world):
    async def webhook_comes(_class):
        await world.hook(PENDING, turn=False)

    world.gate.before = webhook_comes
    world.provider.script("create", said(PENDING))
    await world.submit()
    assert world.provider.calls["create"] == 0
    assert world.story() == ["accepted", "requires_action"]
    assert world.last()["review"] == ["unexpected_observation"]


async def test_news_that_settles_the_money_refuses_the_capture(world):
    world.provider.script("create", said(PENDING))
    await world.submit()

    async def webhook_comes(_class):
        await world.hook(card_body("waiting"), turn=False)

    world.gate.before = webhook_comes
    await world.hook(card_body("authorised"))
    await world.turn()
    assert world.provider.calls["capture"] == 0
    assert world.story()[-1] == "processing/settling"


@pytest.mark.parametrize("body", [PENDING, "not json", {"half": "a body"}], ids=["usable", "not json", "unusable"])
async def test_an_orphan_webhook_makes_the_create_start_in_doubt(world, body):
    outcome = await world.hook(body)
    assert outcome == "orphaned"
    world.provider.script("create", said(PENDING))
    world.provider.script("list", page(PENDING))
    await world.submit()
    await world.turn()
    assert world.provider.calls["create"] == 0
    assert world.story()[-1] == "requires_action"
    assert "unexpected_observation" in world.last()["review"]


async def test_an_observation_that_nobody_wrote_is_passed_over_and_told(world):
    world.provider.script("create", said(PENDING))
    world.provider.script("capture", said(card_body("waiting")))
    await world.submit()
    for junk in (b"junk", b"{}", b'{"kind": "Other", "at_ms": 1}', b'{"kind": "WebhookSeen", "at_ms": 1}'):
        await world.store.notify(CARD, junk, op=junk.hex())
    await world.hook(card_body("authorised"))
    assert world.ledger.said("observation.unreadable") == 1
    assert "processing/capturing" in world.story()


@pytest.mark.parametrize("waits_ms", [59_000, 61_000])
async def test_i5_what_became_too_late_while_its_permit_was_waited_for_is_not_sent(waits_ms):
    world = World()
    world.provider.script("create", said(card_body("pending")))

    async def slow(_):
        world.clock.ms += waits_ms

    world.gate.before = slow
    await world.submit(card_intent(send_within_s=60))
    world.gate.before = None

    assert world.provider.calls["create"] == int(waits_ms < 60_000)
    if waits_ms > 60_000:
        assert world.story()[-1] == "expired/not_sent"
