"""The history beside the engine: it is kept with every commit, costs none of its own and holds nothing secret (I8)."""

from __future__ import annotations

import json
import zlib

import pytest

from orchestrator.advance import notify
from orchestrator.codec import encode
from orchestrator.history import entry_of
from orchestrator.observation import DecisionSeen, LookSeen, Observation, ReplySeen
from orchestrator.payment import CREATE, public_view
from orchestrator.ports import Reply
from tests.unit.core.building import UUID, card_body, card_intent, payid_intent, payin_body, payin_intent
from tests.unit.engine.world import CARD, DAY_MS, LOST, MINUTE_MS, PAYID, PAYIN, UNSENT, World, said

TOKEN = "tok_dfe1988a1ffc0d6562d3"
PAGE = "https://bank.example/3ds?session=canary-session"
OTP = "482913"
PERSON = "canary.person@example.com"
PAN = "4111111111111111"
CANARIES = (TOKEN, "canary", PAGE, OTP, PERSON, PAN, "po1.", "user:secret", "Ada", "sk_live", "eyJ", "100.0", "10000")


def whats(payment) -> list[str]:
    return [entry_of(line).what for line in payment.history]


async def see(world: World, seen: Observation) -> None:
    await notify(CARD, seen, engine=world.engines["w1"])
    await world.turn()


def lines(payment) -> str:
    return "\n".join(payment.history)


@pytest.fixture
def world() -> World:
    return a_world()


def a_world() -> World:
    world = World()
    world.provider.script("create", said(card_body("pending", pay_code={"3ds_url": PAGE}), 201))
    world.provider.script("card", said(card_body("pending", pay_code={"3ds_url": PAGE})))
    return world


async def test_each_thing_that_happens_is_a_line_in_its_order(world):
    await world.submit()
    await world.hook(card_body("waiting"))
    world.provider.script("card", said(card_body("received")))
    await world.hook(card_body("received"))
    payment = await world.payment()
    assert whats(payment) == ["intent", "call", "reply", "webhook", "webhook", "read"]
    moments = [entry_of(line).at_ms for line in payment.history]
    assert moments == sorted(moments)
    await world.assert_consistent()


async def test_two_runs_alike_leave_the_same_lines(world):
    async def life(world: World) -> tuple[str, ...]:
        world.provider.script("create", LOST)
        await world.submit()
        await world.pass_time(DAY_MS)
        await world.hook(card_body("received"))
        return (await world.payment()).history

    assert await life(world) == await life(a_world())


async def test_a_payment_that_nobody_may_call_for_is_handed_back_without_a_commit_or_a_line(world):
    await world.gate.pause("default", for_ms=MINUTE_MS, reason="unauthorised")
    await world.submit()
    record = await world.store.load(CARD)
    assert record is not None
    assert record.version == 1
    assert whats(await world.payment()) == ["intent"]


async def test_a_line_publishes_nothing(world):
    await world.submit()
    before, count = await world.payment(), len(world.events())
    await world.hook(card_body("pending", pay_code={"3ds_url": PAGE}))
    after = await world.payment()
    assert len(after.history) == len(before.history) + 1
    assert len(world.events()) == count
    assert public_view(after) == public_view(before)


async def test_an_owner_that_is_gone_leaves_a_line(world):
    async def dies(_):
        raise ConnectionResetError

    world.provider.script("create", dies)
    with pytest.raises(ConnectionResetError):
        await world.submit()
    world.clock.ms += world.policy.lease_ms
    await world.turn(worker="w2")
    assert whats(await world.payment())[:3] == ["intent", "call", "left"]


async def test_a_reply_that_comes_after_its_claim_was_lost_says_so(world):
    reply = ReplySeen(operation=CREATE, at_ms=world.clock.ms, reply=Reply(sent=True, http_status=503), deadline_ms=1)
    await world.submit()
    world.clock.ms += MINUTE_MS
    await see(world, reply)
    last = entry_of((await world.payment()).history[-1])
    assert (last.what, last.said, last.verdict) == ("reply", "create HTTP 503 (came 60 s before)", "stale")


