"""Traps of the contract that need the whole engine: repeats, races, silence, and what is said aloud."""

from __future__ import annotations

import pytest

from orchestrator.webhook_auth import authorization
from tests.unit.core.building import (
    LINK,
    card_body,
    card_intent,
    gateway_body,
    gateway_intent,
    gateway_reply,
    payid_body,
    payid_intent,
    payin_body,
    payin_intent,
)
from tests.unit.engine.world import (
    CARD,
    DAY_MS,
    GATEWAY,
    HOUR_MS,
    LOST,
    MINUTE_MS,
    PAYID,
    PAYIN,
    World,
    said,
)

ACTION = {"pay_code": {"3ds_url": "https://3ds.example/x", "pay_url": "https://pay.example/?jwt=eyJ"}}
# Flow -> key, intent, the reply to its create, its read's name, its words.
FLOWS = {
    "card": (CARD, card_intent, card_body("pending", **ACTION), "card", card_body),
    "payin": (PAYIN, payin_intent, payin_body("pending", **ACTION), "detail", payin_body),
    "payid": (PAYID, payid_intent, payid_body("pending"), "status", payid_body),
    "gateway_link": (GATEWAY, gateway_intent, gateway_reply(), None, gateway_body),
}
ON_FLOWS = pytest.mark.parametrize("flow", sorted(FLOWS))
READABLE = pytest.mark.parametrize("flow", [name for name, row in sorted(FLOWS.items()) if row[3]])


async def open_payment(flow: str) -> World:
    """A payment that its customer may pay; its read says so too."""
    _, intent, reply, read, body = FLOWS[flow]
    world = World()
    world.provider.script("create", said(reply))
    if read:
        world.provider.script(read, said(body("pending", **(ACTION if flow != "payid" else {}))))
    await world.submit(intent())
    return world


# The re-creation table: what only we pass on to the customer is created once more.
CREATES_AT_MOST = {"card": 1, "payin": 2, "gateway_link": 2, "payid": 1}


@ON_FLOWS
@pytest.mark.parametrize("lost", [LOST, said({}, 502), said(None), said({"errors": {}})], ids=str)
async def test_t11_i1_a_create_whose_outcome_is_unknown_is_repeated_only_as_its_flow_declares(flow, lost):
    key, intent, *_ = FLOWS[flow]
    world = World()
    world.provider.script("create", lost)
    await world.submit(intent())
    for _ in range(3):
        await world.submit(intent())
        await world.pass_time(9 * HOUR_MS)
    assert world.provider.calls["create"] == CREATES_AT_MOST[flow]
    assert world.story(key) == ["accepted", "in_doubt", "in_doubt"]
    assert world.last(key)["review"] == ["in_doubt_aged"]


@READABLE
@pytest.mark.parametrize(
    ("word", "story"),
    [
        ("expired", ["expired/provider"]),
        ("failed", ["failed"]),
        ("waiting", ["processing/settling"]),
        ("received", ["succeeded"]),
        ("return_pending", ["refund_pending"]),
    ],
)
async def test_t15_what_no_webhook_tells_is_found_by_polling(flow, word, story):
    key, _, _, read, body = FLOWS[flow]
    world = await open_payment(flow)
    world.provider.script(str(read), said(body(word)))
    await world.pass_time(2 * MINUTE_MS)
    assert world.story(key)[2:] == story
    assert world.last(key)["observed_by"] == "poll"


@READABLE
@pytest.mark.parametrize("word", ["return_rejected", "return_expired"])
async def test_t15_a_refund_that_fell_through_is_found_by_polling(flow, word):
    key, _, _, read, body = FLOWS[flow]
    world = await open_payment(flow)
    world.provider.script(str(read), said(body("received")))
    await world.hook(body("received"), key=key)
    await world.hook(body("return_pending"), key=key)
    world.provider.script(str(read), said(body(word)))
    await world.pass_time(2 * DAY_MS)
    assert world.story(key)[-2:] == ["refund_pending", "succeeded"]


@ON_FLOWS
async def test_t46_a_webhook_that_comes_before_our_own_commit_is_applied_once(flow):
    key, intent, reply, read, body = FLOWS[flow]
    world = World()
    if read:
        world.provider.script(read, said(body("received")))

    async def overtaken(_request):
        await world.hook(body("received"), key=key, turn=False)
        return said(reply)

    world.provider.script("create", overtaken)
    await world.submit(intent())
    await world.turn()
    assert world.story(key)[-1] == "succeeded"
    assert world.story(key).count("succeeded") == 1
    assert world.provider.calls["create"] == 1
    await world.assert_consistent(key)


@ON_FLOWS
async def test_vector_12_four_identical_deliveries_are_one_event(flow):
    key, _, _, read, body = FLOWS[flow]
    world = await open_payment(flow)
    if read:
        world.provider.script(read, said(body("waiting")))
    for _ in range(4):
        await world.hook(body("waiting"), key=key)
    assert world.story(key)[2:] == ["processing/settling"]


@pytest.mark.parametrize("page", [{"total_page": 1}, {"total": 1}, {}, {"total_page": None, "total": "x"}])
@pytest.mark.parametrize(("length", "asked"), [({"per_page": 20}, ["1", "2"]), ({}, ["1", "2", "3"])])
async def test_t29_a_list_is_read_until_a_page_is_short_whatever_it_says_of_its_length(page, length, asked):
    world = World()
    world.provider.script("create", LOST)
    others = [card_body("received", uuid=f"A{number}", external_id=f"other-{number}") for number in range(20)]
    ours = card_body("waiting", created_at="2027-01-15T08:00:00.000+0000")
    pages = [said({"records": records} | page | length) for records in (others, [ours], others[:0])]
    world.provider.script("list", *pages)
    world.provider.script("card", said(card_body("waiting")))
    await world.submit(card_intent())
    assert world.story()[-1] == "processing/settling"
    queries = [dict(request.query)["page"] for kind, request in world.provider.requests if kind == "list"]
    assert queries == asked


@ON_FLOWS
async def test_t42_i8_nothing_secret_reaches_the_journal(flow):
    key, _, _, read, body = FLOWS[flow]
    world = await open_payment(flow)
    if read:
        world.provider.script(read, said(body("received")))
    await world.hook(body("received"), key=key)
    journal = repr(world.ledger.lines)
    secrets = [
        LINK,
        "eyJ",
        "3ds.example",
        "tok_",
        "po1.",
        authorization("secret", key, 1),
        "dreamithost",
        "@example.com",
    ]
    assert [secret for secret in secrets if secret in journal] == []
    assert "ord-" in journal


@ON_FLOWS
async def test_t21_the_customers_return_changes_nothing(flow):
    key, *_ = FLOWS[flow]
    world = await open_payment(flow)
    published = len(world.events(key))
    await world.pass_time(30 * MINUTE_MS)
    assert len(world.events(key)) == published


async def test_vector_12_what_is_no_json_is_kept_and_changes_nothing():
    world = await open_payment("card")
    for text in ("", "no json", "[]", "null", '{"uuid": ', '{"amount": NaN}', "[" * 60_000):
        await world.hook(text)
    assert world.story() == ["accepted", "requires_action"]
    assert world.ledger.said("observation.unreadable") == 0
