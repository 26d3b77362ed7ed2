"""The re-creation table: what is sent once more after a lost answer, and what never is (architecture)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.payment import CAPTURE, CREATE, OperationState
from orchestrator.policy import Policy
from orchestrator.ports import ProviderRequest, Reply
from tests.unit.core.building import (
    NOW_MS,
    card_body,
    card_intent,
    gateway_intent,
    payid_intent,
    payin_body,
    payin_intent,
)
from tests.unit.engine.world import (
    CARD,
    DAY_MS,
    EMPTY_LIST,
    GATEWAY,
    LOST,
    MINUTE_MS,
    PAYIN,
    World,
    said,
)

FOUND = payin_body("pending", pay_code={"pay_url": "https://pay.example/x"}, created_at="2027-01-15T08:00:01Z")
REFUSED = said({"errors": {"code": "DUPLICATE", "message": "external_id was used"}}, 422)
GRACE_ENDS_MS = 100_000  # the call's deadline and the grace, counted from the sending


def attempts(world: World) -> list[str]:
    """The last part of the webhook path of each create: the attempt it was made for."""
    creates = [request for kind, request in world.provider.requests if kind == "create"]
    return [_endpoint(request).rpartition("/")[2] for request in creates]


def _endpoint(request: ProviderRequest) -> str:
    body = request.body or {}
    for name in ("webhook_notification", "payment_gateway_notification", "payment_request_notification"):
        notification = body.get(name)
        if isinstance(notification, dict):
            return str(notification["endpoint_url"])
    raise AssertionError(body)


async def lost(intent, *, policy: Policy | None = None, listed: Reply = EMPTY_LIST) -> World:
    world = World(policy)
    world.provider.script("create", LOST)
    world.provider.script("list", listed)
    await world.submit(intent)
    return world


async def test_i1_a_payin_that_no_whole_list_holds_is_created_once_more_after_the_grace():
    world = await lost(payin_intent())
    await world.pass_time(GRACE_ENDS_MS - 1_000)
    assert attempts(world) == ["1"]
    world.provider.script("create", said(FOUND))
    await world.pass_time(2 * MINUTE_MS)
    assert attempts(world) == ["1", "2"]
    assert world.story(PAYIN) == ["accepted", "in_doubt", "requires_action"]
    await world.pass_time(DAY_MS)
    assert world.provider.calls["create"] == 2
    await world.assert_consistent(PAYIN)


async def test_payins_whose_graces_end_one_after_the_other_are_each_created_once_more_at_once():
    world = await lost(payin_intent())
    await world.pass_time(1_000)
    await world.submit(payin_intent(intent_id="ord-2002"))
    world.provider.script("create", said(FOUND))
    for _ in range(0, GRACE_ENDS_MS + 1_000, 500):
        await world.pass_time(500)
        await world.turn()
    assert sorted(attempts(world)) == ["1", "1", "2", "2"]


async def test_a_look_that_began_before_the_end_of_the_grace_is_made_again_after_it():
    world = World(Policy(call_total_ms=20_000, grace_ms=10_000))
    world.provider.latency_ms = 10_000
    world.provider.script("create", LOST)
    await world.submit(payin_intent())  # looked for from its tenth second on, and from the 25th to the 35th
    world.provider.script("create", said(FOUND))
    await world.pass_time(29_000)
    assert attempts(world) == ["1", "2"]


async def test_i1_the_second_attempt_is_the_last():
    world = await lost(payin_intent())
    await world.pass_time(3 * DAY_MS)
    assert attempts(world) == ["1", "2"]
    assert world.story(PAYIN) == ["accepted", "in_doubt", "in_doubt"]
    assert world.last(PAYIN)["review"] == ["in_doubt_aged"]


@pytest.mark.parametrize(
    "listed",
    [
        said({"records": [], "page": 1}, 502),
        LOST,
        said({"errors": {"message": "no"}}),
        said({"records": None}),
        said({"records": [{"uuid": "X", "status": "pending"}], "per_page": 20}),
        said({"records": ["text"], "per_page": 20}),
        said({"records": [{"external_id": "other"}]}),
    ],
    ids=["502", "lost", "errors", "no records", "a record without our id", "no objects", "a page of unknown length"],
)
async def test_i1_a_list_that_was_not_read_wholly_proves_no_absence(listed):
    world = await lost(payin_intent(), listed=listed)
    await world.pass_time(3 * DAY_MS)
    assert attempts(world) == ["1"]
    assert world.story(PAYIN) == ["accepted", "in_doubt", "in_doubt"]


async def test_i1_a_list_longer_than_we_read_proves_no_absence():
    full = said({"records": [{"external_id": f"other-{number}"} for number in range(20)], "per_page": 20})
    world = await lost(payin_intent(), policy=Policy(scan_pages_max=3), listed=full)
    await world.pass_time(DAY_MS)
    assert attempts(world) == ["1"]


@pytest.mark.parametrize(
    "told",
    [{"per_page": 10}, {}, {"per_page": 20, "total_page": 2}, {"per_page": 20, "total": 11}],
    ids=["its length", "nothing", "how many pages", "how many records"],
)
async def test_a_provider_that_makes_its_pages_shorter_than_we_asked_is_read_on(told):
    other: list[dict[str, object]] = [{"external_id": f"other-{number}"} for number in range(10)]
    pages: dict[str, list[dict[str, object]]] = {"1": other, "2": [FOUND]}

    def page(request: ProviderRequest) -> Reply:
        return said({"records": pages.get(dict(request.query)["page"], [])} | told)

    world = World()
    world.provider.script("create", LOST)
    world.provider.script("list", page)
    await world.submit(payin_intent())
    await world.pass_time(MINUTE_MS)
    assert world.story(PAYIN)[-1] == "requires_action"


@pytest.mark.parametrize("told", [{}, {"per_page": 20, "total": 900}], ids=["nothing", "more than there is"])
async def test_a_list_ends_with_an_empty_page_whatever_is_told_of_its_length(told):
    records = [{"external_id": f"other-{number}"} for number in range(10)]

    def page(request: ProviderRequest) -> Reply:
        return said({"records": records if dict(request.query)["page"] == "1" else []} | told)

    world = World()
    world.provider.script("create", LOST, said(FOUND))
    world.provider.script("list", page)
    await world.submit(payin_intent())
    await world.pass_time(3 * MINUTE_MS)
    assert attempts(world) == ["1", "2"]


async def test_a_list_that_gives_the_same_page_for_ever_is_not_read_for_ever():
    full = said({"records": [{"external_id": f"other-{number}"} for number in range(20)], "per_page": 20})
    world = await lost(payin_intent(), listed=full)
    await world.pass_time(3 * MINUTE_MS)
    assert attempts(world) == ["1"]
    assert world.provider.calls["list"] < 20


async def test_i1_a_payin_that_the_list_shows_is_adopted_and_not_created_again():
    world = await lost(payin_intent())
    await world.pass_time(30_000)
    world.provider.script("list", said({"records": [FOUND], "per_page": 20}))
    await world.pass_time(DAY_MS)
    assert attempts(world) == ["1"]
    assert "requires_action" in world.story(PAYIN)


@pytest.mark.parametrize(
    ("method", "currency"),
    [("ke_mobile_money_kes", "KES"), ("gh_mobile_money_ghs", "GHS")],
)
async def test_i1_a_payin_that_reaches_the_phone_by_itself_is_never_created_again(method, currency):
    params = {"account_number": "254700000000"}
    intent = payin_intent(currency=currency, method={"payin_method_name": method, "payin_method_params": params})
    world = await lost(intent)
    await world.pass_time(3 * DAY_MS)
    assert attempts(world) == ["1"]


async def test_i1_a_card_is_never_created_again_by_the_program():
    world = await lost(card_intent(), policy=Policy(recreated_flows=frozenset({"card", "payin"})))
    await world.pass_time(3 * DAY_MS)
    assert attempts(world) == ["1"]
    assert world.last()["review"] == ["in_doubt_aged"]


async def test_i1_a_link_is_created_once_more_after_the_grace_with_a_webhook_of_its_own():
    world = await lost(gateway_intent())
    await world.pass_time(GRACE_ENDS_MS - 1_000)
    assert attempts(world) == ["1"]
    await world.pass_time(2 * MINUTE_MS)
    assert attempts(world) == ["1", "2"]
    await world.pass_time(3 * DAY_MS)
    assert attempts(world) == ["1", "2"]


async def test_i1_a_payid_is_created_again_only_where_the_provider_mails_none_but_the_merchant():
    others = await lost(payid_intent())
    await others.pass_time(DAY_MS)
    assert attempts(others) == ["1"]
    policy = Policy(payid_own_mailboxes=frozenset({"desk@shop.com"}))
    mixed = await lost(payid_intent(method={"emails": ["desk@shop.com", "jane@example.com"]}), policy=policy)
    await mixed.pass_time(DAY_MS)
    assert attempts(mixed) == ["1"]
    own = await lost(payid_intent(method={"emails": ["desk@shop.com"]}), policy=policy)
    await own.pass_time(DAY_MS)
    assert attempts(own) == ["1", "2"]


@pytest.mark.parametrize(
    ("intent", "key"), [(payin_intent(), PAYIN), (gateway_intent(), GATEWAY)], ids=["payin", "gateway_link"]
)
async def test_an_operator_may_switch_re_creation_off(intent, key):
    world = await lost(intent, policy=Policy(recreated_flows=frozenset()))
    await world.pass_time(2 * DAY_MS)
    assert attempts(world) == ["1"]
    assert world.last(key)["review"] == ["in_doubt_aged"]


@pytest.mark.parametrize("answer", [REFUSED, said({}, 404), said({}, 409)], ids=["422", "404", "409"])
@pytest.mark.parametrize(
    ("intent", "key"), [(payin_intent(), PAYIN), (gateway_intent(), GATEWAY)], ids=["payin", "gateway_link"]
)
async def test_t12_a_no_to_the_repeat_keeps_the_payment_in_doubt(intent, key, answer):
    world = await lost(intent)
    world.provider.script("create", answer)
    await world.pass_time(2 * DAY_MS)
    assert attempts(world) == ["1", "2"]
    assert world.story(key) == ["accepted", "in_doubt", "in_doubt"]


async def test_a_repeat_that_certainly_was_not_executed_is_sent_again_and_stays_in_doubt_meanwhile():
    world = await lost(gateway_intent())
    world.provider.script("create", said({}, 429), Reply(sent=False, error="ClientConnectorError"), LOST)
    await world.pass_time(DAY_MS)
    assert attempts(world) == ["1", "2", "2", "2"]
    assert world.story(GATEWAY) == ["accepted", "in_doubt"]


async def test_i1_a_webhook_that_tells_nothing_still_proves_that_the_first_attempt_was_executed():
    world = await lost(payin_intent())
    await world.hook({"hello": "world"}, key=PAYIN)
    await world.pass_time(DAY_MS)
    assert attempts(world) == ["1"]
    assert world.story(PAYIN)[:2] == ["accepted", "in_doubt"]


async def test_i1_a_webhook_that_comes_before_the_repeat_is_sent_stops_it():
    world = await lost(payin_intent())
    await world.gate.pause("default", for_ms=10 * MINUTE_MS, reason="outage")
    await world.pass_time(5 * MINUTE_MS)
    assert (await world.payment(PAYIN)).create.state is OperationState.IN_DOUBT
    await world.hook(FOUND, key=PAYIN)
    await world.pass_time(DAY_MS)
    assert attempts(world) == ["1"]
    assert world.story(PAYIN)[-1] in {"requires_action", "expired"}


async def test_a_repeat_cannot_be_canceled():
    world = await lost(gateway_intent())
    world.provider.script("create", said({}, 429))
    await world.pass_time(GRACE_ENDS_MS + 5_000)
    payment = await world.payment(GATEWAY)
    assert (payment.create.state, payment.create.attempt) == (OperationState.READY, 2)
    await world.command("cancel", key=GATEWAY)
    assert world.refusals() == [("refusal/default/c-1", "already_sent")]


async def test_a_payin_with_too_little_time_left_for_its_repeat_expires_and_its_deadline_is_not_moved():
    deadline = datetime.fromtimestamp((NOW_MS + 21 * MINUTE_MS) / 1000, tz=UTC).isoformat().replace("+00:00", "Z")
    world = await lost(payin_intent(expires_at=deadline), listed=said({}, 502))
    await world.pass_time(6 * MINUTE_MS)
    assert world.story(PAYIN) == ["accepted", "in_doubt"]
    world.provider.script("list", EMPTY_LIST)
    await world.pass_time(20 * MINUTE_MS)
    assert attempts(world) == ["1"]
    assert world.story(PAYIN) == ["accepted", "in_doubt", "expired/not_sent"]


async def test_a_link_whose_customer_left_is_not_created_again_and_stays_in_doubt():
    world = World()
    world.provider.script("create", LOST)
    await world.submit(gateway_intent(send_within_s=60))
    await world.pass_time(2 * DAY_MS)
    assert attempts(world) == ["1"]
    assert world.story(GATEWAY) == ["accepted", "in_doubt", "in_doubt"]


# Captures


def card(status: str, **changes: object) -> dict[str, object]:
    return card_body(status, **changes)


async def capture_lost() -> World:
    world = World()
    world.provider.script("create", said(card("authorised")))
    world.provider.script("card", said(card("authorised")))
    world.provider.script("capture", LOST)
    await world.submit()
    return world


async def test_i1_a_capture_is_repeated_after_two_reads_a_minute_apart_that_show_it_undone():
    world = await capture_lost()
    await world.pass_time(GRACE_ENDS_MS)
    assert world.provider.calls["capture"] == 1
    await world.pass_time(50_000)
    assert world.provider.calls["capture"] == 1
    world.provider.script("capture", said(card("waiting")))
    await world.pass_time(30_000)
    assert world.provider.calls["capture"] == 2
    assert world.story() == ["accepted", "processing/capturing", "processing/settling"]


async def test_i1_a_second_capture_in_doubt_is_for_a_person():
    world = await capture_lost()
    await world.pass_time(2 * DAY_MS)
    assert world.provider.calls["capture"] == 2
    assert world.last()["review"] == ["in_doubt_aged"]
    assert world.ledger.said("payment.needs_review") == 1
    assert (await world.payment()).operations[CAPTURE].state is OperationState.IN_DOUBT
    world.provider.script("card", said(card("waiting")))
    await world.pass_time(2 * DAY_MS)
    assert world.story()[-1] == "processing/settling"
    assert world.last()["review"] == []


@pytest.mark.parametrize("read", [LOST, said({}, 404), said(card("authorised", uuid="OTHER123"))])
async def test_i1_reads_that_do_not_show_the_payment_repeat_no_capture(read):
    world = await capture_lost()
    world.provider.script("card", read)
    await world.pass_time(DAY_MS - MINUTE_MS)
    assert world.provider.calls["capture"] == 1


async def test_a_read_asked_before_the_grace_ended_does_not_count_whenever_it_is_answered():
    world = await capture_lost()

    def slow(_request: ProviderRequest) -> Reply:
        world.clock.ms += 35_000
        return said(card("authorised"))

    world.provider.script("card", slow)
    world.clock.ms = NOW_MS + GRACE_ENDS_MS - 10_000
    await world.turn()
    absent_since_ms = (await world.payment()).operations[CAPTURE].absent_since_ms
    assert absent_since_ms is not None
    assert absent_since_ms >= NOW_MS + GRACE_ENDS_MS


async def test_i1_a_fenced_workers_no_lifts_the_doubt_about_its_own_sending_only():
    world = World()

    async def frozen(_request: ProviderRequest) -> Reply:
        world.clock.ms += world.policy.lease_ms + 1
        await world.turn(worker="w2")
        return Reply(sent=False, error="ClientConnectorError")

    world.provider.script("create", frozen, said(card("pending", pay_code={"3ds_url": "https://3ds.example/x"})))
    await world.submit()
    assert world.story() == ["accepted", "in_doubt"]
    await world.pass_time(MINUTE_MS, worker="w2")
    assert world.story() == ["accepted", "in_doubt", "accepted", "requires_action"]
    assert (await world.payment(CARD)).operations[CREATE].attempt == 1
    await world.assert_consistent()