async def test_what_cannot_be_read_is_counted_in_a_line(world):
    await world.submit()
    await world.store.notify(CARD, b'{"kind": "OmenSeen", "at_ms": 1}', op="n-1")
    await world.turn()
    assert whats(await world.payment())[-1] == "unreadable"


async def test_i8_a_life_full_of_secrets_leaves_none_in_its_history(world):
    rude = card_body("pending", pay_code={"3ds_url": PAGE}, status_note=TOKEN)
    rude_error = Reply(sent=False, error=f"refused by https://user:secret@host/{TOKEN}")
    world.provider.script("create", UNSENT, rude_error, said(rude))
    await world.submit(card_intent(metadata={"note": "canary"}, customer={"name": "Ada", "email": PERSON}))
    await world.pass_time(MINUTE_MS)
    for status in (TOKEN, PAGE, PAN, f"po1.{OTP}", "eyJhbGciOi", "sk_live_1", "canary person"):
        await world.hook(card_body(status, stage=status))
    await world.hook(card_body("received", uuid=TOKEN, external_id=PAGE))
    await world.hook(json.dumps({"uuid": UUID, "status": [TOKEN]}))
    await world.command("capture", command_id="c-1")
    await see(world, LookSeen(at_ms=world.clock.ms, actor=PAN))
    await see(
        world,
        DecisionSeen(
            decision_id="d-1",
            at_ms=world.clock.ms,
            actor=TOKEN,
            reason=f"the customer {PERSON} says {OTP}",
            evidence=PAGE,
            outcome=f"executed {TOKEN}",
            operation=PAN,
        ),
    )
    payment = await world.payment()
    assert len(payment.history) > 10
    assert not [canary for canary in CANARIES if canary in lines(payment)]


async def test_i8_the_words_of_a_refusal_are_not_in_the_history(world):
    refusal = {"errors": {"code": f"bad {TOKEN}", "message": f"Authorization: po1.canary {PAN}"}}
    world.provider.script("create", said(refusal, 422))
    await world.submit()
    payment = await world.payment()
    assert entry_of(payment.history[-1]).detail == "?"
    assert not [canary for canary in CANARIES if canary in lines(payment)]


async def test_i8_a_one_time_code_and_its_refusal_leave_no_trace(world):
    action = payin_body("pending", stage="authorize_otp", pay_code=None)
    world.provider.script("create", said(action, 201))
    world.provider.script("otp", said({"errors": {"code": OTP, "message": f"code {OTP} is wrong"}}, 422))
    await world.submit(payin_intent())
    await world.command("confirm_otp", key=PAYIN, code=OTP)
    payment = await world.payment(PAYIN)
    said_of = [entry_of(line) for line in payment.history if "confirm_otp" in line]
    assert [entry.what for entry in said_of] == ["command", "call", "reply"]
    assert OTP not in lines(payment)
    assert "Maria" not in lines(payment)


async def test_i8_a_payids_address_and_payer_are_not_in_its_history(world):
    world.provider.script("create", said({"id": 123456, "status": "pending", "request_payid": "n2qrikv@dream.au"}))
    await world.submit(payid_intent())
    assert "n2qrikv" not in lines(await world.payment(PAYID))
    assert "example.com" not in lines(await world.payment(PAYID))


async def test_a_year_of_polls_costs_a_few_hundred_bytes(world):
    await world.submit()
    small = len(encode(await world.payment()))
    await world.pass_time(60 * DAY_MS)
    payment = await world.payment()
    assert len(encode(payment)) - small < 500
    assert len(payment.history) < 12


async def test_a_history_at_its_bound_stays_small(world):
    await world.submit()
    for number in range(400):
        await world.hook(card_body(f"word_{'x' * (number % 30)}", pay_code=None))
    payment = await world.payment()
    assert len(payment.history) == 61
    assert len(zlib.decompress(encode(payment))) < 16_000
