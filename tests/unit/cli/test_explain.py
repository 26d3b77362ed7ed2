"""What `payorch explain` tells of whole lives, word for word; the texts stand in `explained/`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.advance import advance
from orchestrator.codec import encode
from orchestrator.errors import FencedError
from orchestrator.history import Entry, Verdict, What, line_of
from orchestrator.identity import shard_of
from orchestrator.payment import OperationState
from orchestrator.ports import ALONE_AT_CLAIMS
from orchestrator.statuses import Review
from tests.unit.core.building import NOW_MS, card_body, card_intent, created, payid_intent, payin_body, payin_intent
from tests.unit.engine.world import (
    CARD,
    EMPTY_LIST,
    LOST,
    MINUTE_MS,
    PAYID,
    PAYIN,
    UNAUTHORISED,
    UNSENT,
    World,
    said,
)
from workers.cli.explain import Found, explained_of
from workers.cli.explained import lines_of
from workers.cli.telling import REVIEWS, told

TEXTS = Path(__file__).parent / "explained"
SHARD = shard_of(CARD, shards=64)
PENDING = card_body("pending", pay_code={"3ds_url": "https://bank.example/3ds"})
MANUAL = card_intent(
    method={"token": "tok_dfe1988a1ffc0d6562d3", "return_url": "https://shop.example/back", "capture": "manual"}
)
LOST_ANSWER_MS = 5 * MINUTE_MS


def a_world() -> World:
    world = World()
    world.provider.script("create", said(PENDING, 201))
    world.provider.script("card", said(PENDING))
    return world


async def happy_card() -> World:
    """3DS, a poll that finds it unchanged, a success that a read confirms."""
    world = a_world()
    await world.submit()
    await world.pass_time(7 * MINUTE_MS)
    world.provider.script("card", said(card_body("received")))
    await world.hook(card_body("waiting"))
    await world.hook(card_body("received"))
    return world


async def stale_webhook() -> World:
    """The same, then webhooks that come too late and twice."""
    world = await happy_card()
    await world.hook(PENDING)
    await world.hook(card_body("received"))
    return world


async def create_in_doubt() -> World:
    world = a_world()
    world.provider.script("create", LOST)
    await world.submit()
    return world


async def create_found_by_scan() -> World:
    world = await create_in_doubt()
    found = said({"records": [card_body("received")], "page": 1, "per_page": 20, "total": 1})
    world.provider.script("list", EMPTY_LIST, found)
    await world.pass_time(LOST_ANSWER_MS)
    return world


async def capture_in_doubt() -> World:
    """A capture whose answer is lost, sent once more after two reads, and lost again."""
    world = a_world()
    world.provider.script("create", said(card_body("authorised"), 201))
    world.provider.script("card", said(card_body("authorised")))
    world.provider.script("capture", LOST)
    await world.submit(MANUAL)
    await world.command("capture")
    await world.pass_time(10 * MINUTE_MS)
    return world


async def refused_command() -> World:
    world = a_world()
    await world.submit()
    await world.command("cancel")
    await world.command("cancel")
    await world.command("capture", command_id="c-2")
    return world


async def of_others() -> World:
    """Webhooks that speak of another id, another reference, in words that nobody knows, or not at all."""
    world = a_world()
    world.provider.script("card", said(None, 503))
    await world.submit()
    await world.hook(card_body("received", external_id="ord-9"))
    await world.hook(card_body("pending", uuid="OTHER123"))
    await world.hook("{no json")
    await world.hook(card_body("teleported"))
    await world.hook(card_body("https://bank.example/secret"))
    return world


async def parked() -> World:
    """Six workers die of it, the last one with nothing else in hand."""
    world = a_world()
    await world.deliver()
    for _ in range(ALONE_AT_CLAIMS):
        await world.claim()
        world.clock.ms += world.policy.lease_ms
    for _ in range(2):
        await world.store.claim(SHARD, owner="w1", lease_ms=world.policy.lease_ms, limit=1)
        record = await world.store.claim_alone(SHARD, owner="w1", lease_ms=world.policy.lease_ms)
        world.clock.ms += world.policy.lease_ms
    world.clock.ms -= world.policy.lease_ms
    assert record is not None
    await advance(record, engine=world.engines["w1"])
    return world


async def not_executed() -> World:
    """Tried again and again: no connection, then no credentials, then an explicit no."""
    world = a_world()
    refusal = said({"errors": {"code": "CARD_DECLINED", "message": "see https://bank.example/secret"}}, 422)
    world.provider.script("create", UNSENT, UNSENT, UNSENT, UNAUTHORISED, refusal)
    await world.submit()
    await world.pass_time(MINUTE_MS)
    return world


async def too_late_to_send() -> World:
    world = a_world()
    world.provider.script("create", UNSENT)
    await world.submit()
    await world.pass_time(20 * MINUTE_MS)
    return world


async def in_hand() -> World:
    """Marked as sending and claimed; a webhook and a command came since."""
    world = a_world()

    async def meanwhile(_):
        await world.hook(PENDING, turn=False)
        await world.command("cancel", turn=False)
        raise FencedError("stopped here")

    world.provider.script("create", meanwhile)
    await world.submit()
    world.clock.ms += 1000
    return world


async def worker_gone() -> World:
    """The same, and the worker never comes back."""
    world = await in_hand()
    world.clock.ms += world.policy.lease_ms
    return world


async def refunded_in_part() -> World:
    """A part goes back; a second refund meanwhile is refused, and the second part is lost on its way."""
    world = World()
    world.provider.script("create", said(payin_body("received"), 201))
    world.provider.script("detail", said(payin_body("return_received")))
    world.provider.script("refund", said(payin_body("return_pending")), LOST)
    await world.submit(payin_intent())
    await world.command("refund", key=PAYIN, refund_id="r-1", amount_minor=12_000)
    await world.command("refund", key=PAYIN, refund_id="r-2", amount_minor=5_000, command_id="c-2")
    await world.hook(payin_body("return_received"), key=PAYIN)
    await world.command("refund", key=PAYIN, refund_id="r-3", amount_minor=5_000, command_id="c-3")
    await world.pass_time(3 * MINUTE_MS)
    return world


LIVES = (
    happy_card,
    stale_webhook,
    create_in_doubt,
    create_found_by_scan,
    capture_in_doubt,
    refused_command,
    of_others,
    parked,
    not_executed,
    too_late_to_send,
    in_hand,
    worker_gone,
    refunded_in_part,
)


async def found_in(world: World, key=CARD, **changes) -> Found:
    record = await world.store.load(key)
    assert record is not None
    return Found(**({"record": record, "due_at_ms": await world.store.due_at(key), "paused": None} | changes))


async def explained_in(world: World, key=CARD, **changes) -> dict:
    return explained_of(await found_in(world, key, **changes), policy=world.policy, now_ms=world.clock.ms)


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
async def test_a_life_is_told_word_for_word(life):
    explained = await explained_in(await life(), PAYIN if life is refunded_in_part else CARD)
    text = "\n".join(lines_of(explained)) + "\n"
    assert text == (TEXTS / f"{life.__name__}.txt").read_text(encoding="utf-8")
    assert "secret" not in text
    assert "bank.example" not in text


async def test_what_waits_and_who_has_it_is_told():
    explained = await explained_in(await in_hand())
    assert explained["waiting_observations"] == {"webhook": 1, "command": 1}
    assert explained["owner"]["name"] == "w1"
    assert explained["next_move"] is None
    assert explained["operations"]["create"]["state"] == OperationState.SENDING


async def test_a_payment_that_is_due_and_not_taken_asks_for_the_workers():
    world = a_world()
    await world.deliver()
    world.clock.ms += 3 * MINUTE_MS
    explained = await explained_in(world)
    assert explained["next_look"].endswith("3m ago, and no worker took it: is one running?")
    assert explained["next_move"] == "send create, attempt 1"


async def test_a_payment_that_is_due_now_is_not_late():
    world = a_world()
    await world.deliver()
    assert (await explained_in(world))["next_look"].endswith("Z, now")


async def test_a_paused_merchant_is_named_as_the_reason():
    world = a_world()
    await world.deliver()
    explained = await explained_in(world, paused="unauthorised")
    assert "its merchant, whose calls are paused: unauthorised" in "\n".join(lines_of(explained))


async def test_a_payid_that_got_lost_says_that_no_list_can_tell():
    world = World()
    world.provider.script("create", LOST)
    await world.submit(payid_intent())
    text = "\n".join(lines_of(await explained_in(world, PAYID)))
    assert "the provider has no list in which a lost payid payment could be found" in text
    assert "never sent again by itself: who knows more decides with payorch resolve" in text


async def test_a_payment_of_an_earlier_version_has_no_history_and_is_told_all_the_same():
    world = a_world()
    await world.deliver()
    found = await found_in(world)
    old = replace(found, record=replace(found.record, body=encode(created(card_intent()))))
    explained = explained_of(old, policy=world.policy, now_ms=NOW_MS)
    assert explained["history"] == []
    assert "  nothing was written down: an earlier version stored it" in lines_of(explained)


@pytest.mark.parametrize("what", What)
@pytest.mark.parametrize("verdict", ["", *Verdict])
def test_every_word_of_the_history_has_a_sentence(what, verdict):
    [entry] = told([line_of(Entry(at_ms=NOW_MS, what=what, said="said", verdict=verdict, detail="create#1 done"))])
    assert entry["text"]
    assert "#" not in entry["text"]
    assert "_" not in entry["text"]


def test_words_of_a_later_version_are_told_as_they_are():
    [entry] = told([line_of(Entry(at_ms=NOW_MS, what="omen", said="a raven", verdict="seen", detail="twice"))])
    assert entry["text"] == "a raven → seen (twice)"


@pytest.mark.parametrize("review", Review)
def test_every_review_has_a_sentence(review):
    assert REVIEWS[review]
